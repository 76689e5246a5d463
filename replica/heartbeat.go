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
	if !r.joined() || r.Fault() != "" || !r.live.Load() {
		return false, nil
	}
	now := r.cfg.Now()
	if at := r.beatAt.Load(); at != 0 && now.UnixNano() < at && now.UnixNano() > at-2*int64(beatIdle) {
		return false, nil
	}
	var wait time.Duration
	err = r.view(func(w *work) error {
		last, err := w.lastBeat()
		wait = w.untilBeat(last, now)
		return err
	})
	if err != nil {
		return false, err
	}
	if wait > 0 {
		r.beatAt.Store(now.Add(wait).UnixNano())
		return false, nil
	}
	err = r.update(func(w *work) (err error) {
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
	h, err := w.Roster().Beat(w.r.sid(), v)
	if err != nil || h == nil {
		return nil, err
	}
	return &h.CSN, nil
}

// beat makes a heartbeat, unless too much waits to be written to the directory.
func (w *work) beat() (bool, error) {
	applied, known, err := w.Applied(w.r.sid())
	if err != nil || !known {
		return false, err
	}
	return true, w.heartbeat(applied)
}

// heartbeat stores one that says that the directory contains applied, but for what
// an administrator let differ. The first of an install says whose it is.
func (w *work) heartbeat(applied changelog.Seqs) error {
	id := w.r.Identity()
	c := &changelog.Change{Op: changelog.OpHeartbeat, Seen: applied, Except: w.GivenUpIDs(changelog.MaxExcept)}
	self, err := w.Roster().Member(id.SID)
	if err != nil {
		return err
	}
	if self.Install != id.Install {
		c.JID, c.Install = id.JID, id.Install
	}
	return w.note(c)
}

// note numbers and stores a change of this server that alters no entry.
func (w *work) note(c *changelog.Change) error {
	mark, err := w.Log.Mark(w.r.sid())
	if err != nil {
		return err
	}
	c.Seq, c.CSN = mark.Seq+1, w.r.clock.Next(time.Time{}, mark.CSN)
	if err := w.issue(c); err != nil || c.Op != changelog.OpHeartbeat {
		return err
	}
	return w.SetNews(false)
}

// issue stores a change of this server, which has its number and time.
func (w *work) issue(c *changelog.Change) error {
	if err := w.SetClock(c.CSN); err != nil {
		return err
	}
	return w.Append(c)
}

// Speaks reports whether this server has something to publish: it takes part, or
// has said hello to do so.
func (r *Replica) Speaks() (bool, error) {
	if r.joined() {
		return true, nil
	}
	v, err := r.Vector()
	return v[r.sid()].Seq > 0, err
}

// greet makes the first heartbeat of a server that is about to join, which
// contains nothing yet, and reports whether it is stored by a server that may
// hand over its state: once this one has what that server had by then, nothing
// that it may lack is forgotten any more.
func (r *Replica) greet() (known bool, err error) {
	id := r.Identity()
	speaks, err := r.Speaks()
	if err != nil {
		return false, err
	}
	if !speaks {
		if err := r.update(func(w *work) error { return w.heartbeat(nil) }); err != nil {
			return false, err
		}
	}
	v, err := r.Vector()
	if err != nil {
		return false, err
	}
	for _, p := range r.Peers() {
		if ours := v[id.SID]; !p.outside() && p.Role.Writes() && ours.Seq > 0 && p.Vector[id.SID] == ours {
			return true, nil
		}
	}
	return false, r.repeatHello()
}

// repeatHello publishes again every now and then: those who were not subscribed
// yet missed the first time.
func (r *Replica) repeatHello() error {
	defer r.toPublish.raise()
	if r.greeted++; r.greeted%greetEvery != 1 {
		return nil
	}
	r.changed.raise()
	return r.cfg.Store.Update(func(t *store.Tx) error { return t.SetPublished(0) })
}

// greetEvery is how often a server that joins looks whether it is known before
// it says hello again.
const greetEvery = 10
