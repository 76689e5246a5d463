package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/octets"
)

// Image is what the directory was last known to hold of an entry: as it
// reported, or as we wrote it.
type Image struct {
	ID     changelog.ID
	Parent changelog.ID
	// RDN is the name as the directory spells it, RDNKey its normal form.
	RDN, RDNKey string
	// CSN is the newest entryCSN known; reports that are not newer are old
	// news. Confirmed says that it is the entryCSN of exactly this state: our
	// own write is confirmed by the directory's answer to it, or by its report.
	CSN       changelog.CSN
	Confirmed bool
	// Unreported says that the directory has not reported the state with CSN, which
	// it told in answer to a write of ours, or when it was read.
	Unreported bool
	// Ahead, when not zero, is the newest entryCSN of writes of ours before the last
	// that are not reported either: the directory's clock was set back meanwhile.
	Ahead changelog.CSN
	// Below, when not empty, is the DN of the superior that a write of ours named
	// and that the directory has not reported yet. The write may have led to
	// another entry than Parent: one that was given this name just before.
	Below string
	// Loose says that the stamps of the last modification are not known: a move
	// leaves the directory's own, until they are written over.
	Loose bool
	// Told, when not nil, is the place under which the directory's reports
	// still know the entry, since that of our own write has not come.
	Told *Place
	// Gone marks an entry we deleted, kept so that late reports of it are known
	// as such until the next refresh.
	Gone bool
	// Newest is the newest CSN among the facts that the image contains.
	Newest changelog.CSN
	Attrs  []directory.Attribute
}

// Place is a name below a superior. The zero Place is none.
type Place struct {
	Parent changelog.ID
	RDNKey string
}

const (
	imageConfirmed = 1 << iota
	imageGone
	imageLoose
	imageTold
	imageUnreported
	imageBelow
	imageAhead
)

// Answered notes what the directory told of the entryCSN of m, our last write, before
// reporting it.
func (m *Image) Answered(csn changelog.CSN) {
	if m.Unreported && csn.Before(m.CSN) && m.Ahead.Before(m.CSN) {
		m.Ahead = m.CSN
	}
	m.CSN, m.Confirmed, m.Unreported = csn, true, true
}

// Precedes reports whether a state with csn that is reported now comes before that of m:
// what writes of ours left is known before it is reported. What is older than a
// state that was reported does not: it was written after the clock was set back.
func (m *Image) Precedes(csn changelog.CSN) bool {
	if csn.Before(m.CSN) {
		return m.Gone || m.Unreported
	}
	return csn == m.CSN || m.Unreported && !m.Ahead.Before(csn)
}

// appendTo appends the stored form of m.
func (m *Image) appendTo(b []byte) []byte {
	flags := byte(0)
	if m.Confirmed {
		flags |= imageConfirmed
	}
	if m.Gone {
		flags |= imageGone
	}
	if m.Loose {
		flags |= imageLoose
	}
	if m.Told != nil {
		flags |= imageTold
	}
	if m.Unreported {
		flags |= imageUnreported
	}
	if m.Below != "" {
		flags |= imageBelow
	}
	if !m.Ahead.IsZero() {
		flags |= imageAhead
	}
	b = append(append(b, 1, flags), m.Parent[:]...)
	b = m.Newest.AppendKey(m.CSN.AppendKey(b))
	b = octets.AppendString(octets.AppendString(b, m.RDN), m.RDNKey)
	if m.Told != nil {
		b = octets.AppendString(append(b, m.Told.Parent[:]...), m.Told.RDNKey)
	}
	if m.Below != "" {
		b = octets.AppendString(b, m.Below)
	}
	if !m.Ahead.IsZero() {
		b = m.Ahead.AppendKey(b)
	}
	b = octets.AppendUint(b, uint64(len(m.Attrs)))
	for _, a := range m.Attrs {
		b = octets.AppendStrings(octets.AppendString(b, a.Name), a.Values)
	}
	return b
}

func decodeImage(id changelog.ID, raw []byte) (*Image, error) {
	r := octets.NewReader(raw)
	m := &Image{ID: id}
	m.readHead(r)
	if n := r.Count(2); n > 0 {
		m.Attrs = make([]directory.Attribute, n)
	}
	for i := range m.Attrs {
		m.Attrs[i] = directory.Attribute{Name: r.String(), Values: r.Strings()}
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("read image of %s: %w", id, err)
	}
	return m, nil
}

// readHead reads everything but the attributes.
func (m *Image) readHead(r *octets.Reader) {
	if r.Byte() != 1 {
		r.Fail()
	}
	flags := r.Byte()
	m.Confirmed, m.Gone, m.Loose = flags&imageConfirmed != 0, flags&imageGone != 0, flags&imageLoose != 0
	m.Unreported = flags&imageUnreported != 0
	m.Parent = changelog.ReadID(r)
	m.CSN, m.Newest = changelog.ReadCSN(r), changelog.ReadCSN(r)
	m.RDN, m.RDNKey = r.String(), r.String()
	if flags&imageTold != 0 {
		m.Told = &Place{Parent: changelog.ReadID(r), RDNKey: r.String()}
	}
	if flags&imageBelow != 0 {
		m.Below = r.String()
	}
	if flags&imageAhead != 0 {
		m.Ahead = changelog.ReadCSN(r)
	}
}

// Image returns the image of an entry, nil when there is none; one that is
// Gone is returned as such.
func (t *Tx) Image(id changelog.ID) (*Image, error) {
	raw := t.bucket(bucketImages).Get(id[:])
	if raw == nil {
		return nil, nil
	}
	return decodeImage(id, raw)
}

