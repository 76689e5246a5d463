package changelog

import (
	"sync"
	"time"
)

// Clock issues the CSNs of one server: a hybrid logical clock. A CSN carries
// the time of its change where that is known, and is later than every CSN the
// clock was told of and than every one it issued, however the machine's clock
// jumps. Two clocks that go on from one state, as those of a server and of a copy of
// it do, issue different CSNs, as a rule. It is safe for concurrent use.
type Clock struct {
	sid SID
	now func() time.Time

	mu   sync.Mutex
	last CSN
}

// NewClock returns the clock of server sid. Mark is the last CSN it issued in
// an earlier life; the caller stores every CSN before it lets anyone see it,
// and hands the newest back here.
func NewClock(sid SID, now func() time.Time, mark CSN) *Clock {
	return &Clock{sid: sid, now: now, last: mark}
}

// Copy returns a clock of the same server that has issued the same and goes by
// another time.
func (c *Clock) Copy(now func() time.Time) *Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return NewClock(c.sid, now, c.last)
}

// Next returns a CSN for a change made at the given time (zero: now), later
// than all of after. A time in the future counts as now.
func (c *Clock) Next(at time.Time, after ...CSN) CSN {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if at.IsZero() || at.After(now) {
		at = now
	}
	next := CSN{Time: clampTime(at.UnixMicro()), SID: c.sid}
	for _, a := range append(after, c.last) {
		if next.Compare(a) <= 0 {
			leap := uint32(0)
			if next.Time < a.Time { // else the time tells it from what a copy issues
				leap = uint32(now.UnixNano() % leaps)
			}
			next = successor(a, c.sid, leap)
		}
	}
	c.last = next
	return next
}

// leaps bounds by how much the count of a CSN that cannot have the present time
// exceeds that of the one before.
const leaps = 4093

// successor returns a CSN of sid that is later than a, the first when leap is 0.
func successor(a CSN, sid SID, leap uint32) CSN {
	if count := a.Count + 1 + leap; count <= maxCount {
		return CSN{Time: a.Time, Count: count, SID: sid}
	}
	return CSN{Time: clampTime(a.Time + 1), SID: sid}
}

func clampTime(us int64) int64 { return min(max(us, minTime), maxTime) }
