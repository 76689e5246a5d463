// Package changelog holds what a replica remembers of the operations of every
// server: change sequence numbers, the clock that issues them, the vector that
// says how far a copy reaches, the changes themselves and their durable log.
//
// It knows neither XMPP nor LDAP servers.
package changelog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// SID is the number of a server within the servers of one suffix, 1 to 4095,
// as OpenLDAP's serverID. It is wider than it need be: what is found by numbers of
// 32 bits is found without hashing them.
type SID uint32

// MaxSID is the largest server number that fits in a CSN.
const MaxSID SID = 0xfff

// String prints the three hexadecimal digits that a CSN shows.
func (s SID) String() string { return fmt.Sprintf("%03x", uint32(s)) }

// Valid reports whether s may be a server's number.
func (s SID) Valid() bool { return s >= 1 && s <= MaxSID }

// CSN is a change sequence number: when and by which server a change was made.
// Its order is total: time, then count, then sid. The zero value is before
// every CSN a server issues.
type CSN struct {
	// Time is in microseconds since 1970-01-01 UTC.
	Time int64
	// Count distinguishes changes of one microsecond; 24 bits.
	Count uint32
	SID   SID
}

// ErrCSN is returned for text that is not a CSN in OpenLDAP's syntax.
var ErrCSN = errors.New("not a CSN")

const (
	csnLayout = "20060102150405.000000Z"
	csnLength = len("20060102150405.000000Z#000000#000#000000")
	maxCount  = 1<<24 - 1
)

var (
	minTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()
)

// ParseCSN reads YYYYmmddHHMMSS.uuuuuuZ#count#sid#mod, the syntax of OpenLDAP's
// entryCSN and contextCSN: count has six, sid three and mod six hexadecimal
// digits, and mod is zero. String prints exactly what ParseCSN accepts.
func ParseCSN(s string) (CSN, error) {
	bad := func(why string) (CSN, error) { return CSN{}, fmt.Errorf("%w: %s: %.60q", ErrCSN, why, s) }
	if len(s) != csnLength || s[22] != '#' || s[29] != '#' || s[33] != '#' {
		return bad("want YYYYmmddHHMMSS.uuuuuuZ#cccccc#sss#000000")
	}
	t, err := time.Parse(csnLayout, s[:22])
	if err != nil {
		return bad("bad time")
	}
	count, err := strconv.ParseUint(s[23:29], 16, 24)
	if err != nil {
		return bad("bad count")
	}
	sid, err := strconv.ParseUint(s[30:33], 16, 12)
	if err != nil {
		return bad("bad sid")
	}
	if s[34:] != "000000" {
		return bad("mod is not 000000")
	}
	c := CSN{Time: t.UnixMicro(), Count: uint32(count), SID: SID(sid)}
	if c.String() != s {
		return bad("not in canonical form")
	}
	return c, nil
}

// String prints c as OpenLDAP does.
func (c CSN) String() string {
	return fmt.Sprintf("%s#%06x#%03x#000000", c.When().Format(csnLayout), c.Count, uint16(c.SID))
}

// When returns the time part of c, in UTC, to the microsecond.
func (c CSN) When() time.Time { return time.UnixMicro(c.Time).UTC() }

// IsZero reports whether c is the zero CSN, which no change has.
func (c CSN) IsZero() bool { return c == CSN{} }

// Compare returns -1, 0 or 1 as c is before, equal to or after d.
func (c CSN) Compare(d CSN) int {
	switch {
	case c.Time != d.Time:
		return cmp.Compare(c.Time, d.Time)
	case c.Count != d.Count:
		return cmp.Compare(c.Count, d.Count)
	}
	return cmp.Compare(c.SID, d.SID)
}

// Before reports whether c is earlier than d.
func (c CSN) Before(d CSN) bool {
	return c.Time < d.Time || c.Time == d.Time && c.Compare(d) < 0
}

// CSNKeySize is the length of a CSN's binary form.
const CSNKeySize = 14

// AppendKey appends the binary form of c, whose byte order is the order of CSNs.
func (c CSN) AppendKey(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(c.Time)^1<<63)
	b = binary.BigEndian.AppendUint32(b, c.Count)
	return binary.BigEndian.AppendUint16(b, uint16(c.SID))
}

// CSNFromKey reads what AppendKey wrote at the start of b.
func CSNFromKey(b []byte) (CSN, error) {
	if len(b) < CSNKeySize {
		return CSN{}, fmt.Errorf("%w: %d bytes", ErrCSN, len(b))
	}
	c := CSN{
		Time:  int64(binary.BigEndian.Uint64(b) ^ 1<<63),
		Count: binary.BigEndian.Uint32(b[8:]),
		SID:   SID(binary.BigEndian.Uint16(b[12:])),
	}
	if c.Time < minTime || c.Time > maxTime || c.Count > maxCount || c.SID > MaxSID {
		return CSN{}, fmt.Errorf("%w: out of range", ErrCSN)
	}
	return c, nil
}

// MarshalText implements encoding.TextMarshaler.
func (c CSN) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *CSN) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCSN(string(b))
	return err
}
