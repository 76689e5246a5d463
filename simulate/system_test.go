package simulate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
)

// The scenarios of ../scenario/testdata/system.yaml, as far as the simulator can
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
	w := &world{ctx: t.Context(), cfg: Config{Profile: Mixed, Seed: 1}, stats: newStats()}
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

// numbered returns all changes of a server, in their order.
func (w *world) numbered(sid changelog.SID) (list []*changelog.Change) {
	for _, m := range w.made {
		if m.SID() == sid {
			list = append(list, m.Change)
		}
	}
	slices.SortFunc(list, func(a, b *changelog.Change) int { return int(a.Seq) - int(b.Seq) })
	return list
}

// authored returns the changes of a directory's clients, in their order.
func (w *world) authored(sid changelog.SID) []*changelog.Change {
	return slices.DeleteFunc(w.numbered(sid), func(c *changelog.Change) bool { return c.ID.IsZero() })
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
		if first, second := w.authored(1), w.authored(2); !first[len(first)-1].CSN.Before(second[0].CSN) {
			t.Errorf("%s does not come after %s", second[0].CSN, first[len(first)-1].CSN)
		}
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
		for _, c := range w.numbered(1) {
			if !last.Before(c.CSN) {
				t.Errorf("%s does not come after %s", c.CSN, last)
			}
			last = c.CSN
		}
	})
}

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
		w.finish()
		added := map[string]int{}
		for _, c := range w.authored(1) {
			for _, m := range c.Mods {
				for _, v := range m.Values {
					added[m.Attr+"="+v]++
				}
			}
		}
		for i := range 20 {
			if v := fmt.Sprint("description=v", i); added[v] != 1 {
				t.Errorf("%s was added %d times", v, added[v])
			}
		}
		if echoes := len(w.authored(2)) + len(w.authored(3)); echoes > 0 {
			t.Errorf("%d changes were made of what others wrote", echoes)
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
		if !a.holds(c.dump()) || !a.holds(b.dump()) {
			t.Error("the states differ")
		}
		w.finish()
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
