package changelog

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Mark is how far a copy reaches in the changes of one server: the sequence
// number of the last change of the gapless prefix it stores, and its CSN. The
// zero Mark says that the server is known and that nothing of it is stored.
type Mark struct {
	Seq uint64
	CSN CSN
}

// Vector is how far a copy reaches in the changes of every server. The nil
// Vector reaches nowhere and may be read.
type Vector map[SID]Mark

// Clone returns a copy that shares nothing with v; never nil.
func (v Vector) Clone() Vector {
	c := make(Vector, len(v))
	maps.Copy(c, v)
	return c
}

// SIDs returns the servers of v in ascending order.
func (v Vector) SIDs() []SID {
	list := slices.AppendSeq(make([]SID, 0, len(v)), maps.Keys(v))
	slices.Sort(list)
	return list
}

// Covers reports whether the change seq of sid is within v.
func (v Vector) Covers(sid SID, seq uint64) bool { return seq <= v[sid].Seq }

// Lacks reports whether other reaches further than v for some server.
func (v Vector) Lacks(other Vector) bool {
	for sid, m := range other {
		if m.Seq > v[sid].Seq {
			return true
		}
	}
	return false
}

// Newest returns the latest of the CSNs of v that count, zero for none.
func (v Vector) Newest(counts func(CSN) bool) (newest CSN) {
	for _, m := range v {
		if newest.Before(m.CSN) && counts(m.CSN) {
			newest = m.CSN
		}
	}
	return newest
}

// Seqs returns the sequence numbers of v, leaving out servers of which nothing
// is stored.
func (v Vector) Seqs() Seqs {
	s := make(Seqs, len(v))
	for sid, m := range v {
		if m.Seq > 0 {
			s[sid] = m.Seq
		}
	}
	return s
}

// ContextCSN returns the CSNs of v by ascending sid, as the values of
// OpenLDAP's contextCSN. Servers of which nothing is stored have none.
func (v Vector) ContextCSN() []string {
	var out []string
	for _, sid := range v.SIDs() {
		if m := v[sid]; m.Seq > 0 {
			out = append(out, m.CSN.String())
		}
	}
	return out
}

// String prints sid:seq pairs by ascending sid, for people.
func (v Vector) String() string { return v.Seqs().String() }

// Seqs is a vector of sequence numbers alone: what the author of a change had
// in its directory when the change was made. A server not named stands at 0.
type Seqs map[SID]uint64

// Covers reports whether the change seq of sid is within s.
func (s Seqs) Covers(sid SID, seq uint64) bool { return seq <= s[sid] }

// SIDs returns the servers of s in ascending order.
func (s Seqs) SIDs() []SID { return s.AppendSIDs(make([]SID, 0, len(s))) }

// AppendSIDs appends the servers of s to list, which it sorts.
func (s Seqs) AppendSIDs(list []SID) []SID {
	for sid := range s {
		list = append(list, sid)
	}
	slices.Sort(list)
	return list
}

// String prints "2:40,3:7", sids in decimal and ascending; "" when empty.
func (s Seqs) String() string {
	var b strings.Builder
	for i, sid := range s.SIDs() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(sid), 10))
		b.WriteByte(':')
		b.WriteString(strconv.FormatUint(s[sid], 10))
	}
	return b.String()
}
