package simulate

import (
	"fmt"
	"testing"

	"ldapsync/directory"
)

// shownGap reports whether nd shows that it lacks changes of another.
func (w *world) shownGap(t *testing.T, nd, of *node) bool {
	t.Helper()
	nd.show()
	st, err := nd.rep.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range st.Peers {
		if p.SID == of.sid() && p.Ahead > 0 {
			if lacks := of.vectorNow()[p.SID].Seq - st.Vector[p.SID].Seq; p.Ahead < lacks {
				t.Errorf("%d changes are shown as lacking, there are %d", p.Ahead, lacks)
			}
			return true
		}
	}
	return false
}

func TestSystemE12(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		known, gaps := len(w.made)-len(w.numbered(b.sid())), 0
		const n, entries = many, many / 20
		for i := range n {
			name := fmt.Sprintf("cn=n%d,%s", i%entries, suffixText)
			if i < entries {
				a.do(adding(name, "objectClass", "inetOrgPerson", "sn", "1"))
			} else {
				a.do(replace(name, "description", fmt.Sprint(i)))
			}
			if i%5 != 4 {
				continue
			}
			w.calm = true
			for a.stepCapture(8) {
			}
			for a.stepPublish() {
			}
			w.calm = false
			if len(w.wire) < 1000 && i != n-1 {
				continue
			}
			for _, p := range w.wire {
				if w.rng.IntN(10) < 3 {
					w.wire = append(w.wire, p)
				}
			}
			w.rng.Shuffle(len(w.wire), func(i, j int) { w.wire[i], w.wire[j] = w.wire[j], w.wire[i] })
			for len(w.wire) > 0 {
				w.deliverOne()
			}
			if w.shownGap(t, b, a) {
				gaps++
			}
		}
		w.finish()
		if !b.holds(a.dump()) {
			t.Error("the states differ")
		}
		others := len(w.made) - len(w.numbered(b.sid())) - known
		if got := b.rep.Counts()["received"]; got != uint64(others) {
			t.Errorf("%d changes were received of %d", got, others)
		}
		if gaps == 0 {
			t.Error("no gap was seen on the way")
		}
		if have := len(w.authored(1)); have != n+5 {
			t.Errorf("%d changes, want %d", have, n+5)
		}
	})
}

func TestSystemE16(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		for i := range 1000 {
			a.do(adding(fmt.Sprintf("cn=n%d,%s", i, suffixText), "objectClass", "inetOrgPerson", "sn", "1"))
		}
		w.settle()
		w.page = 64 << 10
		b.wipe()
		b.do(replace(personDN, "employeeNumber", "7"))
		a.do(replace(personDN, "mail", "a@x"))
		writes := 0
		b.server.SetRefuse(func(directory.Write) error { writes++; return nil })
		w.finish()
		w.everywhere(t, personDN, "employeeNumber", "7")
		w.everywhere(t, personDN, "mail", "a@x")
		if made := w.authored(b.sid()); b.sid() == 2 || len(made) != 1 {
			t.Errorf("sid %d made %d changes", b.sid(), len(made))
		}
		if writes > 1 {
			t.Errorf("%d writes", writes)
		}
		if !b.holds(a.dump()) {
			t.Error("the states differ")
		}
	})
}
