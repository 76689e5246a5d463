package simulate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/store"
)

// The scenarios of ../dit/testdata/scenarios/system.yaml, as far as the simulator can
// stand in; expect.text there says what each has to come to.

const personDN = "cn=a,ou=a," + suffixText

// system runs fn in a world of n servers with right clocks, and fails when
// anything happens in it that must not.
func system(t *testing.T, n int, fn func(w *world)) {
	t.Helper()
	defer func() {
		if v, ok := recover().(violation); ok {
			t.Fatalf("%s: %s", v.rule, v.what)
		}
	}()
	w := &world{cfg: Config{Profile: Mixed, Seed: 1}, stats: newStats()}
	for w.build(); len(w.nodes) != n; w.build() {
		w.cfg.Seed++
		w.nodes = nil
	}
	for _, nd := range w.nodes {
		nd.skew, nd.drift = 0, 0
	}
	fn(w)
}

// quiet lets everybody work until nothing is left to do; time hardly passes, and
// links that are cut stay so.
func (w *world) quiet() {
	w.calm = true
	defer func() { w.calm = false }()
	for w.round(beatRounds) {
		w.inspect()
	}
	w.inspect()
}

// finish ends the faults and judges.
func (w *world) finish() {
	w.settle()
	w.judge()
}

func replace(dn, attr string, values ...string) directory.Write {
	return directory.Write{Op: directory.Modify, DN: dn, Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: attr, Values: values}}}
}

// do makes a write by name as a client, and fails when it is refused.
func (nd *node) do(wr directory.Write) {
	if wr.Op != directory.Add {
		wr.ID = nd.server.Find(mustDN(wr.DN))
	}
	before := nd.w.stats.Writes
	if nd.client(wr); nd.w.stats.Writes == before {
		fail("refused", "%s", show(wr))
	}
}

// everywhere checks the values of an attribute in all directories.
func (w *world) everywhere(t *testing.T, dn, attr string, want ...string) {
	t.Helper()
	for _, nd := range w.members() {
		e := nd.server.Entry(nd.server.Find(mustDN(dn)))
		if e == nil {
			t.Errorf("%s has no %s", nd.name, dn)
			continue
		}
		have := slices.Sorted(slices.Values(valuesOf(e, attr)))
		if !slices.Equal(have, want) {
			t.Errorf("%s: %s of %s is %q, want %q", nd.name, attr, dn, have, want)
		}
	}
}

// authored returns the changes of directories' clients.
func (w *world) authored(sid changelog.SID) (list []*changelog.Change) {
	for _, m := range w.made {
		if m.SID() == sid && !m.ID.IsZero() {
			list = append(list, m.Change)
		}
	}
	slices.SortFunc(list, func(a, b *changelog.Change) int { return int(a.Seq) - int(b.Seq) })
	return list
}

func (w *world) records(kind dit.Kind) int { return w.stats.Journal[string(kind)] }

func TestSystemE01(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		a.skew = 10 * time.Minute
		a.do(replace(personDN, "description", "a"))
		w.quiet()
		b.do(replace(personDN, "description", "b"))
		w.finish()
		w.everywhere(t, personDN, "description", "b")
		if n := len(w.stats.Journal); n > 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}

func TestSystemE03(t *testing.T) {
	system(t, 3, func(w *world) {
		a := w.nodes[0]
		a.do(replace(personDN, "description", "1"))
		w.quiet()
		a.kill()
		a.skew = -time.Hour
		a.start()
		a.do(replace(personDN, "description", "2"))
		w.finish()
		w.everywhere(t, personDN, "description", "2")
		var last changelog.CSN
		for _, c := range w.authored(1) {
			if !last.Before(c.CSN) {
				t.Errorf("%s does not come after %s", c.CSN, last)
			}
			last = c.CSN
		}
	})
}

func TestSystemE08(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		x, y := "ou=b,"+suffixText, personDN
		b.refusing[b.server.Find(mustDN(x))] = true
		a.do(replace(x, "description", "1"))
		a.do(replace(y, "mail", "y@x"))
		w.quiet()
		st, err := b.rep.Status()
		if err != nil || st.ParkedCount != 1 || st.Parked[0].Code != 53 {
			t.Fatalf("parked %+v, %v", st.Parked, err)
		}
		w.everywhere(t, y, "mail", "y@x")
		if a.dump() != b.dump() {
			t.Error("the states differ")
		}
		clear(b.refusing)
		w.finish()
		w.everywhere(t, x, "description", "1")
	})
}

