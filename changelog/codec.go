package changelog

import (
	"encoding/binary"
	"fmt"

	"ldapsync/octets"
)

// codecVersion is the first byte of every encoded change.
const codecVersion = 1

// Bits of an encoded change.
const (
	flagDeleteOldRDN = 1 << iota
	flagMoved
	flagUndelete
	flagExcept
)

// AppendBinary appends the stored form of c. It implements
// encoding.BinaryAppender and never fails.
func (c *Change) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, codecVersion, byte(c.Op), c.flags())
	b = octets.AppendUint(b, c.Seq)
	b = c.CSN.AppendKey(b)
	b = append(b, c.ID[:]...)
	b = append(b, c.Superior[:]...)
	b = octets.AppendString(b, c.DN)
	b = octets.AppendString(b, c.RDN)
	b = AppendSeqs(b, c.Seen)
	b = octets.AppendUint(b, uint64(len(c.Mods)))
	for _, m := range c.Mods {
		b = append(b, byte(m.Op))
		b = octets.AppendString(b, m.Attr)
		b = octets.AppendStrings(b, m.Values)
	}
	if !c.Op.Alters() {
		b = octets.AppendString(b, c.JID)
		b = octets.AppendString(b, c.Install)
		b = octets.AppendUint(b, uint64(c.Peer))
		b = octets.AppendStrings(b, c.Records)
	}
	if len(c.Except) > 0 {
		b = AppendIDs(b, c.Except)
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
	if len(c.Except) > 0 {
		f |= flagExcept
	}
	return f
}

// UnmarshalBinary reads what AppendBinary wrote and checks it as Check does.
// The change shares nothing with b. Errors wrap ErrChange.
func (c *Change) UnmarshalBinary(b []byte) error {
	r := octets.NewReader(b)
	if v := r.Byte(); v != codecVersion {
		return fmt.Errorf("%w: stored in unknown form %d", ErrChange, v)
	}
	*c = Change{Op: Op(r.Byte())}
	flags := r.Byte()
	c.DeleteOldRDN, c.Moved, c.Undelete = flags&flagDeleteOldRDN != 0, flags&flagMoved != 0, flags&flagUndelete != 0
	c.Seq = r.Uint()
	c.CSN = ReadCSN(r)
	c.ID, c.Superior = ReadID(r), ReadID(r)
	c.DN, c.RDN = r.String(), r.String()
	c.Seen = ReadSeqs(r)
	n := r.Count(3)
	if n > 0 {
		c.Mods = make([]Mod, 0, min(n, 64))
	}
	for ; n > 0; n-- {
		c.Mods = append(c.Mods, Mod{Op: ModOp(r.Byte()), Attr: r.String(), Values: r.Strings()})
	}
	if !c.Op.Alters() {
		c.JID, c.Install = r.String(), r.String()
		c.Peer = SID(min(r.Uint(), 0xffff))
		c.Records = r.Strings()
	}
	if flags&flagExcept != 0 {
		c.Except = ReadIDs(r)
	}
	if err := r.Done(); err != nil {
		return fmt.Errorf("%w: stored form: %w", ErrChange, err)
	}
	return c.Check()
}

// AppendSeqs appends the stored form of s.
func AppendSeqs(b []byte, s Seqs) []byte {
	b = octets.AppendUint(b, uint64(len(s)))
	var few [16]SID
	for _, sid := range s.AppendSIDs(few[:0]) {
		b = octets.AppendUint(octets.AppendUint(b, uint64(sid)), s[sid])
	}
	return b
}

// ReadSeqs reads what AppendSeqs wrote: nil when that was empty.
func ReadSeqs(r *octets.Reader) (s Seqs) {
	for n := r.Count(2); n > 0; n-- {
		if s == nil {
			s = Seqs{}
		}
		sid := r.Uint()
		s[SID(min(sid, 0xffff))] = r.Uint()
	}
	return s
}

// AppendIDs appends the stored form of a list of ids.
func AppendIDs(b []byte, ids []ID) []byte {
	b = octets.AppendUint(b, uint64(len(ids)))
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

// ReadIDs reads what AppendIDs wrote: nil when that was empty.
func ReadIDs(r *octets.Reader) (ids []ID) {
	for n := r.Count(len(ID{})); n > 0; n-- {
		ids = append(ids, ReadID(r))
	}
	return ids
}

// readHead reads what stands first in the stored form of a change: its number,
// its time and its entry. It allocates nothing.
func readHead(b []byte) (id ID, at Mark, err error) {
	if len(b) < 3 || b[0] != codecVersion {
		return id, at, fmt.Errorf("%w: stored form", ErrChange)
	}
	seq, n := binary.Uvarint(b[3:])
	if rest := b[3+max(n, 0):]; n > 0 && len(rest) >= CSNKeySize+len(id) {
		at.Seq = seq
		at.CSN, err = CSNFromKey(rest[:CSNKeySize])
		copy(id[:], rest[CSNKeySize:])
		return id, at, err
	}
	return id, at, fmt.Errorf("%w: stored form", ErrChange)
}

// readName reads the entry and its name from the stored form of a change; the name is
// part of b.
func readName(b []byte) (id ID, name []byte, err error) {
	if len(b) < 3 || b[0] != codecVersion {
		return id, nil, fmt.Errorf("%w: stored form", ErrChange)
	}
	r := octets.NewReader(b[3:])
	r.Uint()
	r.Take(CSNKeySize)
	id = ReadID(r)
	r.Take(len(id)) // the superior
	name = r.Take(r.Count(1))
	if r.Failed() {
		return id, nil, fmt.Errorf("%w: stored form", ErrChange)
	}
	return id, name, nil
}

// ReadCSN reads what CSN.AppendKey wrote.
func ReadCSN(r *octets.Reader) CSN {
	c, err := CSNFromKey(r.Take(CSNKeySize))
	if err != nil {
		r.Fail()
	}
	return c
}

// ReadID reads the 16 bytes of an ID.
func ReadID(r *octets.Reader) (id ID) {
	copy(id[:], r.Take(len(id)))
	return id
}
