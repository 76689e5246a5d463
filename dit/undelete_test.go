package dit_test

import (
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
)

// TestAuthorUndelete promises that an entry does not come back under the name that
// another one has by now where it would be shown.
func TestAuthorUndelete(t *testing.T) {
	const below = ",ou=p,ou=t,dc=x"
	person := []dit.Attribute{attr("objectClass", "inetOrgPerson"), attr("sn", "s")}
	unit := []dit.Attribute{attr("objectClass", "organizationalUnit")}
	add := func(name string, attrs []dit.Attribute) dit.Operation {
		return dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, name), Attrs: attrs}
	}
	drop := func(name string) dit.Operation {
		return dit.Operation{Op: changelog.OpDelete, DN: parseDN(t, name)}
	}
	for name, c := range map[string]struct {
		now    []dit.Operation
		rename string
		code   int
	}{
		"its own name":                  {nil, "", 0},
		"its own name is taken":         {[]dit.Operation{add("uid=k"+below, person)}, "", dit.EntryAlreadyExists},
		"another name":                  {[]dit.Operation{add("uid=k"+below, person)}, "uid=l", 0},
		"another name that is taken":    {[]dit.Operation{add("uid=l"+below, person)}, "uid=l", dit.EntryAlreadyExists},
		"its own name, said, is taken":  {[]dit.Operation{add("uid=k"+below, person)}, "UID=K", dit.EntryAlreadyExists},
		"no name":                       {nil, "ldapsyncConflictId=" + testID("k").String(), dit.NamingViolation},
		"nothing is below the new unit": {[]dit.Operation{drop("ou=p,ou=t,dc=x"), add("ou=p,ou=t,dc=x", unit)}, "", 0},
		"taken below the new unit":      {[]dit.Operation{drop("ou=p,ou=t,dc=x"), add("ou=p,ou=t,dc=x", unit), add("uid=k"+below, person)}, "", dit.EntryAlreadyExists},
		"taken below the renamed unit": {[]dit.Operation{
			{Op: changelog.OpModDN, DN: parseDN(t, "ou=p,ou=t,dc=x"), NewRDN: parseDN(t, "ou=q")[0], DeleteOldRDN: true},
			add("uid=k,ou=q,ou=t,dc=x", person),
		}, "", dit.EntryAlreadyExists},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(1, testRules(t))
			do := func(op dit.Operation, id string) {
				t.Helper()
				if _, err := r.do(t, op, testID(id), 0); err != nil {
					t.Fatal(err)
				}
			}
			do(add("ou=t,dc=x", unit), "t")
			do(add("ou=p,ou=t,dc=x", unit), "p")
			do(add("uid=k"+below, person), "k")
			do(drop("uid=k"+below), "")
			for _, op := range c.now {
				do(op, "another "+op.DN.String())
			}
			var rdn dn.RDN
			if c.rename != "" {
				rdn = parseDN(t, c.rename)[0]
			}
			change, err := r.state().AuthorUndelete(testID("k"), rdn)
			checkCode(t, err, c.code)
			if err != nil {
				return
			}
			r.stamp(change, 0)
			r.merge(t, change)
			if shown, err := r.state().View(testID("k")); err != nil || shown == nil || !shown.ConflictOf.IsZero() {
				t.Errorf("shown as %+v, %v", shown, err)
			}
		})
	}
}

// TestAuthorUndeleteOfALoser promises that an entry which had lost its name to another
// when it was deleted does not take it from a third that has it since.
func TestAuthorUndeleteOfALoser(t *testing.T) {
	rules := testRules(t)
	a, b := newReplica(1, rules), newReplica(2, rules)
	person := []dit.Attribute{attr("objectClass", "inetOrgPerson"), attr("sn", "s")}
	do := func(r *replica, op dit.Operation, id string, others ...*replica) {
		t.Helper()
		c, err := r.do(t, op, testID(id), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range others {
			o.merge(t, c)
		}
	}
	k := parseDN(t, "uid=k,ou=t,dc=x")
	top := dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "ou=t,dc=x"), Attrs: []dit.Attribute{attr("objectClass", "organizationalUnit")}}
	addK := dit.Operation{Op: changelog.OpAdd, DN: k, Attrs: person}
	do(a, top, "t", b)
	first, err := a.do(t, addK, testID("first"), 0)
	if err != nil {
		t.Fatal(err)
	}
	do(b, addK, "second", a)
	b.merge(t, first)
	loser, winner := testID("second"), testID("first")
	if shown, err := a.state().View(loser); err != nil || shown.ConflictOf != winner {
		t.Fatal(shown, err)
	}
	lost, _, err := a.state().DN(loser)
	if err != nil {
		t.Fatal(err)
	}
	do(a, dit.Operation{Op: changelog.OpDelete, DN: lost}, "", b)
	do(a, dit.Operation{Op: changelog.OpDelete, DN: k}, "", b)
	do(a, addK, "third", b)
	_, err = a.state().AuthorUndelete(loser, nil)
	checkCode(t, err, dit.EntryAlreadyExists)
}
