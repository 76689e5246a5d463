package dit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestRare merges histories that random ones hardly ever come by, in the order
// in which they are written and in others.
func TestRare(t *testing.T) { rarely(t) }

// TestRareSpilled is TestRare with nearly every value under a key of its own.
func TestRareSpilled(t *testing.T) {
	defer dit.SetSpill(0, 0)()
	rarely(t)
}

func rarely(t *testing.T) {
	for name, history := range rare {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				rules := testRules(t)
				w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 11)), rules: rules, replicas: []*replica{newReplica(99, rules)}, has: make([][]*changelog.Change, 1)}
				history(&author{world: w, ids: map[string]dit.ID{}})
				for _, c := range w.changes {
					w.deliver(0, c)
				}
				w.anyOrder()
				w.forgetAll()
			}
		})
	}
}

// forgetAll lets the first replica forget as what is known to everybody: it shows
// the same, and does so when it is derived anew.
func (w *world) forgetAll() {
	w.t.Helper()
	r := w.replicas[0]
	f := dit.Forgetting{
		Stable: func(changelog.CSN, uint64) bool { return true },
		Before: changelog.CSN{Time: r.last + 2}, Stored: r.seen, Newest: changelog.CSN{Time: r.last + 1}, Records: forever,
	}
	before := w.views(r)
	for more, err := true, error(nil); more; {
		if more, err = r.state().Forget(f, 100); err != nil {
			w.t.Fatal(err)
		}
	}
	forgot := w.views(r)
	if err := r.state().Rebuild(); err != nil {
		w.t.Fatal(err)
	}
	for _, after := range []map[dit.ID]*dit.Shown{forgot, w.views(r)} {
		if d := cmp.Diff(before, after); d != "" {
			w.t.Fatalf("forgetting changed what is shown:\n%s", d)
		}
	}
}

// author writes a history down. Each change is made by the server by at a time, by
// one that knows nothing of the others'.
type author struct {
	*world
	ids map[string]dit.ID
}

// id returns the id of an entry, drawn when it is first named.
func (a *author) id(name string) dit.ID {
	if _, known := a.ids[name]; !known && name != "" {
		a.ids[name] = a.world.id()
	}
	return a.ids[name]
}

// make adds a change by a server, at a time.
func (a *author) make(by changelog.SID, at int64, c *changelog.Change) {
	c.Seq = uint64(len(a.changes) + 1)
	c.CSN = changelog.CSN{Time: epoch + at, SID: by}
	a.changes = append(a.changes, c)
}

func (a *author) add(by changelog.SID, at int64, id, superior, rdn string, attrs ...string) {
	a.make(by, at, &changelog.Change{Op: changelog.OpAdd, ID: a.id(id), Superior: a.id(superior), RDN: rdn, Mods: mods(changelog.ModAdd, attrs)})
}

func (a *author) modify(by changelog.SID, at int64, id string, op changelog.ModOp, attrs ...string) {
	a.make(by, at, &changelog.Change{Op: changelog.OpModify, ID: a.id(id), Mods: mods(op, attrs)})
}

func (a *author) rename(by changelog.SID, at int64, id, rdn string) {
	a.make(by, at, &changelog.Change{Op: changelog.OpModDN, ID: a.id(id), RDN: rdn, DeleteOldRDN: true})
}

// mods makes a modification of every attribute and value.
func mods(op changelog.ModOp, attrs []string) (out []changelog.Mod) {
	for i := 0; i < len(attrs); i += 2 {
		out = append(out, changelog.Mod{Op: op, Attr: attrs[i], Values: []string{attrs[i+1]}})
	}
	return out
}

const (
	unit   = "organizationalUnit"
	person = "inetOrgPerson"
)

