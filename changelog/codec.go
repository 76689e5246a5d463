package changelog

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// codecVersion is the first byte of every encoded change.
const codecVersion = 1

// Bits of an encoded change.
const (
	flagDeleteOldRDN = 1 << iota
	flagMoved
	flagUndelete
)

// AppendBinary appends the stored form of c. It implements
// encoding.BinaryAppender and never fails.
func (c *Change) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, codecVersion, byte(c.Op), c.flags())
	b = binary.AppendUvarint(b, c.Seq)
	b = c.CSN.AppendKey(b)
	b = append(b, c.ID[:]...)
	b = append(b, c.Superior[:]...)
	b = appendString(b, c.DN)
	b = appendString(b, c.RDN)
	b = binary.AppendUvarint(b, uint64(len(c.Seen)))
	for _, sid := range slices.Sorted(maps.Keys(c.Seen)) {
		b = binary.AppendUvarint(b, uint64(sid))
		b = binary.AppendUvarint(b, c.Seen[sid])
	}
	b = binary.AppendUvarint(b, uint64(len(c.Mods)))
	for _, m := range c.Mods {
		b = append(b, byte(m.Op))
		b = appendString(b, m.Attr)
		b = binary.AppendUvarint(b, uint64(len(m.Values)))
		for _, v := range m.Values {
			b = appendString(b, v)
		}
	}
	return b, nil
}

func (c *Change) flags() (f byte) {
	if c.DeleteOldRDN {
		f |= flagDeleteOldRDN
	}
	if c.Moved {
		f |= flagMoved
	}
	if c.Undelete {
		f |= flagUndelete
	}
	return f
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// UnmarshalBinary reads what AppendBinary wrote and checks it as Check does.
// The change shares nothing with b. Errors wrap ErrChange.
func (c *Change) UnmarshalBinary(b []byte) error {
	r := binaryReader{b: b}
	if v := r.byte(); v != codecVersion {
		return fmt.Errorf("%w: stored in unknown form %d", ErrChange, v)
	}
	*c = Change{Op: Op(r.byte())}
	flags := r.byte()
	c.DeleteOldRDN, c.Moved, c.Undelete = flags&flagDeleteOldRDN != 0, flags&flagMoved != 0, flags&flagUndelete != 0
	c.Seq = r.uvarint()
	c.CSN = r.csn()
	copy(c.ID[:], r.take(len(c.ID)))
	copy(c.Superior[:], r.take(len(c.Superior)))
	c.DN, c.RDN = r.string(), r.string()
	for n := r.count(2); n > 0; n-- {
		if c.Seen == nil {
			c.Seen = Seqs{}
		}
		sid := r.uvarint()
		c.Seen[SID(min(sid, 0xffff))] = r.uvarint()
	}
	for n := r.count(3); n > 0; n-- {
		c.Mods = append(c.Mods, r.mod())
	}
	switch {
	case r.err != nil:
		return r.err
	case len(r.b) > 0:
		return fmt.Errorf("%w: %d bytes too many", ErrChange, len(r.b))
	}
	return c.Check()
}

// binaryReader takes values off the front of b; after the first fault err is
// set and everything reads as zero.
type binaryReader struct {
	b   []byte
	err error
}

func (r *binaryReader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *binaryReader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: stored form is cut or damaged", ErrChange)
	}
	r.b = nil
}

func (r *binaryReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *binaryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads the number of items that follow, each of at least size bytes.
func (r *binaryReader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *binaryReader) string() string { return string(r.take(r.count(1))) }

func (r *binaryReader) csn() CSN {
	b := r.take(CSNKeySize)
	if b == nil {
		return CSN{}
	}
	c, err := CSNFromKey(b)
	if err != nil {
		r.fail()
	}
	return c
}

func (r *binaryReader) mod() Mod {
	m := Mod{Op: ModOp(r.byte()), Attr: r.string()}
	for n := r.count(1); n > 0; n-- {
		m.Values = append(m.Values, r.string())
	}
	return m
}
