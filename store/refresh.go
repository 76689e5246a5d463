package store

import (
	"encoding/binary"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/octets"
)

// ResetRefresh forgets what an earlier refresh of the directory had reported.
func (t *Tx) ResetRefresh() error {
	if err := t.bucket(bucketSeen).Clear(); err != nil {
		return err
	}
	return t.bucket(bucketDelayed).Clear()
}

// SeeEntry notes that the refresh has reported an entry.
func (t *Tx) SeeEntry(id changelog.ID) error { return t.bucket(bucketSeen).Put(id[:], []byte{}) }

// EntrySeen reports whether the refresh has reported an entry.
func (t *Tx) EntrySeen(id changelog.ID) bool { return t.bucket(bucketSeen).Get(id[:]) != nil }

// Delay keeps a reported state until its superior is known. Depth is the
// number of RDNs of its name: superiors come first.
func (t *Tx) Delay(depth int, e *directory.Entry) error {
	b := octets.AppendString(e.ID[:], e.DN)
	b = e.CSN.AppendKey(b)
	b = octets.AppendUint(b, uint64(len(e.Attrs)))
	for _, a := range e.Attrs {
		b = octets.AppendStrings(octets.AppendString(b, a.Name), a.Values)
	}
	key := append(binary.BigEndian.AppendUint16(nil, uint16(min(depth, 0xffff))), e.ID[:]...)
	return t.bucket(bucketDelayed).Put(key, b)
}

// TakeDelayed returns and forgets up to max delayed states, superiors first.
func (t *Tx) TakeDelayed(max int) ([]*directory.Entry, error) {
	var out []*directory.Entry
	b := t.bucket(bucketDelayed)
	for k, raw := first(b); k != nil && len(out) < max; k, raw = first(b) {
		r := octets.NewReader(raw)
		e := &directory.Entry{ID: changelog.ReadID(r), DN: r.String(), CSN: changelog.ReadCSN(r)}
		for n := r.Count(2); n > 0; n-- {
			e.Attrs = append(e.Attrs, directory.Attribute{Name: r.String(), Values: r.Strings()})
		}
		if err := r.Done(); err != nil {
			return nil, fmt.Errorf("read delayed entry %x: %w", k, err)
		}
		out = append(out, e)
		if err := b.Delete(k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// DelayedCount returns the number of delayed states.
func (t *Tx) DelayedCount() int { return t.count(bucketDelayed) }
