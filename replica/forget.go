package replica

import (
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/members"
)

// How long is kept what can make no difference any more, counted back from the
// oldest heartbeat that counts. They are the same on every server, since a
// deleted entry that one has forgotten nobody may bring back.
const (
	tombAge   = 30 * 24 * time.Hour
	recordAge = 365 * 24 * time.Hour
)

// forgetBatch is how many entries and moves one transaction looks at.
const forgetBatch = 200

// StepForget drops, up to a bound, facts of which every member's directory
// contains what came of them, so that they can make no difference any more. It
// reports whether there may be more to drop now.
func (r *Replica) StepForget() (more bool, err error) {
	if !r.joined() || r.Fault() != "" || r.serving() {
		return false, nil
	}
	var news bool
	err = r.view(func(w *work) error {
		s, _, err := w.stable()
		news = err == nil && r.forgotten.Load() != s.CSN.Time
		return err
	})
	if err != nil || !news {
		return false, err
	}
	var until int64
	err = r.update(func(w *work) error {
		s, v, err := w.stable()
		if err != nil {
			return err
		}
		until = s.CSN.Time
		more, err = w.dit.Forget(forgetting(s, v), forgetBatch)
		return err
	})
	if err == nil && !more {
		r.forgotten.Store(until)
	}
	return more, err
}

// stable returns what every member has, and what is stored. What is postponed
// here is still to come, and nothing younger is stable.
func (w *work) stable() (members.Stable, changelog.Vector, error) {
	v, err := w.Log.Vector()
	if err != nil {
		return members.Stable{}, nil, err
	}
	s, err := w.Roster().Stable(v)
	if err != nil {
		return members.Stable{}, nil, err
	}
	first, err := w.FirstPostponed()
	if !first.IsZero() && first.Before(s.CSN) {
		s.CSN = first
	}
	return s, v, err
}

// forgetting says what may be forgotten.
func forgetting(s members.Stable, v changelog.Vector) dit.Forgetting {
	newest := v.Newest(func(changelog.CSN) bool { return true })
	return dit.Forgetting{Stable: s.Covers, Before: s.CSN, Newest: newest, Stored: v.Seqs(), Tombstones: tombAge, Records: recordAge}
}

// forget takes steps of StepForget, a bounded number.
func (r *Replica) forget() error {
	for range 20 {
		if more, err := r.StepForget(); err != nil || !more {
			return err
		}
	}
	return nil
}

// mayBeForgotten reports whether some server may have forgotten an entry that was
// deleted then: none has sooner than our own newest heartbeat lets it.
func (w *work) mayBeForgotten(deleted changelog.CSN) (bool, error) {
	last, err := w.lastBeat()
	return last != nil && deleted.Time < last.Time-tombAge.Microseconds(), err
}

// servingFor is how long after a page of a snapshot the next may be asked for; in
// the meantime nothing is forgotten.
const servingFor = 10 * time.Minute

func (r *Replica) serving() bool {
	since := r.cfg.Now().UnixNano() - r.servedAt.Load()
	return since >= 0 && since < int64(servingFor)
}
