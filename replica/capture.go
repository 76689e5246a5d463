package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/store"
)

// capture takes a run of the directory's reports into the store: what differs
// from the images, and is not our own write coming back, becomes changes of
// this server. All reports of one call stand in one transaction.
type capture struct {
	r *Replica
	// refreshing is true from RefreshBegin to RefreshEnd, resumed when the
	// directory reports only what changed since the cookie.
	refreshing, resumed bool
	// ending is true while what had to wait for the end of a refresh is handled.
	ending bool
	// given says that there was a cookie to resume with; a refresh that does not
	// is suspect: the directory may have been restored from a backup.
	given bool
	// horizon is the newest entryCSN that a suspect refresh has found where it was
	// known to be: what is not newer was there when the backup was made.
	horizon changelog.CSN
	// limit is what the store remembers as Limit: what is newer was written after
	// the backup was restored.
	limit changelog.CSN
}

// report handles the next events in order. RefreshBegin and RefreshEnd come
// alone.
func (c *capture) report(ctx context.Context, events []directory.Event) error {
	c.r.applying.Lock()
	defer c.r.applying.Unlock()
	if len(c.r.doubt) > 0 {
		return &directoryError{ErrDoubt}
	}
	switch first := events[0]; first.Kind {
	case directory.RefreshBegin:
		c.refreshing, c.resumed, c.horizon = true, first.Resumed, changelog.CSN{}
		c.r.live.Store(false)
		return errors.Join(c.beginRefresh(), c.setLimit())
	case directory.RefreshEnd:
		return c.endRefresh(ctx, first)
	}
	return c.r.update(func(w *work) error {
		for _, e := range events {
			if err := c.event(w, w.byRoom(e)); err != nil {
				return err
			}
			if c.refreshing || w.DelayedCount() == 0 {
				continue
			}
			if err := c.retryDelayed(w, 500); err != nil {
				return err
			}
		}
		return nil
	})
}

// beginRefresh forgets what an earlier refresh told. All our writes so far are
// made, so the refresh knows of them.
func (c *capture) beginRefresh() error {
	err := c.r.update(func(w *work) error { return w.ResetRefresh() })
	for n := 1; n > 0 && err == nil; {
		err = c.r.update(func(w *work) (err error) {
			n, err = w.TellAll(500)
			return err
		})
	}
	return err
}

func (c *capture) event(w *work, e directory.Event) error {
	if len(e.Cookie) > 0 && !c.refreshing {
		if err := w.SetCookie(e.Cookie); err != nil {
			return err
		}
	}
	switch e.Kind {
	case directory.Present:
		for _, id := range e.IDs {
			if err := w.SeeEntry(id); err != nil {
				return err
			}
		}
	case directory.Gone:
		for _, id := range e.IDs {
			if err := c.gone(w, id); err != nil {
				return err
			}
		}
	case directory.State:
		return c.state(w, e.Entry)
	}
	return nil
}

// state handles the reported state of an entry, or keeps it for later when its
// superior is not certain yet: in a refresh the superior may be reported after
// it, under a name that meanwhile was another's.
func (c *capture) state(w *work, e *directory.Entry) error {
	name, err := dn.Parse(e.DN)
	if err != nil {
		return fmt.Errorf("report of %s: %w", e.ID, err)
	}
	if c.refreshing {
		if err := w.SeeEntry(e.ID); err != nil {
			return err
		}
	}
	parent, ok := c.locate(w, name)
	if !ok || c.refreshing && c.resumed {
		if old, err := w.Image(e.ID); err != nil || !c.refreshing && old != nil && old.Precedes(e.CSN) {
			return err // old news, whose superior may be gone
		}
		return w.Delay(len(name), e)
	}
	if err := w.DropDelayed(e.ID); err != nil {
		return err
	}
	if moved, err := c.seemsMoved(w, e, parent); err != nil || moved {
		return errors.Join(err, w.Delay(len(name), e))
	}
	return c.place(w, e, parent, name)
}

// seemsMoved reports whether a refresh shows an entry below another than before.
// Only the end of the refresh says that its names are of one moment.
func (c *capture) seemsMoved(w *work, e *directory.Entry, parent changelog.ID) (bool, error) {
	if !c.refreshing {
		return false, nil
	}
	old, err := w.Image(e.ID)
	return err == nil && old != nil && !old.Gone && old.Parent != parent && old.CSN.Compare(e.CSN) <= 0, err
}

