package simulate

import (
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
)

// twin returns what the obvious computation makes of all changes.
func (w *world) twin() *naive.Model {
	changes := make([]*changelog.Change, 0, len(w.made))
	for _, m := range w.made {
		changes = append(changes, m.Change)
	}
	return naive.New(rulesOf(standard), changes)
}

// compareTwin compares what s shows and has recorded of an entry with the twin.
func compareTwin(s *dit.State, twin *naive.Model, id changelog.ID, shown *dit.Shown) error {
	if want := twin.Shown[id]; !sameView(shown, want) {
		fail("twin", "entry %s is shown as\n  %s and ought to be\n  %s", short(id), showView(shown), showView(want))
	}
	records, err := s.Records(id)
	if want := twin.Records[id]; err == nil && !sameRecords(records, want) {
		fail("twin", "of entry %s is recorded\n  %+v and ought to be\n  %+v", short(id), records, want)
	}
	return err
}

func sameView(a, b *dit.Shown) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ID == b.ID && a.Parent == b.Parent && a.Glue == b.Glue && a.ConflictOf == b.ConflictOf && slices.Equal(a.RDN, b.RDN) &&
		slices.EqualFunc(a.Attrs, b.Attrs, func(a, b dit.Attribute) bool { return a.Name == b.Name && slices.Equal(a.Values, b.Values) })
}

// sameRecords compares without regard to order.
func sameRecords(a, b []dit.Record) bool {
	count := map[dit.Record]int{}
	for _, r := range a {
		count[r]++
	}
	for _, r := range b {
		if count[r]--; count[r] < 0 {
			return false
		}
	}
	return len(a) == len(b)
}

func showView(v *dit.Shown) string {
	if v == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s below %s glue %v conflict of %s %q", v.RDN, short(v.Parent), v.Glue, short(v.ConflictOf), v.Attrs)
}
