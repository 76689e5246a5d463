package store

import (
	"bytes"

	"ldapsync/changelog"
)

// The directory's reports come later than our own writes are known to be made.
// A name in a report is to be read as names were when it was made: the images'
// indexes say how they are, and this one where that differs.
const (
	toldEntry = 'e' // id: an entry whose image has a Told
	toldName  = 'n' // parent, normal RDN: the entry the reports know there
)

func toldNameKey(p *Place) []byte { return append([]byte{toldName}, nameKey(p.Parent, p.RDNKey)...) }

func (t *Tx) putTold(m *Image) error {
	b := t.bucket(bucketTold)
	if err := b.Put(append([]byte{toldEntry}, m.ID[:]...), []byte{}); err != nil {
		return err
	}
	if *m.Told == (Place{}) {
		return nil
	}
	return b.Put(toldNameKey(m.Told), m.ID[:])
}

func (t *Tx) dropTold(m *Image) error {
	b := t.bucket(bucketTold)
	if err := b.Delete(append([]byte{toldEntry}, m.ID[:]...)); err != nil {
		return err
	}
	if key := toldNameKey(m.Told); bytes.Equal(b.Get(key), m.ID[:]) {
		return b.Delete(key)
	}
	return nil
}

// Told returns the entry that the directory's reports know under a name, the
// zero ID when there is none.
func (t *Tx) Told(parent changelog.ID, rdnKey string) changelog.ID {
	if id := t.bucket(bucketTold).Get(toldNameKey(&Place{parent, rdnKey})); id != nil {
		return toID(id)
	}
	if v := t.bucket(bucketNames).Get(nameKey(parent, rdnKey)); len(v) == len(changelog.ID{}) {
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
		m.Told = nil
		if err := t.PutImage(m); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
