package dit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/dn"
)

// Tombstone is an entry that is deleted.
type Tombstone struct {
	ID ID
	// DN is the name under which it was deleted, "" where nobody said.
	DN string
	// Deleted says when and on which server.
	Deleted changelog.CSN
}

// tomb is what is known of an entry's newest deletion.
type tomb struct {
	at   *stamp
	name string
}

func tombOf(e *entry) tomb { return tomb{e.deleted, e.lastDN} }

// nameDigest is the digest of the normal form of a name.
type nameDigest [16]byte

func digestOfName(norm string) (d nameDigest) {
	sum := sha256.Sum256([]byte(norm))
	copy(d[:], sum[:])
	return d
}

// normalName returns the normal form of a DN, false for what is none.
func (s *State) normalName(text string) (string, bool) {
	name, err := dn.Parse(text)
	if err != nil || len(name) == 0 {
		return "", false
	}
	return name.Key(s.rules.Schema), true
}

func digestKey(kind byte, d nameDigest, ids ...ID) []byte {
	k := append([]byte{kind}, d[:]...)
	for _, id := range ids {
		k = append(k, id[:]...)
	}
	return k
}

func deathKey(at *stamp, id ID) []byte {
	when := indexOf(Record{Lost: Side{CSN: at.csn}}).when
	return append(append([]byte{keyDeath}, when[:]...), id[:]...)
}

// bury keeps the indexes of deletions when the newest of e becomes another, and
// returns the entries that name e or did name it.
func (s *State) bury(e *entry, before tomb) (referrers []ID) {
	if before.at == e.deleted {
		return nil
	}
	if before.at != nil {
		referrers = s.unbury(e.id, before)
	}
	s.put(deathKey(e.deleted, e.id), []byte{})
	if norm, ok := s.normalName(e.lastDN); ok {
		s.put(digestKey(keyTomb, digestOfName(norm), e.id), []byte{})
		for _, id := range s.referrers(e) {
			s.put(idKey(keyPair, id, e.id), []byte{})
		}
	}
	return referrers
}

// unbury takes a deletion of an entry out of the indexes, and returns the entries
// that were ever given the name under which it was deleted.
func (s *State) unbury(id ID, t tomb) (referrers []ID) {
	s.delete(deathKey(t.at, id))
	norm, ok := s.normalName(t.name)
	if !ok {
		return nil
	}
	d := digestOfName(norm)
	s.delete(digestKey(keyTomb, d, id))
	referrers = s.idsAt(digestKey(keyRefer, d))
	for _, r := range referrers {
		s.delete(idKey(keyPair, r, id))
	}
	return referrers
}

// referrers returns the entries that were ever given the name under which e was
// deleted.
func (s *State) referrers(e *entry) []ID {
	norm, ok := s.normalName(e.lastDN)
	if !ok {
		return nil
	}
	return s.idsAt(digestKey(keyRefer, digestOfName(norm)))
}

// FindDeleted returns the entries that were deleted under a name and are not
// restored.
func (s *State) FindDeleted(name dn.DN) ([]Tombstone, error) {
	norm := name.Key(s.rules.Schema)
	var out []Tombstone
	for _, id := range s.idsAt(digestKey(keyTomb, digestOfName(norm))) {
		e := s.load(id)
		if e == nil || !e.node.created || e.node.live {
			continue
		}
		if last, ok := s.normalName(e.lastDN); ok && last == norm {
			out = append(out, Tombstone{id, e.lastDN, e.deleted.csn})
		}
	}
	return out, s.caught()
}

// Deleted returns a page of the entries that are deleted, newest deletion
// first: those under a name below base or equal to it (nil for all). Next is
// where the next page begins, "" after the last.
func (s *State) Deleted(base dn.DN, limit int, after string) (page []Tombstone, next string, err error) {
	from, err := hex.DecodeString(after)
	const size = changelog.CSNKeySize + len(ID{})
	if err != nil || len(from) != 0 && len(from) != size {
		return nil, "", fmt.Errorf("%w: %.80q", ErrPage, after)
	}
	if limit <= 0 {
		limit = DefaultPage
	}
	prefix := []byte{keyDeath}
	s.kv.Scan(prefix, append(prefix, from...), func(k, _ []byte) bool {
		position := hex.EncodeToString(k[1:])
		if position == after {
			return true
		}
		e := s.peek(lastID(k))
		if e == nil || !e.node.created || e.node.live || !s.under(e.lastDN, base) {
			return true
		}
		page = append(page, Tombstone{e.id, e.lastDN, e.deleted.csn})
		if len(page) == limit {
			next = position
		}
		return len(page) < limit
	})
	return page, next, s.caught()
}

// Death returns the newest deletion of an entry, zero when it was never deleted.
func (s *State) Death(id ID) (changelog.CSN, error) {
	var at changelog.CSN
	if e := s.peek(id); e != nil && e.deleted != nil {
		at = e.deleted.csn
	}
	return at, s.caught()
}

// DeletedWithin reports whether the newest deletion of an entry is among some changes.
func (s *State) DeletedWithin(id ID, seqs changelog.Seqs) (bool, error) {
	e := s.peek(id)
	return e != nil && e.deleted != nil && seqs.Covers(sidSeq(e.deleted)), s.caught()
}

func (s *State) under(text string, base dn.DN) bool {
	if base == nil {
		return true
	}
	name, err := dn.Parse(text)
	return err == nil && (name.Equal(base, s.rules.Schema) || name.IsBelow(base, s.rules.Schema))
}

// NameOf returns the name of an entry for people: that under which it is shown,
// else that under which it was deleted, else its RDN, and "" for one that is
// unknown. Shown says which.
func (s *State) NameOf(id ID) (name string, shown bool, err error) {
	if d, ok := s.dn(id); ok {
		return d.String(), true, s.caught()
	}
	if e := s.load(id); e != nil {
		if name = e.lastDN; name == "" && len(e.names) > 0 {
			name = e.name().rdn
		}
	}
	return name, false, s.caught()
}

// Below reports whether an entry is top or below it, deleted ones included.
func (s *State) Below(id, top ID) (bool, error) { return s.leads(id, top, nil), s.caught() }
