package replica

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/store"
)

// A refresh that could not begin where the last one ended tells of everything
// there is. What it does not tell of was deleted, or the directory was restored
// from a backup and never had it.

// sweep handles every image that the refresh did not report and that is not
// there: what we wrote after the refresh had begun is, and will be reported.
func (c *capture) sweep(ctx context.Context) error {
	var after changelog.ID
	for {
		var unseen []changelog.ID
		done := false
		err := c.r.view(func(w *work) error {
			images, err := w.Images(after, 500)
			if err != nil {
				return err
			}
			done = len(images) == 0
			for _, m := range images {
				after = m.ID
				if !w.EntrySeen(m.ID) {
					unseen = append(unseen, m.ID)
				}
			}
			return nil
		})
		if err != nil || done {
			return err
		}
		if err := c.sweepUnseen(ctx, unseen); err != nil {
			return err
		}
	}
}

func (c *capture) sweepUnseen(ctx context.Context, ids []changelog.ID) error {
	if len(ids) == 0 {
		return nil
	}
	entries, err := c.r.read(ctx, ids)
	if err != nil {
		return &directoryError{fmt.Errorf("look for what was not reported: %w", err)}
	}
	there := map[changelog.ID]bool{}
	for _, e := range entries {
		there[e.ID] = true
	}
	return c.r.update(func(w *work) error {
		for _, id := range ids {
			if there[id] {
				continue
			}
			lost, err := c.lostByRestore(w, id)
			if err == nil && !lost {
				err = c.gone(w, id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// suspect reports whether the directory may have gone back to an older state.
func (c *capture) suspect() bool { return c.given && !c.resumed && (c.refreshing || c.ending) }

// setLimit notes, where a suspect refresh begins, the newest entryCSN that is
// known, unless an earlier one that did not come to its end has.
func (c *capture) setLimit() error {
	if !c.suspect() || !c.limit.IsZero() {
		return nil
	}
	var after changelog.ID
	for done := false; !done; {
		err := c.r.view(func(w *work) error {
			images, err := w.Images(after, 500)
			done = len(images) == 0
			for _, m := range images {
				if after = m.ID; c.limit.Before(m.CSN) {
					c.limit = m.CSN
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return c.r.update(func(w *work) error { return w.SetLimit(c.limit) })
}

// lostTrack takes over an entry of a directory that was restored from a backup
// older than what was known of the entry, and to which a client has written
// since: nobody can tell what. The view is written over it.
func (w *work) lostTrack(old, now *store.Image) error {
	if err := w.keepUnlessAlike(old, now); err != nil {
		return err
	}
	return errors.Join(w.DropIntent(now.ID), w.putAndSettle(now))
}

// lostByRestore handles an entry that is missing because the directory was
// restored from a backup that is older than it: it is to be written again.
func (c *capture) lostByRestore(w *work, id changelog.ID) (bool, error) {
	if !c.suspect() {
		return false, nil
	}
	m, err := w.Image(id)
	if err != nil || m == nil || m.Gone || !c.horizon.Before(m.CSN) {
		return false, err
	}
	w.r.log.Warn("the directory lacks an entry that is newer than what it holds; it is written again", "dn", w.spell(m))
	return true, errors.Join(w.DropIntent(id), w.dropAndSettle(id))
}