// locate finds the superior of a reported name. In a refresh only what it has told
// of, and what need not wait for its end, has the name that is known.
func (c *capture) locate(w *work, name dn.DN) (parent changelog.ID, ok bool) {
	return w.superior(name, func(above changelog.ID, rdnKey string) changelog.ID {
		id := w.Told(above, rdnKey)
		if c.refreshing && !c.resumed && (!w.EntrySeen(id) || w.IsDelayed(id)) {
			return changelog.ID{}
		}
		return id
	})
}

// superior finds the superior of a name, by what named returns for the names
// below an entry.
func (w *work) superior(name dn.DN, named func(changelog.ID, string) changelog.ID) (id changelog.ID, ok bool) {
	above := len(name) - len(w.rules.Suffix)
	if above < 1 {
		return id, above == 0
	}
	id = w.downFrom(id, name[1:above+1], named)
	return id, !id.IsZero()
}

// downFrom finds the entry of a name relative to another, the zero ID above the suffix,
// by what named returns for the names below an entry; the zero ID when there is none.
func (w *work) downFrom(id changelog.ID, name dn.DN, named func(changelog.ID, string) changelog.ID) changelog.ID {
	for _, rdn := range slices.Backward(name) {
		if id = named(id, rdn.Key(w.rules.Schema)); id.IsZero() {
			break
		}
	}
	return id
}

// place takes over the report of an entry whose superior is known.
func (c *capture) place(w *work, e *directory.Entry, parent changelog.ID, name dn.DN) error {
	rdn := name[0]
	now := &store.Image{
		ID: e.ID, Parent: parent, RDN: w.Spelling(rdn), RDNKey: rdn.Key(w.rules.Schema),
		CSN: e.CSN, Confirmed: true, Attrs: e.Attrs,
	}
	old, err := w.Image(e.ID)
	if err != nil {
		return err
	}
	if old != nil {
		if done, err := c.settled(w, old, now); done || err != nil {
			return err
		}
		if c.suspect() && !old.Gone && !w.Same(old, now) {
			if c.refreshing {
				return w.Delay(len(name), e) // until the horizon is known
			}
			if c.horizon.Before(old.CSN) {
				return w.lostTrack(old, now)
			}
		}
	}
	base, err := w.base(old, now, e)
	if err != nil {
		return err
	}
	if base == nil {
		return w.author(nil, now)
	}
	return w.takeOver(base, now, e.Own)
}

// settled deals with a report whose entryCSN says how it is to be taken: it shows what
// is known, or what our own last write left, or is older than one of ours that is on its
// way, or the directory has been set back. It reports whether that was all.
func (c *capture) settled(w *work, old, now *store.Image) (done bool, err error) {
	if old.CSN.IsZero() {
		return false, nil
	}
	switch order := now.CSN.Compare(old.CSN); {
	case order == 0 && !old.Loose && w.Same(old, now):
		if old.Confirmed && c.horizon.Before(old.CSN) && !c.limit.Before(old.CSN) {
			c.horizon = old.CSN
		}
		return true, w.confirm(old)
	case order == 0 && old.Confirmed && old.Unreported:
		return true, w.cameOut(old, now)
	case !c.refreshing && !c.ending && old.Precedes(now.CSN):
		return true, w.tell(old, now)
	case order < 0 && !old.Gone:
		w.r.log.Warn("the directory shows an older state of an entry: its clock was set back, or a backup restored", "id", now.ID, "csn", now.CSN, "known", old.CSN)
		if !c.suspect() && !c.resumed && (c.refreshing || c.ending) {
			return true, w.lostTrack(old, now)
		}
	}
	return false, nil
}

// confirm notes that the entryCSN of an image is that of exactly its state, and
// that the directory has reported it. The name is its own, whatever else was thought to
// have it: a write of ours may have gone below another entry than was meant.
func (w *work) confirm(m *store.Image) error {
	if m.Confirmed && !m.Unreported && m.Below == "" && m.Told == nil && w.Named(m.Parent, m.RDNKey) == m.ID {
		return nil
	}
	m.Confirmed, m.Unreported, m.Below, m.Told = true, false, "", nil
	return w.PutImage(m)
}

// cameOut takes over the report of exactly our own last write. What it shows is
// no client's doing, but where the write named a superior the name may have led
// elsewhere, and a directory may have made something else of the values.
func (w *work) cameOut(wrote, now *store.Image) error {
	base := *wrote
	if wrote.Below == "" {
		now.Parent = base.Parent
	} else {
		base.Parent = now.Parent
	}
	return w.takeOver(&base, now, true)
}

