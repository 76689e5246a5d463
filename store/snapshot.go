package store

import (
	"errors"
	"fmt"

	"ldapsync/changelog"
)

// Snapshot is the progress of a store that is being filled with the state of
// another server, because no log reaches back far enough.
type Snapshot struct {
	// SID and Install say from whom the last page came.
	SID     changelog.SID `json:"sid"`
	Install string        `json:"install"`
	// After and Within are where it ended.
	After  changelog.ID `json:"after"`
	Within []byte       `json:"within,omitempty"`
	// Vector is what all pages together contain, once the last has come: what the
	// server that gives them had at the first; nil before that.
	Vector changelog.Vector `json:"vector"`
	// Records counts those stored.
	Records uint64 `json:"records"`
}

var keySnapshot = []byte("snapshot")

// Snapshot returns the progress of a snapshot, nil when none is being taken.
func (t *Tx) Snapshot() (*Snapshot, error) {
	if t.bucket(bucketMeta).Get(keySnapshot) == nil {
		return nil, nil
	}
	s := new(Snapshot)
	return s, t.getJSON(keySnapshot, s)
}

// SetSnapshot stores the progress of a snapshot; nil ends it.
func (t *Tx) SetSnapshot(s *Snapshot) error {
	if s == nil {
		return t.bucket(bucketMeta).Delete(keySnapshot)
	}
	return t.putJSON(keySnapshot, s)
}

// ResetState forgets everything that came from the room, but for who its servers
// are, and keeps the changes of self. The store must be of a server that has not
// joined.
func (t *Tx) ResetState(self changelog.SID) error {
	var own []*changelog.Change
	if err := t.Log.After(self, 0, func(c *changelog.Change) bool { own = append(own, c); return true }); err != nil {
		return err
	}
	v, err := t.Log.Vector()
	if err != nil {
		return err
	}
	for _, p := range []part{bucketLog, bucketVector, bucketDIT, bucketDirty, bucketQueue, bucketParked, bucketTried, bucketFuture, bucketRoster, bucketAliases} {
		if err := t.bucket(p).Clear(); err != nil {
			return fmt.Errorf("reset state: %w", err)
		}
	}
	// Clearing may have replaced the parts that the log was opened with.
	t.Log = changelog.NewLog(t.bucket(bucketLog), t.bucket(bucketVector))
	for _, sid := range v.SIDs() {
		if err := t.Log.Know(sid); err != nil {
			return err
		}
	}
	for _, c := range own {
		if err := t.Append(c); err != nil {
			return err
		}
	}
	return nil
}

// ErrPostponed says that it is not known how far the state reaches: a change is
// postponed, and the one before it is not stored any more.
var ErrPostponed = errors.New("a change is postponed")

// Merged returns how far the state contains what the log covers: the vector, but
// for each server no further than before its first postponed change.
func (t *Tx) Merged() (changelog.Vector, error) {
	v, err := t.Log.Vector()
	if err != nil {
		return nil, err
	}
	for sid, first := range t.firstPostponed(v) {
		switch {
		case first.Seq == 1:
			v[sid] = changelog.Mark{}
			continue
		case !first.CSN.IsZero():
			v[sid] = changelog.Mark{Seq: first.Seq - 1, CSN: first.CSN}
			continue
		}
		c, err := t.Log.Get(sid, first.Seq-1)
		if err != nil {
			return nil, err
		}
		if c == nil {
			return nil, fmt.Errorf("%w: %s/%d", ErrPostponed, sid, first.Seq)
		}
		v[sid] = changelog.Mark{Seq: c.Seq, CSN: c.CSN}
	}
	return v, nil
}

// MergedSeqs is Merged without the CSNs, which may not be known any more.
func (t *Tx) MergedSeqs() (changelog.Seqs, error) {
	if t.FutureCount() == 0 {
		return t.Log.Seqs()
	}
	v, err := t.Log.Vector()
	if err != nil {
		return nil, err
	}
	seqs := v.Seqs()
	for sid, first := range t.firstPostponed(v) {
		if seqs[sid] = min(seqs[sid], first.Seq-1); seqs[sid] == 0 {
			delete(seqs, sid)
		}
	}
	return seqs, nil
}

// firstPostponed returns the number of the first postponed change of every server
// that has some, with the CSN of the change before it where that is known. It looks
// no further than to the last of them: the changes of a server stand in the order of
// their numbers, and who has said nothing as late as the first has none.
func (t *Tx) firstPostponed(v changelog.Vector) changelog.Vector {
	first, left := changelog.Vector{}, -1
	t.bucket(bucketFuture).Scan(nil, nil, func(k, ref []byte) bool {
		csn, err := changelog.CSNFromKey(k)
		sid, seq, ok := readRef(ref)
		if err != nil || !ok {
			return true
		}
		if left < 0 {
			left = 0
			for _, m := range v {
				if !m.CSN.Before(csn) {
					left++
				}
			}
		}
		if first[sid].Seq == 0 {
			m := changelog.Mark{Seq: seq}
			if before, err := changelog.CSNFromKey(ref[refSize:]); err == nil {
				m.CSN = before
			}
			first[sid] = m
			left--
		}
		return left > 0
	})
	return first
}
