package dit_test

import (
	"math/rand/v2"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestRegister asks for what entries have of an attribute that has one value, and from
// which change they have it.
func TestRegister(t *testing.T) {
	w := &world{rng: rand.New(rand.NewPCG(1, 1))}
	a := &author{world: w, ids: map[string]dit.ID{}}
	a.add(1, 1, "root", "", "ou=t", "objectClass", unit)
	a.add(1, 2, "x", "root", "cn=x", "objectClass", person, "employeeNumber", "1")
	a.modify(2, 3, "x", changelog.ModReplace, "employeeNumber", "2")
	a.add(1, 4, "dead", "root", "cn=dead", "objectClass", person, "employeeNumber", "3")
	a.make(1, 5, &changelog.Change{Op: changelog.OpDelete, ID: a.id("dead")})
	a.modify(1, 6, "unborn", changelog.ModReplace, "employeeNumber", "4")
	a.add(1, 7, "none", "root", "employeeNumber=5", "objectClass", person)
	a.add(1, 8, "taken", "root", "cn=taken", "objectClass", person, "employeeNumber", "6")
	a.modify(1, 9, "taken", changelog.ModDelete, "employeeNumber", "6")
	r := newReplica(99, testRules(t))
	for _, c := range w.changes {
		r.merge(t, c)
	}
	type answer struct {
		value string
		from  int // of the changes, 0 for none
	}
	for name, want := range map[string]answer{
		"root": {}, "x": {"2", 3}, "dead": {"3", 4}, "unborn": {}, "nobody": {}, "none": {"5", 7}, "taken": {},
	} {
		var from changelog.Mark
		if want.from > 0 {
			c := w.changes[want.from-1]
			from = changelog.Mark{Seq: c.Seq, CSN: c.CSN}
		}
		if value, at, err := r.state().Register(a.id(name), "EmployeeNumber"); err != nil || value != want.value || at != from {
			t.Errorf("%s has %q from %+v, want %q from %+v, %v", name, value, at, want.value, from, err)
		}
	}
}
