package dit_test

import (
	"fmt"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// together lets replicas make one operation each without knowing of the others', at
// times 1,000 apart, and returns the changes.
func together(t *testing.T, all []*replica, ops ...dit.Operation) (made []*changelog.Change) {
	t.Helper()
	for i, op := range ops {
		c, err := all[i].do(t, op, testID(fmt.Sprint("new ", i)), int64(1000*(i+1)))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, c)
	}
	for i, r := range all {
		for j, c := range made {
			if i != j {
				r.merge(t, c)
			}
		}
	}
	return made
}

// alike returns replicas that hold the same units below the suffix.
func alike(t *testing.T, n int, units ...string) (all []*replica) {
	t.Helper()
	for i := range n {
		all = append(all, newReplica(changelog.SID(i+1), testRules(t)))
	}
	for _, name := range append([]string{"ou=t,dc=x"}, units...) {
		op := dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, name), Attrs: []dit.Attribute{attr("objectClass", "organizationalUnit")}}
		c, err := all[0].do(t, op, testID(name), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all[1:] {
			r.merge(t, c)
		}
	}
	return all
}

func moveOf(t *testing.T, name, below string) dit.Operation {
	d := parseDN(t, name)
	return dit.Operation{Op: changelog.OpModDN, DN: d, NewRDN: d[0], NewSuperior: parseDN(t, below)}
}

// TestOpponentOfASkippedMove promises that a move which would have closed a circle is
// told apart from what else was moved: it lost to the newest of those that with it
// are the circle.
func TestOpponentOfASkippedMove(t *testing.T) {
	p, q, o, z := "ou=p,ou=t,dc=x", "ou=q,ou=t,dc=x", "ou=o,ou=t,dc=x", "ou=z,ou=t,dc=x"
	all := alike(t, 4, p, q, o, z)
	made := together(t, all, moveOf(t, p, q), moveOf(t, q, o), moveOf(t, z, q), moveOf(t, o, p))
	for i, r := range all {
		records, err := r.state().Records(testID(o))
		if err != nil || len(records) != 1 || records[0].Kind != dit.MoveSkipped {
			t.Fatal(records, err)
		}
		id, won, err := r.state().Opponent(records[0])
		if err != nil || id != testID(q) || won.CSN != made[1].CSN || won.Parent != testID(o) {
			t.Errorf("replica %d: %s %+v %v", i, id, won, err)
		}
	}
}

// TestSkippedMoveOfThePast promises that a move which would have closed a circle is no
// conflict any more once the entry has been moved by who knew of it.
func TestSkippedMoveOfThePast(t *testing.T) {
	p, q, o := "ou=p,ou=t,dc=x", "ou=q,ou=t,dc=x", "ou=o,ou=t,dc=x"
	all := alike(t, 2, p, q, o)
	together(t, all, moveOf(t, p, q), moveOf(t, q, p))
	for _, want := range []int{1, 0} {
		for i, r := range all {
			if records, err := r.state().Records(testID(q)); err != nil || len(records) != want {
				t.Errorf("replica %d: %+v, want %d, %v", i, records, want, err)
			}
		}
		c, err := all[0].do(t, moveOf(t, q, o), testID("none"), 9000)
		if err != nil && want == 1 {
			t.Fatal(err)
		}
		if err == nil {
			all[1].merge(t, c)
		}
	}
}

// TestOpponentOfGlue promises that what keeps a deleted entry shown is named, below
// others that are deleted, too.
func TestOpponentOfGlue(t *testing.T) {
	p, q := "ou=p,ou=t,dc=x", "ou=q,ou=p,ou=t,dc=x"
	all := alike(t, 2, p, q)
	person := []dit.Attribute{attr("objectClass", "inetOrgPerson"), attr("sn", "s")}
	made := together(t, all,
		dit.Operation{Op: changelog.OpDelete, DN: parseDN(t, q)},
		dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "uid=k,"+q), Attrs: person})
	records, err := all[0].state().Records(testID(q))
	if err != nil || len(records) != 1 || records[0].Kind != dit.GlueShown {
		t.Fatal(records, err)
	}
	for i, r := range all {
		id, won, err := r.state().Opponent(records[0])
		if err != nil || id != testID("new 1") || won.CSN != made[1].CSN || won.Value != "uid=k" {
			t.Errorf("replica %d: %s %+v %v", i, id, won, err)
		}
	}
	if id, _, err := all[0].state().Opponent(dit.Record{Kind: dit.NameConflict, Entry: testID(q)}); err != nil || !id.IsZero() {
		t.Error(id, err)
	}
}
