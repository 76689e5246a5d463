package memory

import (
	"time"

	"ldapsync/changelog"
)

// clock issues entryCSNs as slapd does: they show the time of the machine, and go back
// when that is set back. A count tells those apart that are not later than all before.
type clock struct {
	now   func() time.Time
	last  int64
	count uint32
	// stamped is what stamp returned for the second of stampedAt.
	stamped   []string
	stampedAt int64
}

func (c *clock) next() changelog.CSN {
	t := c.now().UnixMicro()
	if t > c.last {
		c.last, c.count = t, 0
	} else {
		c.count++
	}
	return changelog.CSN{Time: t, Count: c.count}
}

// stamp returns the present second as the stamps of entries show it, as the values of
// one. They are shared and must not be changed.
func (c *clock) stamp() []string {
	now := c.now().UTC()
	if at := now.Unix(); c.stamped == nil || at != c.stampedAt {
		c.stamped, c.stampedAt = []string{now.Format("20060102150405Z")}, at
	}
	return c.stamped
}
