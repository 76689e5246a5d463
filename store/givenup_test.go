package store_test

import (
	"slices"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/store"
)

// The ids of entries given up are all there, or the zero ID says that they are not.
func TestGivenUpIDs(t *testing.T) {
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *store.Tx) error {
		for _, id := range []changelog.ID{{3}, {1}, {2}} {
			if err := tx.GiveUp(store.Parked{ID: id}, time.Unix(0, 0)); err != nil {
				return err
			}
		}
		if all := []changelog.ID{{1}, {2}, {3}}; !slices.Equal(tx.GivenUpIDs(3), all) {
			t.Errorf("all: %v", tx.GivenUpIDs(3))
		}
		if some := []changelog.ID{{}, {1}}; !slices.Equal(tx.GivenUpIDs(2), some) {
			t.Errorf("some: %v", tx.GivenUpIDs(2))
		}
		if !tx.News() {
			t.Error("no heartbeat will tell of it")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestParkedSince promises that it is remembered since when an entry is set aside, however
// often it was tried again, until it is written.
func TestParkedSince(t *testing.T) {
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	id := changelog.ID{1}
	err = s.Update(func(tx *store.Tx) error {
		park := func(at, since int64) {
			t.Helper()
			err := tx.Park(store.Parked{ID: id, Since: time.Unix(at, 0)})
			if p, found, err2 := tx.Parked(id); err != nil || err2 != nil || !found || p.Since.Unix() != since {
				t.Errorf("set aside at %d, %v %v %v", at, p.Since.Unix(), err, err2)
			}
		}
		step := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		step(tx.MarkDirty(id, nil))
		park(1, 1)
		park(2, 1)
		step(tx.Unpark(id))
		step(tx.Unpark(id))
		if tx.ParkedCount() != 0 {
			t.Error("is not tried again")
		}
		park(3, 1)
		step(tx.Unpark(id))
		step(tx.ClearDirty(id))
		park(4, 4)
		step(tx.GiveUp(store.Parked{ID: id}, time.Unix(5, 0)))
		step(tx.MarkDirty(id, nil))
		park(6, 6)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Any entry may differ where the ids are not all known.
func TestDiffers(t *testing.T) {
	var r store.Return
	r.LetDiffer([]changelog.ID{{4}, {2}})
	r.LetDiffer([]changelog.ID{{2}, {3}})
	if want := []changelog.ID{{2}, {3}, {4}}; !slices.Equal(r.GivenUp, want) {
		t.Errorf("given up: %v", r.GivenUp)
	}
	if !r.Differs(changelog.ID{3}) || r.Differs(changelog.ID{5}) {
		t.Error("not those that were given up")
	}
	if r.LetDiffer([]changelog.ID{{}}); !r.Differs(changelog.ID{5}) {
		t.Error("others are not given up")
	}
}
