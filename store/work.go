package store

import (
	"encoding/binary"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/octets"
)

// Dirty is the mark of an entry whose image may differ from its view.
type Dirty struct {
	ID changelog.ID
	// Gen grows with every mark; a mark that grew while the entry was being
	// written must not be cleared.
	Gen uint64
	// Seen is what the image contains: a change that a client makes to the
	// entry now has been made knowing this and no more.
	Seen changelog.Seqs
}

// MarkDirty marks an entry. Seen is kept from the first mark: it says what the
// image contains, and that changes only when the image does.
func (t *Tx) MarkDirty(id changelog.ID, seen changelog.Seqs) error {
	old, kept, err := t.markOf(id)
	if err != nil {
		return err
	}
	if err := t.resume(id); err != nil {
		return err
	}
	if kept == nil {
		kept = t.seqs(seen)
	} else if err := t.bucket(bucketQueue).Delete(t.genAt(old)); err != nil {
		return err
	}
	gen, err := t.bucket(bucketQueue).NextSequence()
	if err != nil {
		return err
	}
	return t.putMark(id, gen, kept)
}

// markOf returns the number and the stored Seen of a mark, nil when there is none;
// valid until the next call.
func (t *Tx) markOf(id changelog.ID) (gen uint64, seen []byte, err error) {
	raw := t.bucket(bucketDirty).Get(id[:])
	if raw == nil {
		return 0, nil, nil
	}
	gen, n := binary.Uvarint(raw)
	if n <= 0 || n == len(raw) {
		return 0, nil, fmt.Errorf("read mark of %s: %w", id, octets.ErrDamaged)
	}
	t.seen = append(t.seen[:0], raw[n:]...)
	return gen, t.seen, nil
}

// SetSeen replaces what the image of a dirty entry contains; the mark keeps
// its place.
func (t *Tx) SetSeen(id changelog.ID, seen changelog.Seqs) error {
	gen, old, err := t.markOf(id)
	if err != nil || old == nil {
		return err
	}
	return t.putMark(id, gen, t.seqs(seen))
}

// seqs returns the stored form of s, valid as what markOf returns.
func (t *Tx) seqs(s changelog.Seqs) []byte {
	t.seen = changelog.AppendSeqs(t.seen[:0], s)
	return t.seen
}

func (t *Tx) putMark(id changelog.ID, gen uint64, seen []byte) error {
	if err := t.bucket(bucketQueue).Put(t.genAt(gen), id[:]); err != nil {
		return err
	}
	t.value = append(octets.AppendUint(t.value[:0], gen), seen...)
	return t.bucket(bucketDirty).Put(id[:], t.value)
}

// Dirty returns the mark of an entry, nil when it has none.
func (t *Tx) Dirty(id changelog.ID) (*Dirty, error) {
	raw := t.bucket(bucketDirty).Get(id[:])
	if raw == nil {
		return nil, nil
	}
	r := octets.NewReader(raw)
	d := &Dirty{ID: id, Gen: r.Uint(), Seen: changelog.ReadSeqs(r)}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("read mark of %s: %w", id, err)
	}
	return d, nil
}

// ClearDirty removes the mark of an entry.
func (t *Tx) ClearDirty(id changelog.ID) error {
	if err := t.forgive(id); err != nil {
		return err
	}
	gen, seen, err := t.markOf(id)
	if err != nil || seen == nil {
		return err
	}
	if err := t.bucket(bucketQueue).Delete(t.genAt(gen)); err != nil {
		return err
	}
	return t.bucket(bucketDirty).Delete(id[:])
}

// DirtyAfter returns up to max marked entries in the order of their marks,
// beginning after the mark gen, without those that are parked.
func (t *Tx) DirtyAfter(gen uint64, max int) ([]Dirty, error) {
	var out []Dirty
	var err error
	parked := t.bucket(bucketParked)
	t.bucket(bucketQueue).Scan(nil, t.genAt(gen+1), func(_, v []byte) bool {
		if len(out) >= max {
			return false
		}
		if parked.Get(v) != nil {
			return true
		}
		var d *Dirty
		if d, err = t.Dirty(toID(v)); d != nil {
			out = append(out, *d)
		}
		return err == nil
	})
	return out, err
}

// DirtyCount returns the number of marks, those of parked entries included.
func (t *Tx) DirtyCount() int { return t.count(bucketDirty) }

// Intent is what a transaction that was sent to the directory makes of an
// entry. It is stored before the transaction is sent, so that the outcome can
// be recognised whatever happens in between.
type Intent struct {
	// Image is the state that the write leaves, Gone for a delete.
	Image Image
	// Gen is the mark that the write answers, Seen what the new image contains.
	Gen  uint64
	Seen changelog.Seqs
}

// PutIntent stores the intent for an entry.
func (t *Tx) PutIntent(in *Intent) error {
	b := changelog.AppendSeqs(octets.AppendUint(t.value[:0], in.Gen), in.Seen)
	t.value = in.Image.appendTo(b)
	return t.bucket(bucketIntents).Put(in.Image.ID[:], t.value)
}

// Intent returns the intent for an entry, nil when there is none.
func (t *Tx) Intent(id changelog.ID) (*Intent, error) {
	raw := t.bucket(bucketIntents).Get(id[:])
	if raw == nil {
		return nil, nil
	}
	return decodeIntent(id, raw)
}

// Intended reports whether there is an intent for an entry.
func (t *Tx) Intended(id changelog.ID) bool { return t.bucket(bucketIntents).Get(id[:]) != nil }

func decodeIntent(id changelog.ID, raw []byte) (*Intent, error) {
	r := octets.NewReader(raw)
	in := &Intent{Gen: r.Uint(), Seen: changelog.ReadSeqs(r)}
	image, err := decodeImage(id, r.Rest())
	if err != nil {
		return nil, fmt.Errorf("read intent: %w", err)
	}
	in.Image = *image
	return in, nil
}

// IntentsAfter returns the entries of up to max intents, in the order of their
// ids, beginning after the given one.
func (t *Tx) IntentsAfter(after changelog.ID, max int) (ids []changelog.ID) {
	t.bucket(bucketIntents).Scan(nil, after[:], func(k, _ []byte) bool {
		if id := toID(k); id != after {
			ids = append(ids, id)
		}
		return len(ids) < max
	})
	return ids
}

// IntentCount returns the number of intents.
func (t *Tx) IntentCount() int { return t.count(bucketIntents) }

// DropIntent removes the intent for an entry.
func (t *Tx) DropIntent(id changelog.ID) error { return t.bucket(bucketIntents).Delete(id[:]) }

// genAt is genKey, valid until the next such key.
func (t *Tx) genAt(gen uint64) []byte {
	t.key = binary.BigEndian.AppendUint64(t.key[:0], gen)
	return t.key
}

func genKey(gen uint64) []byte { return binary.BigEndian.AppendUint64(nil, gen) }

// toID reads an id; a damaged one is no entry.
func toID(b []byte) (id changelog.ID) {
	copy(id[:], b)
	return id
}
