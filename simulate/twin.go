package simulate

import (
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
	"ldapsync/store"
)

// judgeTwin compares what nd shows and has recorded with what the obvious
// computation makes of all changes.
func (w *world) judgeTwin(nd *node, ids []changelog.ID) {
	changes := make([]*changelog.Change, 0, len(w.made))
	for _, m := range w.made {
		changes = append(changes, m.Change)
	}
	twin := naive.New(rulesOf(standard), changes)
	nd.read(func(_ *store.Tx, s *dit.State) error {
		for _, id := range ids {
			shown, err := s.View(id)
			if err != nil {
				return err
			}
			if want := twin.Shown[id]; !sameView(shown, want) {
				fail("twin", "entry %s is shown as\n  %s and ought to be\n  %s", short(id), showView(shown), showView(want))
			}
			records, err := s.Records(id)
			if err != nil {
				return err
			}
			if want := twin.Records[id]; !sameRecords(records, want) {
				fail("twin", "of entry %s is recorded\n  %+v and ought to be\n  %+v", short(id), records, want)
			}
		}
		return nil
	})
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
