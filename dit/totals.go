package dit

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Counts says how much a state holds.
type Counts struct {
	// Live entries exist, Dead ones are deleted; of either, some may be
	// withheld. Unknown ones are those of which changes have arrived, but not
	// their creation.
	Live, Dead, Unknown uint64
	// Recorded entries have records in the journal; Records are those, by kind
	// in the order of Kinds.
	Recorded uint64
	Records  [NumKinds]uint64
}

// Conflicts returns the number of all records.
func (c Counts) Conflicts() uint64 {
	var sum uint64
	for _, n := range c.Records {
		sum += n
	}
	return sum
}

// totals is what is kept of the state as a whole.
type totals struct {
	sum    sum
	counts Counts
	dirty  bool
	// kinds says that the counts of records have changed.
	kinds bool
}

// sum is the sum of digests modulo 2^256, so that it does not depend on their
// order and one can be taken out again.
type sum [4]uint64

func (s *sum) add(o sum) {
	var carry uint64
	for i := range s {
		s[i], carry = bits.Add64(s[i], o[i], carry)
	}
}

func (s *sum) sub(o sum) {
	var borrow uint64
	for i := range s {
		s[i], borrow = bits.Sub64(s[i], o[i], borrow)
	}
}

// digestOf returns the digest of some bytes, each preceded by its length.
func digestOf(parts ...[]byte) sum {
	size := 0
	for _, p := range parts {
		size += binary.MaxVarintLen64 + len(p)
	}
	b := make([]byte, 0, size)
	for _, p := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
	}
	h := sha256.Sum256(b)
	var out sum
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(h[8*i:])
	}
	return out
}

// count adds delta to the count that an entry of this node belongs to. The zero
// node belongs to none.
func (t *totals) count(n node, delta int64) {
	t.dirty = true
	switch {
	case !n.known:
	case !n.created:
		t.counts.Unknown += uint64(delta)
	case n.live:
		t.counts.Live += uint64(delta)
	default:
		t.counts.Dead += uint64(delta)
	}
}

const totalsSize = 64

// total returns the totals, to be changed in place and stored by flush.
func (s *State) total() *totals {
	if s.totals != nil {
		return s.totals
	}
	t := new(totals)
	s.totals = t
	v := s.kv.Get([]byte{keyTotals})
	if v == nil {
		return t
	}
	if len(v) != totalsSize {
		s.damaged("totals")
		return t
	}
	for i, p := range t.fields() {
		*p = binary.LittleEndian.Uint64(v[8*i:])
	}
	r := reader{rest: string(s.kv.Get([]byte{keyKinds}))}
	for i := range t.counts.Records {
		if r.rest != "" {
			t.counts.Records[i] = r.uvarint()
		}
	}
	if r.err != nil {
		s.fail(r.err)
	}
	return t
}

func (t *totals) fields() []*uint64 {
	return []*uint64{
		&t.sum[0], &t.sum[1], &t.sum[2], &t.sum[3],
		&t.counts.Live, &t.counts.Dead, &t.counts.Unknown, &t.counts.Recorded,
	}
}

// flush stores the totals when they have changed.
func (s *State) flush() {
	t := s.totals
	if t != nil && t.kinds {
		s.flushKinds(t)
	}
	if t == nil || !t.dirty {
		return
	}
	v := s.scratch[:0]
	for _, p := range t.fields() {
		v = binary.LittleEndian.AppendUint64(v, *p)
	}
	t.dirty, s.scratch = false, v
	s.put([]byte{keyTotals}, v)
}

func (s *State) flushKinds(t *totals) {
	t.kinds = false
	if t.counts.Conflicts() == 0 {
		s.delete([]byte{keyKinds})
		return
	}
	var v []byte
	for _, n := range t.counts.Records {
		v = binary.AppendUvarint(v, n)
	}
	s.put([]byte{keyKinds}, v)
}

// Digest returns a digest of all facts, 32 bytes. States that were given the
// same changes have the same, whatever their order and whatever the rules.
func (s *State) Digest() ([]byte, error) {
	sum := s.total().sum
	var out []byte
	for _, word := range sum {
		out = binary.LittleEndian.AppendUint64(out, word)
	}
	return out, s.caught()
}

// Counts returns how much the state holds.
func (s *State) Counts() (Counts, error) {
	counts := s.total().counts
	return counts, s.caught()
}
