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