// takeOver makes changes of what leads from base to now, if anything does, and
// now the image. Where base has not the stamps that our own write left, it
// counts whether that was the last.
func (w *work) takeOver(base, now *store.Image, own bool) error {
	if !w.Same(base, now) || base.Loose && !own {
		return w.author(base, now)
	}
	now.Newest = base.Newest
	return w.putAndSettle(now)
}

// tell notes where a report that is older than the image knows the entry. What
// stands in two places in turn by our own writes may be told of in the other still.
func (w *work) tell(m, told *store.Image) error {
	if m.Told == nil && m.Confirmed && !m.Unreported {
		return nil
	}
	m.Unreported = m.Unreported && told.CSN != m.CSN
	m.Told = &store.Place{Parent: told.Parent, RDNKey: told.RDNKey}
	if !m.Gone && *m.Told == (store.Place{Parent: m.Parent, RDNKey: m.RDNKey}) {
		m.Told = nil
	}
	return w.PutImage(m)
}

func (w *work) putAndSettle(m *store.Image) error {
	if err := w.PutImage(m); err != nil {
		return err
	}
	return w.settle(m.ID, m)
}

// gone handles the report that an entry was deleted.
func (c *capture) gone(w *work, id changelog.ID) error {
	if err := w.DropDelayed(id); err != nil {
		return err
	}
	in, err := w.Intent(id)
	if err != nil {
		return err
	}
	old, err := w.Image(id)
	if err != nil {
		return err
	}
	if in != nil {
		if err := w.DropIntent(id); err != nil {
			return err
		}
		if in.Image.Gone {
			if err := w.SetSeen(id, in.Seen); err != nil {
				return err
			}
			return w.dropAndSettle(id)
		}
		if old == nil || old.Gone {
			old = &in.Image
		}
	}
	if old == nil || old.Gone {
		return w.DropImage(id)
	}
	return w.authorDelete(old)
}

func (w *work) dropAndSettle(id changelog.ID) error {
	if err := w.DropImage(id); err != nil {
		return err
	}
	return w.settle(id, nil)
}

// endRefresh handles what had to wait for the whole refresh, then what it did
// not report and therefore is gone, in transactions of bounded size. Only then
// is the cookie stored: after a crash the refresh begins again.
func (c *capture) endRefresh(ctx context.Context, end directory.Event) error {
	c.refreshing, c.ending = false, true
	defer func() { c.ending = false }()
	if c.resumed {
		if err := c.r.update(func(w *work) error { return w.Regain() }); err != nil {
			return err
		}
	}
	for more := true; more; {
		err := c.r.update(func(w *work) error {
			before := w.DelayedCount()
			if err := c.retryDelayed(w, 500); err != nil {
				return err
			}
			more = w.DelayedCount() > 0 && w.DelayedCount() < before
			return nil
		})
		if err != nil {
			return err
		}
	}
	if end.Complete {
		if err := c.sweep(ctx); err != nil {
			return err
		}
	}
	if err := c.dropIntents(); err != nil {
		return err
	}
	return c.r.update(func(w *work) error {
		if len(end.Cookie) > 0 {
			return errors.Join(w.SetLimit(changelog.CSN{}), w.SetCookie(end.Cookie))
		}
		return nil
	})
}

// dropIntents drops what is left of the intents: the refresh has told of every
// entry that changed, so these writes were not made.
func (c *capture) dropIntents() error {
	var after changelog.ID
	for done := false; !done; {
		err := c.r.update(func(w *work) error {
			ids := w.IntentsAfter(after, 500)
			done = len(ids) == 0
			for _, id := range ids {
				after = id
				if w.IsDelayed(id) {
					continue
				}
				if err := w.DropIntent(id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// retryDelayed places the states whose superiors are known by now.
func (c *capture) retryDelayed(w *work, max int) error {
	list, err := w.TakeDelayed(max)
	if err != nil {
		return err
	}
	for _, e := range list {
		name, err := dn.Parse(e.DN)
		if err != nil {
			return fmt.Errorf("report of %s: %w", e.ID, err)
		}
		parent, ok := c.locate(w, name)
		if !ok {
			err = w.Delay(len(name), e)
		} else {
			err = c.place(w, e, parent, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// directoryError marks an error of the directory among those of the store.
type directoryError struct{ error }

func (e *directoryError) Unwrap() error { return e.error }
