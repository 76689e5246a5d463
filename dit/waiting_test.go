package dit_test

import (
	"slices"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestDeletedWaitForNothing promises that an entry of which the addition has not arrived
// is withheld, but no more once it is known to be deleted; what is below it still is.
func TestDeletedWaitForNothing(t *testing.T) {
	id, child := testID("e"), testID("child")
	s := dit.Open(dit.NewMemory(), testRules(t))
	mergeInto(t, s, dated(1, 2, 1, nil, changelog.Change{Op: changelog.OpModify, ID: id, Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "description"}}}))
	withheld(t, s, dit.Waiting{ID: id, Missing: id})
	mergeInto(t, s, dated(1, 3, 2, changelog.Seqs{1: 2}, changelog.Change{Op: changelog.OpDelete, ID: id}))
	withheld(t, s)
	add := dated(2, 1, 3, nil, changelog.Change{Op: changelog.OpAdd, ID: child, Superior: id, RDN: "ou=c"})
	mergeInto(t, s, add)
	withheld(t, s, dit.Waiting{ID: child, Missing: id, RDN: "ou=c", Added: add.CSN})
}

// withheld checks what waits.
func withheld(t *testing.T, s *dit.State, want ...dit.Waiting) {
	t.Helper()
	list, err := s.Waiting(10)
	if n, e := s.Withheld(); n != len(want) || e != nil || err != nil || !slices.Equal(list, want) {
		t.Errorf("%d withheld, %v, %v, %v, want %v", n, list, err, e, want)
	}
}
