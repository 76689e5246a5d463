package store_test

import (
	"errors"
	"testing"

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
