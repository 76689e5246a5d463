package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/store"
)

// Run works until ctx ends and returns nil then. It returns an error when the
// store fails, since nothing is safe without it, and ErrAgain when the store is an
// old copy.
func (r *Replica) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.awaitAgain(ctx) })
	g.Go(func() error { return r.pump(ctx, r.toPull, 5*time.Second, within(pullTime, r.StepPull)) })
	g.Go(func() error { return r.pump(ctx, r.toPublish, 5*time.Second, r.StepPublish) })
	g.Go(func() error {
		if err := r.join(ctx); err != nil {
			return nil
		}
		close(r.ready)
		r.changed.raise()
		g.Go(func() error { return r.watch(ctx) })
		g.Go(func() error { return r.applyPump(ctx) })
		g.Go(func() error { return r.keepTime(ctx) })
		return nil
	})
	return g.Wait()
}

// pump repeats step while it makes progress, then waits for its signal or for
// idle. Temporary errors wait as idle does.
func (r *Replica) pump(ctx context.Context, s signal, idle time.Duration, step func(context.Context) (bool, error)) error {
	for ctx.Err() == nil {
		more, err := step(ctx)
		if err != nil && ctx.Err() == nil && !offline(err) {
			r.log.Warn("will try again", "error", err)
		}
		if err != nil {
			r.wait(ctx, jitter(idle/5), nil)
			continue
		}
		if !more {
			r.wait(ctx, idle, s)
		}
	}
	return nil
}

// pullTime is how long a peer has for one page.
const pullTime = 30 * time.Second

// within bounds the time of each step.
func within(d time.Duration, step func(context.Context) (bool, error)) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return step(ctx)
	}
}

// wait returns true when the signal was raised or the time has passed, false
// when ctx has ended.
func (r *Replica) wait(ctx context.Context, d time.Duration, s <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-s:
	case <-t.C:
	}
	return ctx.Err() == nil
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// watch is the capture pump.
func (r *Replica) watch(ctx context.Context) error {
	for delay := 250 * time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
		if r.Fault() != "" {
			r.wait(ctx, time.Second, nil)
			continue
		}
		began := time.Now()
		err := r.watchOnce(ctx)
		r.live.Store(false)
		if ctx.Err() != nil {
			break
		}
		var broken *storeError
		if errors.As(err, &broken) {
			return broken.error
		}
		r.setDirectoryError(err)
		if time.Since(began) > time.Minute {
			delay = 250 * time.Millisecond
		}
		r.wait(ctx, jitter(delay), nil)
	}
	return nil
}

// storeError marks an error of our own store, which trying again will not mend.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