// crash runs a history of twenty writes at the first of three servers, in which
// the process of one dies at its nth commit. It reports whether it did.
func crash(t *testing.T, victim, n int, before bool) (died bool) {
	system(t, 3, func(w *world) {
		a, nd := w.nodes[0], w.nodes[victim]
		for i := range 20 {
			a.do(directory.Write{Op: directory.Modify, DN: personDN, Mods: []changelog.Mod{
				{Op: changelog.ModAdd, Attr: "description", Values: []string{fmt.Sprint("v", i)}},
			}})
			if i%5 == 4 {
				nd.fuse, nd.dieBefore = n, before
				w.quiet()
				died = died || nd.fuse == 0
			}
		}
		made := len(w.authored(1))
		w.finish()
		if after := len(w.authored(1)) + len(w.authored(2)) + len(w.authored(3)); after > made+1 {
			t.Errorf("%d changes, %d after the crash", made, after)
		}
		for _, nd := range w.members() {
			if have := len(valuesOf(nd.server.Entry(theOne), "description")); have != 21 {
				t.Errorf("%s has %d values", nd.name, have)
			}
		}
	})
	return died
}

func TestSystemE09(t *testing.T) {
	for victim := range 3 {
		for _, before := range []bool{true, false} {
			n := 1
			for crash(t, victim, n, before) {
				n++
			}
			if n < 3 {
				t.Errorf("server %d made %d commits", victim+1, n-1)
			}
		}
	}
}

func TestSystemE10(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		a.do(replace(personDN, "employeeNumber", "1"))
		b.between = func() { b.do(replace(personDN, "employeeNumber", "2")) }
		w.quiet()
		if b.between != nil || len(w.authored(2)) == 0 {
			t.Fatal("nothing was written between")
		}
		w.finish()
		w.everywhere(t, personDN, "employeeNumber", "2")
		if w.records(dit.ValueSuperseded) != 1 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}

func TestSystemE12(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		const n, entries = 1000, 200
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
			if len(w.wire) < 200 && i != n-1 {
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
		}
		w.finish()
		if b.dump() != a.dump() {
			t.Error("the states differ")
		}
		if have := len(w.authored(1)); have != n+5 {
			t.Errorf("%d changes, want %d", have, n+5)
		}
	})
}

func TestSystemE13(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		w.cut[a.i][c.i], w.cut[c.i][a.i] = true, true
		a.do(replace(personDN, "description", "a"))
		c.do(replace(personDN, "mail", "c@x"))
		b.kill()
		w.quiet() // starts it again
		w.everywhere(t, personDN, "description", "a")
		w.everywhere(t, personDN, "mail", "c@x")
		if a.dump() != c.dump() || a.dump() != b.dump() {
			t.Error("the states differ")
		}
		w.finish()
	})
}

func TestSystemE06(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		c.kill()
		a.do(directory.Write{Op: directory.Delete, DN: personDN})
		for range 30 {
			w.now = w.now.Add(48 * time.Hour)
			for _, nd := range w.nodes[:2] {
				nd.start()
				nd.stepTime()
				nd.stepHeartbeat()
			}
			w.calm = true
			for _, nd := range w.nodes[:2] {
				for nd.stepCapture(8) || nd.stepPublish() {
				}
			}
			for len(w.wire) > 0 {
				w.deliverOne()
			}
			w.calm = false
		}
		a.read(func(_ *store.Tx, s *dit.State) error {
			if life, err := s.Life(theOne); err != nil || life != dit.Deleted {
				t.Errorf("life %v, %v: the tombstone is gone", life, err)
			}
			return nil
		})
		c.do(replace(personDN, "mail", "c@x"))
		w.finish()
		for _, nd := range w.nodes {
			if nd.server.Entry(theOne) != nil {
				t.Errorf("%s still has the entry", nd.name)
			}
		}
		if w.records(dit.ChangeOnDeleted) == 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}

func TestSystemE14(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		group := "cn=g," + suffixText
		x := "cn=x," + suffixText
		a.do(adding(x, "objectClass", "inetOrgPerson", "sn", "1"))
		w.quiet()
		a.do(directory.Write{Op: directory.Delete, DN: x})
		b.do(directory.Write{Op: directory.Modify, DN: group, Mods: []changelog.Mod{{Op: changelog.ModAdd, Attr: "member", Values: []string{x}}}})
		w.finish()
		w.everywhere(t, group, "member", personDN, x)
		if w.records("dangling-reference") == 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}

func TestSystemE16(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		for i := range 200 {
			a.do(adding(fmt.Sprintf("cn=n%d,%s", i, suffixText), "objectClass", "inetOrgPerson", "sn", "1"))
		}
		w.settle()
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
	})
}
