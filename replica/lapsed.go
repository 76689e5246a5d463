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
	gone, err := w.beyondRecall(now.ID, base)
	if err == nil && !gone {
		var above *store.Image
		if above, err = w.ImageHead(now.Parent); err == nil {
			gone, err = w.beyondRecall(now.Parent, above)
		}
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

// beyondRecall reports whether others may have forgotten an entry, of which the directory
// held that; of one that nobody has heard of, the entry that it stands below. What the
// directory has held ever since it was deleted nobody has forgotten, if it was not there
// before this server joined: its heartbeats do not cover it.
func (w *work) beyondRecall(id changelog.ID, held *store.Image) (bool, error) {
	for depth := 0; depth < maxDepth && !id.IsZero(); depth++ {
		life, err := w.dit.Life(id)
		if err != nil || life == dit.Live {
			return false, err
		}
		if life == dit.Deleted {
			return w.forgottenByOthers(id, held == nil || held.Gone)
		}
		m, err := w.Image(id)
		if err != nil || m == nil || m.Gone {
			return false, err
		}
		if forgotten(w.r.Identity().Return, m) {
			return true, nil // the room has forgotten it, see unknown
		}
		id = m.Parent
		if held, err = w.ImageHead(id); err != nil {
			return false, err
		}
	}
	return false, nil
}

// forgottenByOthers is beyondRecall of a deleted entry. One that is shown, because of
// what stands below it, is forgotten by nobody. What the directory held when this server
// joined others may have forgotten whatever our heartbeats say: they may not have known
// of us. Fresh says that it did not hold the entry any more.
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
	seen, err := w.seenOf(id, w.r.sid())
	if err != nil {
		return false, err
	}
	_, more := w.claim(seen)
	return more && died.When().Before(w.r.cfg.Now().Add(-tombAge)), nil
}
