package dit

import (
	"encoding/binary"
	"time"

	"ldapsync/changelog"
)

// Forgetting says what may be forgotten.
type Forgetting struct {
	// Stable reports whether a change is one that every member's directory
	// contains, so that every change still to come is later and, where it is
	// about the same entry, was made knowing it.
	Stable func(csn changelog.CSN, seq uint64) bool
	// Before is the CSN that every stable change is before, and every change
	// still to come is not. Ages are counted back from it.
	Before changelog.CSN
	// Stored is what the state has been given of every server, Newest the newest
	// CSN of that.
	Stored changelog.Seqs
	Newest changelog.CSN
	// Tombstones is how old a deletion has to be before its entry is forgotten,
	// Records how old what a record of the journal tells of, unless it is settled.
	Tombstones, Records time.Duration
}

func (f Forgetting) stable(at *stamp) bool {
	return at == nil || f.Stable(at.csn, at.seq)
}

// cutoff returns the time before which something is older than age.
func (f Forgetting) cutoff(age time.Duration) int64 { return f.Before.Time - age.Microseconds() }

// retry is how long what could not be forgotten waits for the next attempt.
const retry = 24 * time.Hour

// Forget drops facts that can make no difference any more, of about limit entries
// and moves: neither what is shown, now or after any change still to come, nor
// what is recorded and neither settled nor old depends on them. It reports
// whether there may be more to drop now. Digest depends on it.
func (s *State) Forget(f Forgetting, limit int) (more bool, err error) {
	moves := s.forgetMoves(f, limit)
	due := s.due(f.Before.Time, limit)
	for _, id := range due {
		next := int64(0)
		if e := s.load(id); e != nil {
			next = s.forget(e, f)
		}
		s.unschedule(id)
		if next != 0 {
			s.schedule(id, max(next, f.Before.Time))
		}
	}
	if s.dropped {
		s.put([]byte{keyForgets}, binary.BigEndian.AppendUint64(nil, s.forgets()+1))
		s.dropped = false
	}
	s.flush()
	return moves == limit || len(due) == limit, s.caught()
}

// Forgets returns a number that grows whenever Forget drops something. Records
// that Export returned before and after are not parts of one state.
func (s *State) Forgets() (uint64, error) {
	n := s.forgets()
	return n, s.caught()
}

func (s *State) forgets() uint64 {
	raw := s.kv.Get([]byte{keyForgets})
	if len(raw) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

// forget drops what it can of e and returns when to try again, 0 for never.
func (s *State) forget(e *entry, f Forgetting) (next int64) {
	if e.created == nil {
		return f.Before.Time + retry.Microseconds()
	}
	if !e.node.live && s.erasable(e, f) {
		if s.doomed(e, f) {
			s.erase(e)
			return 0
		}
		return f.Newest.Time
	}
	t := &trimming{state: s, f: f, old: e}
	t.run()
	again := f.Before.Time + retry.Microseconds()
	switch unstable := t.unstable(); {
	case t.now.plain():
		return 0
	case unstable != nil:
		return unstable.csn.Time
	case !t.now.node.live:
		return max(again, t.now.deleted.csn.Time+f.Tombstones.Microseconds())
	case t.kept || t.spills():
		return again
	}
	return 0
}

// unstable returns the newest stamp that is not stable, nil when all are.
func (t *trimming) unstable() *stamp {
	var last *stamp
	t.now.eachStamp(func(at *stamp) {
		if !t.f.stable(at) {
			last = newest(last, at)
		}
	})
	return last
}

// plain reports whether there is nothing to forget of e.
func (e *entry) plain() bool { return e.untouched() && len(e.settled) == 0 }

// expect notes that something of an entry may come to be forgotten; when, Forget
// finds out. Two states with the same facts may differ in it.
func (s *State) expect(id ID) {
	s.setID(keyDoomed, id, false)
	if e := s.peek(id); e != nil && !e.plain() && !s.has(keyDue, id) {
		s.schedule(id, 0)
	}
}

func dueKey(at int64, id ID) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{keyQueue}, uint64(at)), id[:]...)
}

func (s *State) schedule(id ID, at int64) {
	s.put(dueKey(at, id), []byte{})
	s.put(idKey(keyDue, id), binary.BigEndian.AppendUint64(nil, uint64(at)))
}

func (s *State) unschedule(id ID) {
	if raw := s.kv.Get(s.keyAt(keyDue, id)); len(raw) == 8 {
		s.delete(dueKey(int64(binary.BigEndian.Uint64(raw)), id))
		s.delete(s.keyAt(keyDue, id))
	}
}

// due returns up to max entries that are to be looked at.
func (s *State) due(before int64, max int) (ids []ID) {
	s.kv.Scan([]byte{keyQueue}, nil, func(k, _ []byte) bool {
		if len(k) != 1+8+len(ID{}) || int64(binary.BigEndian.Uint64(k[1:])) >= before {
			return false
		}
		ids = append(ids, lastID(k))
		return len(ids) < max
	})
	return ids
}
