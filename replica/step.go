package replica

import (
	"context"
	"errors"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/store"
)

// The pumps of Run consist of the steps of this file and nothing else, so that
// they can also be taken one by one, in any order and without goroutines, by
// whoever wants to see what becomes of it.

// Capture is one watch of the directory as the capture pump sees it.
type Capture struct {
	r *Replica
	c capture
}

// ErrResync ends a watch so that the next one reads the whole directory.
var ErrResync = errors.New("directory is to be read anew")

// ErrDoubt ends a watch so that the refresh of the next one tells which of our
// writes were made.
var ErrDoubt = errors.New("it is not known what was written to the directory")

// BeginCapture begins a watch; cookie is what to resume with, nil to read the
// whole directory. The watch before must have ended.
func (r *Replica) BeginCapture() (c *Capture, cookie []byte, err error) {
	select {
	case <-r.doubt:
	default:
	}
	r.applying.Lock() // what is being written now might be missing in a refresh that begins now
	r.live.Store(false)
	r.applying.Unlock()
	if cookie, err = r.cookie(); err != nil {
		return nil, nil, &storeError{err}
	}
	c = &Capture{r: r, c: capture{r: r}}
	err = r.cfg.Store.View(func(t *store.Tx) (err error) {
		known := false
		if len(t.Cookie()) == 0 { // not even the first refresh came to its end
			images, err := t.Images(changelog.ID{}, 1)
			if known = len(images) > 0; err != nil {
				return err
			}
		}
		c.c.limit, err = t.Limit()
		c.c.given = len(cookie) > 0 || known || !c.c.limit.IsZero()
		return err
	})
	if err != nil {
		return nil, nil, &storeError{err}
	}
	return c, cookie, nil
}

// Step captures the next reports of the directory, those between a refresh's
// begin and end in one transaction. After an error the watch must be ended.
func (c *Capture) Step(ctx context.Context, events []directory.Event) error {
	select {
	case <-c.r.resync:
		c.r.resync.raise()
		return ErrResync
	case <-c.r.doubt:
		return ErrDoubt
	default:
	}
	for len(events) > 0 {
		n := 1
		for !border(events[0]) && n < len(events) && !border(events[n]) {
			n++
		}
		if err := c.r.captureEvents(ctx, &c.c, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// End notes that the watch is over, and why.
func (c *Capture) End(why error) {
	c.r.live.Store(false)
	c.r.setDirectoryError(why)
}

// StepApply writes one batch of what is marked to the directory. It returns
// false when there was nothing it could do, and the entries that wait for the
// directory to report our last write to them.
func (r *Replica) StepApply(ctx context.Context) (progress bool, unconfirmed []changelog.ID, err error) {
	progress, unconfirmed, err = r.apply(ctx)
	if err == nil && !progress && len(unconfirmed) == 0 {
		r.releaseHeld()
	}
	return progress, unconfirmed, err
}

// StepConfirm reads entries whose last write the directory has not reported
// for a while, so that a report that never comes does not hold them up.
func (r *Replica) StepConfirm(ctx context.Context, ids []changelog.ID) error {
	return r.confirm(ctx, ids)
}

// StepTime, taken every second, does what waits for time to pass: parked
// entries, changes from the future, reports that cannot be placed; and for the
// right to remove earlier selves.
func (r *Replica) StepTime() error {
	return errors.Join(r.retryParked(), r.mergeDueIfAny(), r.giveUpDelayed(), r.retireLate())
}

// delayLimit is how many seconds reports may wait for that of their superior
// before the directory is read anew: it ought to have come with them.
const delayLimit = 30

func (r *Replica) giveUpDelayed() error {
	waiting := false
	err := r.cfg.Store.View(func(t *store.Tx) error {
		waiting = t.DelayedCount() > 0
		return nil
	})
	if !waiting || !r.live.Load() {
		r.delayed.Store(0)
	} else if r.delayed.Add(1) >= delayLimit {
		r.delayed.Store(0)
		r.log.Warn("the directory has reported entries whose superiors it did not report; reading it anew")
		r.resync.raise()
	}
	return err
}

// StepSchema takes the directory's schema into use where it has changed.
func (r *Replica) StepSchema(ctx context.Context) { r.checkSchema(ctx) }
