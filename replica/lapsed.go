package replica

import (
	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/store"
)

// What was deleted long ago others may have forgotten, and a change to it they
// would wait for ever to understand. A directory can hold such an entry still: when
// it was restored from a backup.

// lapsed handles the state of an entry that was deleted so long ago that others may
// have forgotten it, or that stands below one that was: nothing of it is recorded.
// It is written down, and the view is put in its place. Base is what the directory
// held before, nil for nothing.
func (w *work) lapsed(base, now *store.Image) (bool, error) {
	if !w.r.Role().Writes() {
		return false, nil
	}
	gone, err := w.beyondRecall(now.ID, base == nil || base.Gone)
	if err == nil && !gone {
		gone, err = w.beyondRecall(now.Parent, false)
	}
	if err != nil || !gone {
		return false, err
	}
	if err := w.markContaining(now.ID, changelog.Seqs{}); err != nil {
		return true, err
	}
	return true, w.undo(now)
}

// undo writes down what a client made of an entry, and has the view put in its place.
func (w *work) undo(now *store.Image) error {
	if err := w.keep(now); err != nil {
		return err
	}
	return w.putAndSettle(now)
}

// beyondRecall reports whether others may have forgotten an entry; of one that
// nobody has heard of, the entry that it stands below. What the directory has held
// ever since it was deleted nobody has forgotten, if it was not there before this
// server joined: its heartbeats do not cover it. Fresh says that it was not held.
func (w *work) beyondRecall(id changelog.ID, fresh bool) (bool, error) {
	for depth := 0; depth < maxDepth && !id.IsZero(); depth++ {
		life, err := w.dit.Life(id)
		if err != nil || life == dit.Live {
			return false, err
		}
		if life == dit.Deleted {
			return w.forgottenByOthers(id, fresh)
		}
		m, err := w.Image(id)
		if err != nil || m == nil || m.Gone {
			return false, err
		}
		if forgotten(w.r.Identity().Return, m) {
			return true, nil // the room has forgotten it, see unknown
		}
		id, fresh = m.Parent, false
	}
	return false, nil
}

// forgottenByOthers is beyondRecall of a deleted entry. One that is shown, because of
// what stands below it, is forgotten by nobody. What the directory held when this server
// joined others may have forgotten whatever our heartbeats say: they may not have known
// of us.
func (w *work) forgottenByOthers(id changelog.ID, fresh bool) (bool, error) {
	if shown, err := w.dit.View(id); err != nil || shown != nil {
		return false, err
	}
	died, err := w.dit.Death(id)
	if err != nil {
		return false, err
	}
	if fresh {
		return w.mayBeForgotten(died)
	}
	before, err := w.heldBefore(id)
	return before && died.When().Before(w.r.cfg.Now().Add(-tombAge)), err
}

// heldBefore reports whether the directory held a deleted entry when this server joined.
// Of one that is gone here by now no image tells: a client may have put others below it
// before that.
func (w *work) heldBefore(id changelog.ID) (bool, error) {
	m, err := w.ImageHead(id)
	if err != nil {
		return false, err
	}
	if m == nil || m.Gone {
		return w.dit.DeletedWithin(id, w.r.Identity().Entered)
	}
	seen, err := w.seenOf(id, w.r.sid())
	if err != nil {
		return false, err
	}
	_, more := w.claim(seen)
	return more, nil
}
