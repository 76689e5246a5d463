package store

import (
	"bytes"
	"errors"

	"ldapsync/changelog"
)

// The directory's reports come later than our own writes are known to be made.
// A name in a report is to be read as names were when it was made: the images'
// indexes say how they are, and this one where that differs.
const (
	toldEntry  = 'e' // id: an entry whose image has a Told
	toldName   = 'n' // parent, normal RDN: the entry the reports know there
	toldShared = 's' // parent, normal RDN: the entry the reports knew there when another was given the name
)

func toldNameKey(p *Place) []byte { return append([]byte{toldName}, nameKey(p.Parent, p.RDNKey)...) }

// toldEntryAt returns the key of an entry, toldAt is toldNameKey; valid until the next
// such key.
func (t *Tx) toldEntryAt(id changelog.ID) []byte {
	t.key = append(append(t.key[:0], toldEntry), id[:]...)
	return t.key
}

func (t *Tx) toldAt(parent changelog.ID, rdnKey string) []byte {
	t.key = appendNameKey(append(t.key[:0], toldName), parent, rdnKey)
	return t.key
}

func (t *Tx) putTold(m *Image) error {
	b := t.bucket(bucketTold)
	if err := b.Put(t.toldEntryAt(m.ID), []byte{}); err != nil {
		return err
	}
	if *m.Told == (Place{}) {
		return nil
	}
	return b.Put(t.toldAt(m.Told.Parent, m.Told.RDNKey), m.ID[:])
}

func (t *Tx) dropTold(m *Image) error {
	b := t.bucket(bucketTold)
	if err := b.Delete(t.toldEntryAt(m.ID)); err != nil {
		return err
	}
	if key := t.toldAt(m.Told.Parent, m.Told.RDNKey); bytes.Equal(b.Get(key), m.ID[:]) {
		return b.Delete(key)
	}
	return nil
}

// share deals with a name that the images of two entries have: a client took it
// from one, of which no report has come, and a write of ours gave it to another.
// The directory has the other there, and the reports still know the one. It returns
// m as it is to be stored, and whether it is the one.
func (t *Tx) share(m *Image, key []byte) (*Image, bool, error) {
	holder := t.bucket(bucketNames).Get(key)
	if len(holder) < len(m.ID) || bytes.HasPrefix(holder, m.ID[:]) {
		return m, false, nil
	}
	ours := len(holder) > len(m.ID)
	if ours == (m.Told != nil) {
		return m, false, nil
	}
	here := &Place{m.Parent, m.RDNKey}
	if ours {
		known := *m
		known.Told = here
		return &known, true, nil
	}
	known, err := t.Image(toID(holder))
	if err != nil || known == nil {
		return m, false, err
	}
	known.Told = here
	return m, false, errors.Join(t.putTold(known), t.storeImage(known))
}

// Told returns the entry that the directory's reports know under a name, the
// zero ID when there is none.
func (t *Tx) Told(parent changelog.ID, rdnKey string) changelog.ID {
	if id := t.bucket(bucketTold).Get(t.toldAt(parent, rdnKey)); id != nil {
		return toID(id)
	}
	if v := t.bucket(bucketNames).Get(t.nameAt(parent, rdnKey)); len(v) == len(changelog.ID{}) {
		return toID(v)
	}
	return changelog.ID{}
}

// TellAll notes, for up to max entries, that the reports know of our own writes
// so far, and returns for how many.
func (t *Tx) TellAll(max int) (int, error) {
	var ids []changelog.ID
	t.bucket(bucketTold).Scan([]byte{toldEntry}, nil, func(k, _ []byte) bool {
		ids = append(ids, toID(k[1:]))
		return len(ids) < max
	})
	for _, id := range ids {
		m, err := t.Image(id)
		if err != nil || m == nil {
			return 0, err
		}
		if err := t.tellOne(m); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// tellOne notes that the reports know where m is. The name of one that is not
// there any more stays with the other that has it, unless that turns out to be elsewhere.
func (t *Tx) tellOne(m *Image) error {
	if m.Told == nil || m.Gone || *m.Told != (Place{m.Parent, m.RDNKey}) {
		m.Told = nil
		return t.PutImage(m)
	}
	if err := t.dropTold(m); err != nil {
		return err
	}
	m.Told = nil
	if t.Named(m.Parent, m.RDNKey) != m.ID {
		if err := t.bucket(bucketTold).Put(sharedKey(m), m.ID[:]); err != nil {
			return err
		}
	}
	return t.storeImage(m)
}

func sharedKey(m *Image) []byte {
	return append([]byte{toldShared}, nameKey(m.Parent, m.RDNKey)...)
}

// Regain gives the entries from which writes of ours were to take their names, and that
// the directory has not reported since, these back: the writes have led elsewhere.
func (t *Tx) Regain() error {
	var lost []changelog.ID
	t.bucket(bucketTold).Scan([]byte{toldShared}, nil, func(_, v []byte) bool {
		if id := toID(v); !t.IsDelayed(id) {
			lost = append(lost, id)
		}
		return true
	})
	for _, id := range lost {
		m, err := t.Image(id)
		if err == nil && m != nil && !m.Gone {
			err = t.regain(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// regain gives m the name back at which it is.
func (t *Tx) regain(m *Image) error {
	m.Told = nil
	return errors.Join(t.bucket(bucketTold).Delete(sharedKey(m)), t.bucket(bucketNames).Delete(nameKey(m.Parent, m.RDNKey)), t.PutImage(m))
}

// inherit gives the name that left has had to the entry from which a write of ours was
// to take it, if that is still there: the write has led elsewhere.
func (t *Tx) inherit(left *Image) error {
	for _, key := range [][]byte{sharedKey(left), toldNameKey(&Place{left.Parent, left.RDNKey})} {
		v := t.bucket(bucketTold).Get(key)
		if v == nil || toID(v) == left.ID {
			continue
		}
		m, err := t.Image(toID(v))
		if err != nil {
			return err
		}
		if m != nil && !m.Gone && m.Parent == left.Parent && m.RDNKey == left.RDNKey {
			return t.regain(m)
		}
	}
	return nil
}
