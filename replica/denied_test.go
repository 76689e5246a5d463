package replica_test

import (
	"errors"
	"strings"
	"testing"

	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
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
