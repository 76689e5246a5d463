package replica_test

import (
	"errors"
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// TestDeniedBelowWhatWasDenied promises that a change is not made before that which it
// needs: the other servers would wait for it.
func TestDeniedBelowWhatWasDenied(t *testing.T) {
	c, a, b := two(t)
	b.setRole(roles.ReadOnly)
	if err := b.SetRole(roles.ReadOnly); err != nil {
		t.Fatal(err)
	}
	box := "ou=box," + suffix
	b.do(addEntry(box, "objectClass", "organizationalUnit"), addEntry("ou=inner,"+box, "objectClass", "organizationalUnit"))
	c.eventually(func() string {
		if n := len(b.list(replica.ConflictQuery{Kinds: []dit.Kind{replica.DeniedByRole}})); n != 2 || !b.dir.Find(mustDN(box)).IsZero() {
			return "not denied and undone"
		}
		return ""
	})
	c.settled()
	b.setRole(roles.Master)
	if err := b.SetRole(roles.Master); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, denied := range b.list(replica.ConflictQuery{Kinds: []dit.Kind{replica.DeniedByRole}}) {
		ids[denied.DN] = denied.ID
	}
	var refused *replica.RequestError
	if _, err := b.Restore(ids["ou=inner,"+box], replica.RestoreOptions{}); !errors.As(err, &refused) || !strings.Contains(refused.Text, "nothing is known") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{box, "ou=inner," + box} {
		if _, err := b.Restore(ids[name], replica.RestoreOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.settled()
	if a.dir.Find(mustDN("ou=inner," + box)).IsZero() {
		t.Errorf("not made: %q", a.dir.Dump())
	}
}

// TestMoveBelowWhatWasUndone promises that nothing is recorded below an entry that nobody
// has heard of: a client had added it when its server was not allowed to write, another
// moved something there and back, and then it was undone. What the client moved is as it
// left it.
func TestMoveBelowWhatWasUndone(t *testing.T) {
	box, denied, other := "ou=box,"+suffix, "ou=denied,"+suffix, "ou=other,"+suffix
	h, a, b := holding(t, unit(box), unit(other))
	id := a.dir.Find(mustDN(box))
	b.must(b.rep.SetRole(roles.ReadOnly))
	b.must(b.dir.Do(unit(denied)))
	nobodys := b.dir.Find(mustDN(denied))
	for b.watch() {
	}
	b.must(b.rep.SetRole(roles.Master))
	b.must(b.dir.Do(
		directory.Write{Op: directory.ModDN, DN: box, NewRDN: "ou=box", NewSuperior: denied},
		directory.Write{Op: directory.ModDN, DN: "ou=box," + denied, NewRDN: "ou=box", NewSuperior: other},
	))
	_, _, err := b.rep.StepApply(t.Context())
	b.must(err)
	if b.dir.Entry(nobodys) != nil {
		t.Fatalf("not undone: %q", b.dir.Dump())
	}
	h.stands(id, "ou=box,"+other)
	b.must(b.store.View(func(tx *store.Tx) error {
		return tx.Log.After(b.rep.Identity().SID, 0, func(c *changelog.Change) bool {
			if c.Superior == nobodys {
				t.Errorf("recorded: %+v", c)
			}
			return true
		})
	}))
	if len(b.kept) == 0 {
		t.Error("the move is nowhere written down")
	}
}
