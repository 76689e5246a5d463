package dit

import (
	"encoding/binary"

	"ldapsync/changelog"
)

// stamp is the change that a fact comes from. Facts of one change share it.
// The nil stamp is earlier than every other.
type stamp struct {
	csn changelog.CSN
	seq uint64
	// seen is what the author had: pairs of sid and sequence number as
	// uvarints, by ascending sid.
	seen string
	// index is the place in the table of stamps that a record is written with.
	index int
}

// before reports whether s is earlier than o.
func (s *stamp) before(o *stamp) bool {
	if s == nil || o == nil {
		return s == nil && o != nil
	}
	return s.csn.Before(o.csn)
}

// newest returns the latest stamp, nil when all are nil.
func newest(stamps ...*stamp) *stamp {
	var max *stamp
	for _, s := range stamps {
		if max.before(s) {
			max = s
		}
	}
	return max
}

// covers reports whether the author of s knew of o when it made s. Its own
// earlier changes it always knew.
func (s *stamp) covers(o *stamp) bool {
	if s.csn.SID == o.csn.SID {
		return o.seq <= s.seq
	}
	for rest := s.seen; rest != ""; {
		sid, n := uvarint(rest)
		seq, m := uvarint(rest[n:])
		if n == 0 || m == 0 {
			return false
		}
		if changelog.SID(sid) == o.csn.SID {
			return o.seq <= seq
		}
		rest = rest[n+m:]
	}
	return false
}

func packSeen(seen changelog.Seqs) string {
	if len(seen) == 0 {
		return ""
	}
	var few [16]changelog.SID
	var room [64]byte
	b := room[:0]
	for _, sid := range seen.AppendSIDs(few[:0]) {
		if seen[sid] > 0 {
			b = binary.AppendUvarint(b, uint64(sid))
			b = binary.AppendUvarint(b, seen[sid])
		}
	}
	return string(b)
}

// uvarint returns the uvarint at the start of s and its length, 0 when there is
// none.
func uvarint(s string) (v uint64, n int) {
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		v |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