var rare = map[string]func(*author){
	"what is below the children of merged containers": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		for i, p := range []string{"p", "r"} {
			by, at := changelog.SID(i+1), int64(2+10*i)
			a.add(by, at, p, "root", "ou="+p, "objectClass", unit)
			a.add(by, at+1, p+"q", p, "ou=q", "objectClass", unit)
			a.add(by, at+2, p+"s", p+"q", "ou=s", "objectClass", unit)
			a.add(by, at+3, p+"x", p+"s", "cn="+p, "objectClass", person)
		}
		a.rename(2, 30, "r", "ou=p")
		a.rename(2, 31, "r", "ou=r")
	},
	"two containers of many that merge and part": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		for i, p := range []string{"p", "r"} {
			by := changelog.SID(i + 1)
			a.add(by, 2, p, "root", "ou="+p, "objectClass", unit)
			for n := range int64(12) {
				a.add(by, 3+n, fmt.Sprint(p, n), p, fmt.Sprint("cn=", n), "objectClass", person)
			}
		}
		a.rename(2, 30, "r", "ou=p")
		a.rename(2, 31, "r", "OU=P")
		a.rename(2, 32, "r", "ou=r")
		a.modify(2, 33, "r", changelog.ModAdd, "description", "a")
	},
	"a class that was removed and stands in the name": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		for i, p := range []string{"p", "r"} {
			by := changelog.SID(i + 1)
			a.add(by, 2, p, "root", "objectClass="+unit, "objectClass", unit, "objectClass", person)
			a.add(by, 3, p+"x", p, "cn=x", "objectClass", person)
			a.modify(by, 4, p, changelog.ModDelete, "objectClass", unit)
		}
	},
	"a class that stands in the name alone": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		for i, p := range []string{"p", "r"} {
			by := changelog.SID(i + 1)
			a.add(by, 2, p, "root", "objectClass="+unit, "objectClass", person)
			a.add(by, 3, p+"x", p, "cn=x", "objectClass", person)
		}
	},
	"two suffix entries that are no containers": func(a *author) {
		a.add(1, 5, "one", "", "ou=t", "objectClass", person)
		a.add(1, 6, "p", "one", "ou=p", "objectClass", unit)
		a.add(1, 7, "x", "p", "cn=x", "objectClass", person)
		a.add(2, 1, "two", "", "ou=t", "objectClass", person)
		a.add(2, 2, "q", "two", "ou=p", "objectClass", unit)
		a.add(2, 3, "y", "q", "cn=y", "objectClass", person)
	},
	"the value that was removed last, of several that were removed twice": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		a.add(1, 2, "x", "root", "cn=x", "objectClass", person, "sn", "one")
		a.modify(1, 3, "x", changelog.ModReplace, "sn", "two")
		a.modify(1, 4, "x", changelog.ModDelete, "sn", "two")
		a.modify(2, 5, "x", changelog.ModDelete, "sn", "one")
	},
	"a name of what servers write, spelt otherwise": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		a.add(1, 2, "x", "root", `creatorsName=CN=Admin\,DC=x`, "objectClass", person, "creatorsName", "cn=admin, dc=X")
		a.add(1, 3, "y", "root", `creatorsName=CN=Admin\,DC=y`, "objectClass", person)
		a.modify(1, 4, "y", changelog.ModReplace, "creatorsName", "cn=admin, dc=Y")
		a.rename(1, 5, "y", "cn=y")
	},
	"one value under two names at once": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit, "description", "a", "DESCRIPTION", "a")
		a.add(1, 2, "x", "root", "cn=x", "objectClass", person, "surname", "a", "SN", "a", "sn", "a")
	},
	"an entry without a class": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		a.add(1, 2, "x", "root", "cn=x", "sn", "a")
	},
	"values that were removed and never added": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit, "description", "a", "description", "b")
		a.modify(2, 2, "root", changelog.ModDelete, "description", "b", "description", "c", "description", "d")
	},
	"an entry that was added twice closes a circle": func(a *author) {
		a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
		a.add(1, 2, "d", "a", "ou=d", "objectClass", unit)
		a.add(1, 3, "a", "c", "ou=a", "objectClass", unit)
		a.add(1, 4, "c", "d", "ou=c", "objectClass", unit)
		a.add(1, 5, "x", "a", "cn=x", "objectClass", person)
		a.make(1, 12, &changelog.Change{Op: changelog.OpDelete, ID: a.id("a")})
		a.make(1, 20, &changelog.Change{Op: changelog.OpModDN, ID: a.id("d"), Moved: true, Superior: a.id("root")})
		a.add(2, 10, "root", "d", "ou=t", "objectClass", unit)
	},
	"a suffix entry that was added under another name": func(a *author) {
		a.add(1, 1, "root", "", "cn=x", "objectClass", unit, "ou", "T", "ou", "u")
		a.modify(2, 2, "root", changelog.ModDelete, "ou", "T")
	},
}

// TestFindBelowMerged looks for a name below a container whose children are shown
// below the one that has its name.
func TestFindBelowMerged(t *testing.T) {
	w := &world{rng: rand.New(rand.NewPCG(1, 1))}
	a := &author{world: w, ids: map[string]dit.ID{}}
	a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
	a.add(1, 2, "p", "root", "ou=p", "objectClass", unit)
	a.add(2, 3, "q", "root", "ou=p", "objectClass", unit)
	a.add(2, 4, "x", "q", "cn=x", "objectClass", person)
	r := newReplica(99, testRules(t))
	for _, c := range w.changes {
		r.merge(t, c)
	}
	second := "ou=p+ldapsyncConflictId=" + a.id("q").String() + ",ou=t,dc=x"
	for name, want := range map[string]dit.ID{second: a.id("q"), "cn=x," + second: {}, "cn=x,ou=p,ou=t,dc=x": a.id("x"), "cn=y,cn=x," + second: {}} {
		if id, found, err := r.state().Find(parseDN(t, name)); err != nil || id != want || found == want.IsZero() {
			t.Errorf("%s is %s, %v %v", name, id, found, err)
		}
	}
}

// TestFindAgain looks for names in one state one after the other, where what is below
// the suffix entry is older than that.
func TestFindAgain(t *testing.T) {
	w := &world{rng: rand.New(rand.NewPCG(1, 1))}
	a := &author{world: w, ids: map[string]dit.ID{}}
	a.add(1, 1, "p", "root", "ou=p", "objectClass", unit)
	a.add(2, 10, "root", "", "ou=t", "objectClass", unit)
	r := newReplica(99, testRules(t))
	for _, c := range w.changes {
		r.merge(t, c)
	}
	s := r.state()
	for range 2 {
		if id, found, err := s.Find(parseDN(t, "ou=p,ou=t,dc=x")); err != nil || !found || id != a.id("p") {
			t.Errorf("it is %s, %v %v", id, found, err)
		}
	}
}
