package store_test

import (
	"errors"
	"slices"
	"testing"

	"ldapsync/changelog"
	"ldapsync/store"
)

func TestUpdatesTellWhatWasReadBefore(t *testing.T) { onEach(t, updatesTellWhatWasReadBefore) }

// Whoever asks for Updates, then reads, and is told the same later, has read what
// still stands: not even within a transaction it is the same as before.
func updatesTellWhatWasReadBefore(t *testing.T, s *store.Store) {
	before := s.Updates()
	if err := s.View(func(*store.Tx) error { return nil }); err != nil || s.Updates() != before {
		t.Errorf("reading changed it: %v", err)
	}
	within := before
	if err := s.Update(func(*store.Tx) error { within = s.Updates(); return nil }); err != nil {
		t.Fatal(err)
	}
	after := s.Updates()
	if within == before || after == within || after == before {
		t.Errorf("before %d, within a transaction %d, after it %d", before, within, after)
	}
	undone := errors.New("undone")
	if err := s.Update(func(*store.Tx) error { return undone }); !errors.Is(err, undone) || s.Updates() == after {
		t.Errorf("one that may have been undone has to count: %v", err)
	}
}

// What is written to one part changes its version and that of no other, before it
// lasts and after.
func TestVersion(t *testing.T) {
	parts := map[string]store.Parts{"reached": store.Reached, "logged": store.Logged, "postponed": store.Postponed, "marked": store.Marked, "told": store.Told}
	hello := &changelog.Change{Seq: 1, CSN: changelog.CSN{Time: 1, SID: 1}, Op: changelog.OpHeartbeat, JID: "a@b", Install: "x"}
	onEach(t, func(t *testing.T, s *store.Store) {
		for _, c := range []struct {
			name  string
			write func(*store.Tx) error
			want  []string
		}{
			{"nothing", func(*store.Tx) error { return nil }, nil},
			{"cookie", func(t *store.Tx) error { return t.SetCookie([]byte("c")) }, nil},
			{"change", func(t *store.Tx) error { return t.Append(hello) }, []string{"logged", "reached", "told"}},
			{"mark", func(t *store.Tx) error { return t.MarkDirty(changelog.ID{1}, nil) }, []string{"marked"}},
			{"unmark", func(t *store.Tx) error { return t.ClearDirty(changelog.ID{1}) }, []string{"marked"}},
			{"postpone", func(t *store.Tx) error { return t.Postpone(hello, changelog.CSN{}) }, []string{"postponed"}},
		} {
			before, within := map[string]uint64{}, map[string]uint64{}
			for name, p := range parts {
				before[name] = s.Version(p)
			}
			update(t, s, func(tx *store.Tx) error {
				for name, p := range parts {
					within[name] = s.Version(p)
				}
				return c.write(tx)
			})
			var got []string
			for name, p := range parts {
				if within[name] != before[name] {
					t.Errorf("%s: the version of what is %s changes before anything is written", c.name, name)
				}
				if s.Version(p) != before[name] {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s changes the versions of %v, want %v", c.name, got, c.want)
			}
		}
		at := s.Version(store.Reached)
		if undone := errors.New("undone"); !errors.Is(s.Update(func(tx *store.Tx) error { return errors.Join(tx.Log.Know(7), undone) }), undone) || s.Version(store.Reached) == at {
			t.Error("what was undone may have been read meanwhile")
		}
	})
}
