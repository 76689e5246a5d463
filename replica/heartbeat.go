package replica

import (
	"time"

	"ldapsync/changelog"
	"ldapsync/store"
)

// Heartbeats say how much of the log our directory contains, so that everybody
// knows what everybody has and may be forgotten. They are made no more often
// than every beatAfter when there was news, and every beatIdle when there was none.
const (
	beatAfter = time.Minute
	beatIdle  = 12 * time.Hour
)

// StepHeartbeat, taken now and then, makes a heartbeat when it is time for one.
// It returns whether it made one.
func (r *Replica) StepHeartbeat() (made bool, err error) {
	if !r.Identity().Joined || r.Fault() != "" || !r.live.Load() {
		return false, nil
	}
	now := r.cfg.Now()
	if at := r.beatAt.Load(); at != 0 && now.UnixNano() < at && now.UnixNano() > at-2*int64(beatIdle) {
		return false, nil
	}
	err = r.update(func(w *work) error {
		last, err := w.lastBeat()
		if err != nil {
			return err
		}
		made = false
		if wait := w.untilBeat(last, now); wait > 0 {
			r.beatAt.Store(now.Add(wait).UnixNano())
			return nil
		}
		made, err = w.beat()
		return err
	})
	if made {
		r.toPublish.raise()
		r.changed.raise()
	}
	return made, err
}

// untilBeat returns how long to wait for the next heartbeat, and never longer
// than until news would be worth one.
func (w *work) untilBeat(last *changelog.CSN, now time.Time) time.Duration {
	if last == nil {
		return 0
	}
	since := now.Sub(last.When())
	switch {
	case since < 0, since >= beatIdle, w.News() && since >= beatAfter:
		return 0
	case w.News():
		return beatAfter - since
	}
	return min(beatAfter, beatIdle-since)
}

// lastBeat returns when we made the last heartbeat, nil when none of this install.
func (w *work) lastBeat() (*changelog.CSN, error) {
	v, err := w.Log.Vector()
	if err != nil {
		return nil, err
	}
	h, err := w.Roster().Beat(w.r.Identity().SID, v)
	if err != nil || h == nil {
		return nil, err
	}
	return &h.CSN, nil
}

// beat makes a heartbeat, unless too much waits to be written to the directory.
func (w *work) beat() (bool, error) {
	applied, known, err := w.Applied(w.r.Identity().SID)
	if err != nil || !known {
		return false, err
	}
	return true, w.note(&changelog.Change{Op: changelog.OpHeartbeat, Seen: applied})
}

// hello makes the first heartbeat of this install, by which the others know of
// it; it contains nothing yet. Seq is its number, also when it was made before.
func (w *work) hello() (seq uint64, err error) {
	id := w.r.Identity()
	if id.Hello != 0 {
		return id.Hello, nil
	}
	c := &changelog.Change{Op: changelog.OpHeartbeat, JID: id.JID, Install: id.Install}
	if err := w.note(c); err != nil {
		return 0, err
	}
	id.Hello = c.Seq
	return c.Seq, w.SetIdentity(id)
}

// note numbers and stores a change of this server that alters no entry.
func (w *work) note(c *changelog.Change) error {
	mark, err := w.Log.Mark(w.r.Identity().SID)
	if err != nil {
		return err
	}
	c.Seq, c.CSN = mark.Seq+1, w.r.clock.Next(time.Time{}, mark.CSN)
	if err := w.Append(c); err != nil {
		return err
	}
	if c.Op == changelog.OpHeartbeat {
		if err := w.SetNews(false); err != nil {
			return err
		}
	}
	return w.SetClock(c.CSN)
}

// greet makes the hello of a server that is about to join, and reports whether a
// server that is ready has stored it: from then on nothing is forgotten that
// this one has not. Joining also needs what that server had by then.
func (r *Replica) greet() (known bool, err error) {
	var seq uint64
	if r.Identity().Hello == 0 {
		if err := r.update(func(w *work) error { _, err := w.hello(); return err }); err != nil {
			return false, err
		}
		if err := r.reloadIdentity(); err != nil {
			return false, err
		}
		r.toPublish.raise()
	}
	id := r.Identity()
	seq = id.Hello
	for _, p := range r.Peers() {
		if !p.outside() && p.Role.Writes() && p.Vector[id.SID].Seq >= seq {
			return true, nil
		}
	}
	return false, nil
}

func (r *Replica) reloadIdentity() error {
	return r.cfg.Store.View(func(t *store.Tx) error {
		id, err := t.Identity()
		if err == nil {
			r.mu.Lock()
			r.identity = id
			r.mu.Unlock()
		}
		return err
	})
}
