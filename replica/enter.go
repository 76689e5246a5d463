package replica

import (
	"errors"
	"time"

	"ldapsync/changelog"
	"ldapsync/store"
)

// Servers that had not heard of this one when it joined may have forgotten, at
// any time since, what every member they knew had in its directory: something
// that this one has stored by then, but need not have in its own directory. So all
// that it makes is later than that and says that it was made knowing that.

// enter makes this server one that takes part, unless the state that its directory
// was matched with has been forgotten meanwhile.
func (r *Replica) enter(m *matching) (entered bool, err error) {
	err = r.update(func(w *work) error {
		if entered = m.refills == r.refills.Load(); !entered {
			return nil
		}
		v, err := w.Log.Vector()
		if err != nil {
			return err
		}
		limit := r.cfg.Now().Add(maxAhead)
		newest := v.Newest(func(c changelog.CSN) bool { return c.When().Before(limit) })
		knows := v.Seqs()
		r.mu.Lock()
		delete(knows, r.identity.SID)
		r.identity.Joined, r.identity.Return, r.identity.Entered = true, m.ret, knows
		id := r.identity
		r.mu.Unlock()
		return errors.Join(w.SetIdentity(id), w.SetClock(r.clock.Next(time.Time{}, newest)))
	})
	r.changed.raise()
	return entered, err
}

// claim returns what a change says that its author had, and whether that is more
// than seen, which its directory contained.
func (w *work) claim(seen changelog.Seqs) (all changelog.Seqs, more bool) {
	for sid, seq := range w.r.Identity().Entered {
		if seen[sid] < seq {
			seen[sid], more = seq, true
		}
	}
	return seen, more
}

// disclaim takes from what a change says that its author had what is stored of the
// entry and not merged yet: others, which have merged it, must not take it for
// forgotten here.
func (w *work) disclaim(c *changelog.Change) error {
	if w.FutureCount() == 0 {
		return nil
	}
	return w.EachFuture(func(f *changelog.Change) bool {
		if f.ID == c.ID && c.Seen.Covers(f.SID(), f.Seq) {
			c.Seen[f.SID()] = f.Seq - 1
		}
		return true
	})
}

// mergeClaiming merges a change that says it knew more than its author had. What it
// takes away of that without having seen it is written down: there is no record.
func (w *work) mergeClaiming(c *changelog.Change, base *store.Image) error {
	before, err := w.viewed(c.ID)
	if err != nil {
		return err
	}
	if err := w.merge(c); err != nil || before == nil {
		return err
	}
	after, err := w.viewed(c.ID)
	if err != nil || !w.Overruled(before, base, after) {
		return err
	}
	return w.keep(before)
}
