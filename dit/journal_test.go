package dit_test

import (
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestRecordID promises that the id of a record is another where something else won, but
// for a skipped move: where the entry went since has nothing to do with it.
func TestRecordID(t *testing.T) {
	won := func(kind dit.Kind, sid changelog.SID) string {
		return dit.Record{
			Kind: kind, Entry: testID("e"), Lost: dit.Side{CSN: changelog.CSN{Time: 1, SID: 1}},
			Won: dit.Side{CSN: changelog.CSN{Time: 2, SID: sid}, Parent: testID(string(rune('a' + sid)))},
		}.ID()
	}
	for _, kind := range dit.Kinds() {
		if same := won(kind, 2) == won(kind, 3); same != (kind == dit.MoveSkipped) {
			t.Errorf("%s: the same id, whatever won: %v", kind, same)
		}
	}
}
