package replica

import (
	"math"
	"time"

	"ldapsync/changelog"
	"ldapsync/store"
)

// DefaultKeepLog is how long changes stay in the log, at least, after every
// member has them.
const DefaultKeepLog = 30 * 24 * time.Hour

// trimBatch is how many changes one transaction removes from the log at most.
const trimBatch = 1000

// StepTrim removes from the log, up to a bound, what every member's directory
// contains and is older than the setting asks for, counted back from the oldest
// heartbeat that counts. It returns how many changes it removed; where it is the
// bound of one step, there may be more.
func (r *Replica) StepTrim() (removed int, err error) {
	if !r.joined() || r.Fault() != "" {
		return 0, nil
	}
	at := asOfParts(r.cfg.Store, store.Told|store.Reached|store.Logged)
	if r.trimmedAll.holds(at) {
		return 0, nil
	}
	if young, err := r.logIsYoung(); err != nil || young {
		if err == nil {
			r.trimmedAll.note(at)
		}
		return 0, err
	}
	var upTo changelog.Seqs
	err = r.view(func(w *work) (err error) {
		upTo, err = w.trimmable()
		return err
	})
	if err == nil && len(upTo) == 0 {
		r.trimmedAll.note(at)
	}
	if err != nil || len(upTo) == 0 {
		return 0, err
	}
	err = r.update(func(w *work) error {
		removed = 0
		v, err := w.Log.Vector()
		if err != nil {
			return err
		}
		for _, sid := range v.SIDs() {
			if upTo[sid] == 0 {
				continue
			}
			n, err := w.Log.Trim(sid, upTo[sid], trimBatch-removed)
			if err != nil {
				return err
			}
			removed += n
		}
		return w.Roster().Prune(v)
	})
	return removed, err
}

// age is when the oldest change that is stored was made, in microseconds, while
// the log had changes of so many servers.
type age struct {
	servers int
	oldest  int64
}

// logIsYoung reports whether no change stored is older than the newest by more than
// the setting asks for: then none can go. The first change stored of a server stays
// its first until something is trimmed, so that it is read once.
func (r *Replica) logIsYoung() (bool, error) {
	v, err := r.Vector()
	if err != nil {
		return false, err
	}
	servers := 0
	for _, m := range v {
		servers += int(min(m.Seq, 1))
	}
	before := v.Newest(func(changelog.CSN) bool { return true }).Time - r.cfg.KeepLog.Microseconds()
	if a := r.logAge.Load(); a != nil && a.servers == servers && a.oldest >= before {
		return true, nil
	}
	a := &age{servers: servers, oldest: math.MaxInt64}
	err = r.cfg.Store.View(func(t *store.Tx) error {
		for sid, m := range v {
			if m.Seq == 0 {
				continue
			}
			first, ok, err := t.Log.Oldest(sid)
			if err != nil {
				return err
			}
			if !ok {
				first = m
			}
			a.oldest = min(a.oldest, first.CSN.Time)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	r.logAge.Store(a)
	return a.oldest >= before, nil
}

// trimmable returns up to which change of each server the log may go, looking at
// trimBatch changes of each at most.
func (w *work) trimmable() (changelog.Seqs, error) {
	v, err := w.Log.Vector()
	if err != nil {
		return nil, err
	}
	stable, err := w.Roster().Stable(v)
	if err != nil {
		return nil, err
	}
	before := changelog.CSN{Time: stable.CSN.Time - w.r.cfg.KeepLog.Microseconds()}
	upTo := changelog.Seqs{}
	for sid, last := range stable.Seqs {
		left := trimBatch
		err := w.Log.Marks(sid, func(m changelog.Mark) bool {
			if left--; m.Seq > last || !m.CSN.Before(before) || left < 0 {
				return false
			}
			upTo[sid] = m.Seq
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return upTo, nil
}

// trimEvery is how many seconds pass between looks at what can go from the log,
// maxTrim how much goes at a time.
const (
	trimEvery = 60
	maxTrim   = 20 * trimBatch
)

// trim takes steps of StepTrim as long as there is something to remove.
func (r *Replica) trim() error {
	for all := 0; all < maxTrim; {
		n, err := r.StepTrim()
		if err != nil || n == 0 {
			return err
		}
		r.log.Debug("trimmed the log", "changes", n)
		all += n
	}
	return nil
}
