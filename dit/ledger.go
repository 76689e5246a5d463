package dit

import (
	"bytes"
	"fmt"

	"ldapsync/changelog"
)

// The journal's records follow from the facts and are computed when they are
// read. What is kept of each is where it is, what kind and of when, so that
// they can be counted, paged through by time and found by id.

// indexed is what is kept of a record.
type indexed struct {
	code byte
	// when is the inverted time: ascending keys are newest first.
	when [changelog.CSNKeySize]byte
}

func indexOf(r Record) indexed {
	l := indexed{code: r.Kind.code()}
	for i, b := range r.Time().AppendKey(nil) {
		l.when[i] = ^b
	}
	return l
}

func (l indexed) bytes() []byte { return append([]byte{l.code}, l.when[:]...) }

func readIndexed(b []byte) (l indexed, err error) {
	if len(b) != 1+len(l.when) || int(b[0]) >= NumKinds {
		return l, fmt.Errorf("%w: record of the journal", ErrDamaged)
	}
	l.code = b[0]
	copy(l.when[:], b[1:])
	return l, nil
}

// position is the place of a record among all, newest first.
func (l indexed) position(id ID, k recordKey) []byte {
	return append(append(append([]byte(nil), l.when[:]...), id[:]...), k[:]...)
}

func (l indexed) kindKey(id ID, k recordKey) []byte {
	return append([]byte{keyKind, l.code}, l.position(id, k)...)
}

func recordIndexKey(id ID, k recordKey) []byte {
	return append(append([]byte{keyRecord}, k[:]...), id[:]...)
}

// ownPrefix begins the keys of an entry's records, those about spilled values
// left out, whose keys spilledPrefix begins.
func ownPrefix(id ID) []byte { return append(idKey(keyJournal, id), 0) }

func spilledPrefix(id ID, canonical string) []byte {
	return appendKeyText(append(idKey(keyJournal, id), 1), canonical)
}

// journalPrefixes returns what begins the keys of e's records.
func (s *State) journalPrefixes(e *entry) [][]byte {
	out := [][]byte{ownPrefix(e.id)}
	for _, a := range e.attrs {
		if a.spill != nil {
			out = append(out, spilledPrefix(e.id, s.attrRule(a).name))
		}
	}
	return out
}

// enlist adds a record that is not in the journal.
func (s *State) enlist(id ID, prefix []byte, r Record) {
	t := s.total()
	if !s.any(s.keyAt(keyJournal, id)) {
		t.counts.Recorded++
		t.dirty = true
	}
	l, k := indexOf(r), r.key()
	t.counts.Records[l.code]++
	t.kinds = true
	s.put(append(bytes.Clone(prefix), k[:]...), l.bytes())
	s.put(l.kindKey(id, k), []byte{})
	s.put(recordIndexKey(id, k), []byte{})
}

// unlist removes a record from the journal if it is there.
func (s *State) unlist(id ID, prefix []byte, k recordKey) {
	key := append(bytes.Clone(prefix), k[:]...)
	v := s.kv.Get(key)
	if v == nil {
		return
	}
	l, err := readIndexed(v)
	if err != nil {
		s.fail(err)
		return
	}
	s.delete(key)
	s.delete(l.kindKey(id, k))
	s.delete(recordIndexKey(id, k))
	t := s.total()
	t.counts.Records[l.code]--
	t.kinds = true
	if !s.any(s.keyAt(keyJournal, id)) {
		t.counts.Recorded--
		t.dirty = true
	}
}

// list makes the records under a prefix those given, without what is settled. A
// record stands under one prefix only.
func (s *State) list(e *entry, prefix []byte, records []Record) {
	if len(records) == 0 && !s.any(prefix) {
		return
	}
	want := make(map[recordKey]Record, len(records))
	for _, r := range records {
		if k := r.key(); !e.isSettled(k) {
			want[k] = r
		}
	}
	var gone []recordKey
	s.kv.Scan(prefix, nil, func(key, v []byte) bool {
		var k recordKey
		if len(key) != len(prefix)+len(k) {
			s.damaged("key of record")
			return false
		}
		copy(k[:], key[len(prefix):])
		if r, ok := want[k]; ok && bytes.Equal(v, indexOf(r).bytes()) {
			delete(want, k)
		} else {
			gone = append(gone, k)
		}
		return true
	})
	for _, k := range gone {
		s.unlist(e.id, prefix, k)
	}
	own := ownPrefix(e.id)
	for k, r := range want {
		if !bytes.Equal(prefix, own) {
			s.unlist(e.id, own, k)
		}
		s.enlist(e.id, prefix, r)
	}
}

// review keeps the journal of an entry, but for the records about spilled
// values, which are kept as those change.
func (s *State) review(e *entry) {
	if s.uneventful(e) {
		s.list(e, ownPrefix(e.id), s.outward(e))
		return
	}
	if rest := s.apart(e); rest != nil {
		s.list(e, ownPrefix(e.id), append(s.decisions(rest), s.outward(e)...))
		return
	}
	var own []Record
	for _, r := range s.records(e) {
		if r.Kind != ValueSuperseded || !s.keptApart(e, r.Attribute) {
			own = append(own, r)
		}
	}
	s.list(e, ownPrefix(e.id), own)
}

// keptApart reports whether the records about the values of an attribute are
// kept by spillAttribute.
func (s *State) keptApart(e *entry, canonical string) bool {
	for _, a := range e.attrs {
		if a.spill != nil && s.attrRule(a).name == canonical {
			return s.tallied(e, canonical)
		}
	}
	return false
}
