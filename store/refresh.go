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

// The delayed states stand under their depth and id, and their depths under
// their ids.
const (
	delayedState = 's'
	delayedDepth = 'd'
)

// Delay keeps a reported state, in place of an earlier one of the entry, until
// its superior is known. Depth is the number of RDNs of its name: superiors come
// first.
func (t *Tx) Delay(depth int, e *directory.Entry) error {
	if err := t.DropDelayed(e.ID); err != nil {
		return err
	}
	v := octets.AppendString(e.ID[:], e.DN)
	v = e.CSN.AppendKey(v)
	own := byte(0)
	if e.Own {
		own = 1
	}
	v = octets.AppendUint(append(v, own), uint64(len(e.Attrs)))
	for _, a := range e.Attrs {
		v = octets.AppendStrings(octets.AppendString(v, a.Name), a.Values)
	}
	at := binary.BigEndian.AppendUint16(nil, uint16(min(depth, 0xffff)))
	if err := t.bucket(bucketDelayed).Put(append([]byte{delayedDepth}, e.ID[:]...), at); err != nil {
		return err
	}
	return t.bucket(bucketDelayed).Put(delayedKey(at, e.ID), v)
}

func delayedKey(depth []byte, id changelog.ID) []byte {
	return append(append([]byte{delayedState}, depth...), id[:]...)
}

// DropDelayed forgets the delayed state of an entry, if there is one.
func (t *Tx) DropDelayed(id changelog.ID) error {
	b := t.bucket(bucketDelayed)
	key := append([]byte{delayedDepth}, id[:]...)
	depth := b.Get(key)
	if depth == nil {
		return nil
	}
	if err := b.Delete(delayedKey(depth, id)); err != nil {
		return err
	}
	return b.Delete(key)
}

// IsDelayed reports whether a state of an entry is delayed.
func (t *Tx) IsDelayed(id changelog.ID) bool {
	return t.bucket(bucketDelayed).Get(append([]byte{delayedDepth}, id[:]...)) != nil
}

// TakeDelayed returns and forgets up to max delayed states, superiors first.
func (t *Tx) TakeDelayed(max int) ([]*directory.Entry, error) {
	var out []*directory.Entry
	var err error
	t.bucket(bucketDelayed).Scan([]byte{delayedState}, nil, func(k, raw []byte) bool {
		r := octets.NewReader(raw)
		e := &directory.Entry{ID: changelog.ReadID(r), DN: r.String(), CSN: changelog.ReadCSN(r), Own: r.Byte() == 1}
		for n := r.Count(2); n > 0; n-- {
			e.Attrs = append(e.Attrs, directory.Attribute{Name: r.String(), Values: r.Strings()})
		}
		if e := r.Done(); e != nil {
			err = fmt.Errorf("read delayed entry %x: %w", k, e)
			return false
		}
		out = append(out, e)
		return len(out) < max
	})
	for _, e := range out {
		if err := t.DropDelayed(e.ID); err != nil {
			return nil, err
		}
	}
	return out, err
}

// DelayedCount returns the number of delayed states.
func (t *Tx) DelayedCount() int { return t.count(bucketDelayed) / 2 }