// ImageHead is Image without the attributes, at less cost.
func (t *Tx) ImageHead(id changelog.ID) (*Image, error) {
	raw := t.bucket(bucketImages).Get(id[:])
	if raw == nil {
		return nil, nil
	}
	return decodeHead(id, raw)
}

func decodeHead(id changelog.ID, raw []byte) (*Image, error) {
	m, r := &Image{ID: id}, octets.NewReader(raw)
	r.Single()
	if m.readHead(r); r.Failed() {
		return nil, fmt.Errorf("read image of %s: %w", id, octets.ErrDamaged)
	}
	return m, nil
}

// PutImage stores the image of an entry and keeps the indexes of names.
func (t *Tx) PutImage(m *Image) error {
	key, value := nameKey(m.Parent, m.RDNKey), nameValue(m)
	if m.Gone {
		key, value = nil, nil
	}
	if err := t.unname(m.ID, key); err != nil {
		return err
	}
	named := m.Gone
	if !named {
		var err error
		if m, named, err = t.share(m, key); err != nil {
			return err
		}
	}
	if names := t.bucket(bucketNames); !named && !bytes.Equal(names.Get(key), value) {
		if err := names.Put(key, value); err != nil {
			return err
		}
	}
	if m.Told != nil {
		if err := t.putTold(m); err != nil {
			return err
		}
	}
	return t.storeImage(m)
}

// storeImage is PutImage where the names stay.
func (t *Tx) storeImage(m *Image) error {
	t.value = m.appendTo(t.value[:0])
	return t.bucket(bucketImages).Put(m.ID[:], t.value)
}

// nameValue is what stands in the index of names: the entry, and one octet more
// where the reports know it under another name.
func nameValue(m *Image) []byte {
	if m.Told != nil {
		return append(m.ID[:], 1)
	}
	return m.ID[:]
}

// DropImage removes the image of an entry, and its alias with it.
func (t *Tx) DropImage(id changelog.ID) error {
	if err := t.unname(id, nil); err != nil {
		return err
	}
	if err := t.bucket(bucketImages).Delete(id[:]); err != nil {
		return err
	}
	if other := t.Swapped(id); other == id || t.bucket(bucketImages).Get(other[:]) != nil {
		return nil
	}
	return errors.Join(t.DropAlias(id), t.DropAlias(t.Swapped(id)))
}

// unname takes an entry's names out of the indexes, unless another entry has
// taken them meanwhile, or the key kept is to stay. See inherit for who has them then.
func (t *Tx) unname(id changelog.ID, kept []byte) error {
	raw := t.bucket(bucketImages).Get(id[:])
	if raw == nil {
		return nil
	}
	old, err := decodeHead(id, raw)
	if err != nil {
		return err
	}
	if old.Told != nil {
		if err := t.dropTold(old); err != nil {
			return err
		}
	}
	key := t.nameAt(old.Parent, old.RDNKey)
	if old.Gone || bytes.Equal(key, kept) {
		return nil
	}
	if !bytes.HasPrefix(t.bucket(bucketNames).Get(key), id[:]) {
		if shared := sharedKey(old); bytes.Equal(t.bucket(bucketTold).Get(shared), id[:]) {
			return t.bucket(bucketTold).Delete(shared)
		}
		return nil
	}
	if err := t.bucket(bucketNames).Delete(key); err != nil {
		return err
	}
	return t.inherit(old)
}

// Named returns the entry that has a name in the directory, the zero ID when
// none has.
func (t *Tx) Named(parent changelog.ID, rdnKey string) (id changelog.ID) {
	copy(id[:], t.bucket(bucketNames).Get(t.nameAt(parent, rdnKey)))
	return id
}

// Children returns up to max entries right below parent in the directory.
func (t *Tx) Children(parent changelog.ID, max int) []changelog.ID {
	var out []changelog.ID
	t.bucket(bucketNames).Scan(parent[:], nil, func(_, v []byte) bool {
		if len(out) < max {
			out = append(out, toID(v))
		}
		return len(out) < max
	})
	return out
}

// Images returns up to max images in the order of their ids, beginning after
// the given one.
func (t *Tx) Images(after changelog.ID, max int) ([]*Image, error) {
	var out []*Image
	var err error
	t.bucket(bucketImages).Scan(nil, after[:], func(k, raw []byte) bool {
		if len(out) >= max {
			return false
		}
		if bytes.Equal(k, after[:]) {
			return true
		}
		var m *Image
		if m, err = decodeImage(toID(k), raw); err != nil {
			return false
		}
		out = append(out, m)
		return true
	})
	return out, err
}

// ImageCount returns the number of images, those of entries we deleted included.
func (t *Tx) ImageCount() int { return t.count(bucketImages) }

// longName is the length from which a name stands in the index by its digest,
// since a key of the file is limited.
const longName = 1024

func nameKey(parent changelog.ID, rdnKey string) []byte {
	return appendNameKey(make([]byte, 0, len(parent)+min(len(rdnKey), longName)), parent, rdnKey)
}

func appendNameKey(b []byte, parent changelog.ID, rdnKey string) []byte {
	b = append(b, parent[:]...)
	if len(rdnKey) >= longName {
		sum := sha256.Sum256([]byte(rdnKey))
		return append(b, sum[:]...)
	}
	return append(b, rdnKey...)
}

// nameAt is nameKey, valid until the next such key.
func (t *Tx) nameAt(parent changelog.ID, rdnKey string) []byte {
	t.key = appendNameKey(t.key[:0], parent, rdnKey)
	return t.key
}