// watchOnce follows the directory until it, or ctx, ends. The reports pass
// through a short queue, so that those which arrived while the last were stored
// share one transaction.
func (r *Replica) watchOnce(ctx context.Context) error {
	c, cookie, err := r.BeginCapture()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	events := make(chan directory.Event, 256)
	g.Go(func() error {
		defer close(events)
		return r.cfg.Directory.Watch(ctx, cookie, func(e directory.Event) error {
			select {
			case events <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	g.Go(func() error { return r.captureAll(ctx, c, events) })
	return g.Wait()
}

// cookie returns what to resume with, nil after a request to read everything.
func (r *Replica) cookie() (cookie []byte, err error) {
	select {
	case <-r.resync:
		return nil, nil
	default:
	}
	err = r.view(func(w *work) error {
		cookie = w.Cookie()
		return nil
	})
	return cookie, err
}

func (r *Replica) captureAll(ctx context.Context, c *Capture, events <-chan directory.Event) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.resync:
			r.resync.raise()
			return ErrResync
		case <-r.doubt:
			return ErrDoubt
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if err := c.Step(ctx, waiting(e, events)); err != nil {
				return err
			}
		}
	}
}

// maxRun is the number of reports that share one transaction.
const maxRun = 256

// waiting returns e and whatever waits behind it.
func waiting(e directory.Event, events <-chan directory.Event) []directory.Event {
	run := []directory.Event{e}
	for len(run) < maxRun {
		select {
		case next, ok := <-events:
			if !ok {
				return run
			}
			run = append(run, next)
		default:
			return run
		}
	}
	return run
}

func border(e directory.Event) bool {
	return e.Kind == directory.RefreshBegin || e.Kind == directory.RefreshEnd
}

func (r *Replica) captureEvents(ctx context.Context, c *capture, run []directory.Event) error {
	var away *directoryError
	switch err := c.report(ctx, run); {
	case errors.As(err, &away):
		return err
	case err != nil:
		return &storeError{err}
	}
	if run[0].Kind == directory.RefreshEnd {
		if err := r.refreshed(); err != nil {
			return &storeError{err}
		}
	}
	r.releaseHeld()
	r.captured.raise()
	r.toPublish.raise()
	r.toApply.raise()
	r.changed.raise()
	return nil
}

// refreshed notes that the directory's reports are complete. Only then may
// anything be written to it: of a directory that was not taken over yet, what it
// lacks would be written before it counts as deleted.
func (r *Replica) refreshed() error {
	if err := errors.Join(r.takenOver(), r.owe()); err != nil {
		return err
	}
	r.live.Store(true)
	r.mu.Lock()
	r.followed = true
	r.mu.Unlock()
	r.setDirectoryError(nil)
	return nil
}

// takenOver ends the taking over of a directory that has been read to the end.
func (r *Replica) takenOver() error {
	if r.Identity().Adopted {
		return nil
	}
	if err := errors.Join(r.dropIdleAliases(), r.deleteMissing(), r.retire()); err != nil {
		return err
	}
	return r.setIdentity(func(id *store.Identity) { id.Adopted = true })
}

func (r *Replica) setDirectoryError(err error) {
	r.mu.Lock()
	news := (err == nil) != (r.dirErr == nil)
	r.dirErr = err
	r.mu.Unlock()
	if news && err != nil {
		r.log.Warn("directory is away", "error", err)
	} else if news {
		r.log.Info("directory is back")
	}
	r.changed.raise()
}

// applyPump writes marked entries to the directory.
func (r *Replica) applyPump(ctx context.Context) error {
	for ctx.Err() == nil {
		more, unconfirmed, err := r.StepApply(ctx)
		switch {
		case err != nil:
			if ctx.Err() == nil && !errors.Is(err, directory.ErrUnavailable) {
				r.log.Warn("apply will try again", "error", err)
			}
			r.wait(ctx, jitter(time.Second), nil)
		case len(unconfirmed) > 0:
			r.awaitReport(ctx, unconfirmed)
		case !more:
			r.wait(ctx, time.Second, r.toApply)
		}
	}
	return nil
}

func (r *Replica) awaitReport(ctx context.Context, ids []changelog.ID) {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-r.captured:
	case <-t.C:
		if err := r.StepConfirm(ctx, ids); err != nil && ctx.Err() == nil {
			r.log.Warn("confirm writes", "error", err)
		}
	}
}

// keepTime does what waits for time to pass: parked entries, changes from the
// future, a changed schema.
func (r *Replica) keepTime(ctx context.Context) error {
	for n := 0; r.wait(ctx, time.Second, nil); n++ {
		_, beat := r.StepHeartbeat()
		if err := errors.Join(r.StepTime(), beat); err != nil {
			r.log.Error("timed work", "error", err)
		}
		if n%schemaEvery == 0 {
			r.StepSchema(ctx)
		}
		if n%trimEvery == trimEvery-1 {
			if err := r.trim(); err != nil {
				r.log.Error("trim the log", "error", err)
			}
			if err := r.forget(); err != nil {
				r.log.Error("forget", "error", err)
			}
		}
	}
	return nil
}

// schemaEvery is how many seconds pass between looks at the schema.
const schemaEvery = 3

func (r *Replica) checkSchema(ctx context.Context) {
	if !r.live.Load() {
		return
	}
	s, err := r.cfg.Directory.Schema(ctx)
	if err != nil {
		return
	}
	if s.Digest() == r.Identity().SchemaDigest {
		return
	}
	if err := r.useSchema(s); err != nil {
		r.log.Error("take the new schema into use", "error", err)
	}
}
