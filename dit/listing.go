package dit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ldapsync/changelog"
)

// Listing says which records of the journal are wanted. The zero Listing is
// all of them, in pages of DefaultPage.
type Listing struct {
	// Kinds are the kinds wanted, all when empty.
	Kinds []Kind
	// Entry wants those of one entry only, Below those of an entry and of all
	// that are below it.
	Entry, Below ID
	// Since wants those of which one side is not older, in microseconds since
	// 1970; 0 wants all.
	Since int64
	// Limit is how many there are on a page, After the end of the page before.
	Limit int
	After string
}

// DefaultPage is the length of a page where none is given.
const DefaultPage = 100

// ErrPage is returned for an After that no listing returned.
var ErrPage = errors.New("not the end of a page of the journal")

// Records returns what was decided about an entry, in a fixed order.
func (s *State) Records(id ID) ([]Record, error) {
	var records []Record
	if e := s.load(id); e != nil {
		records = s.records(e)
	}
	return records, s.caught()
}

// Journal calls fn with every record, by ascending entry, until it returns false.
func (s *State) Journal(fn func(Record) bool) error {
	next := []byte{keyJournal}
	for {
		var id ID
		found := false
		s.kv.Scan([]byte{keyJournal}, next, func(k, _ []byte) bool {
			found = len(k) > len(id)
			copy(id[:], k[1:])
			return false
		})
		if !found {
			return s.caught()
		}
		records, err := s.Records(id)
		if err != nil {
			return err
		}
		for _, r := range records {
			if !fn(r) {
				return nil
			}
		}
		next = append(idKey(keyJournal, id), 0xff)
	}
}

// entryOf returns the entry and the key of a record at a position.
func entryOf(position []byte) (id ID, k recordKey) {
	copy(id[:], position[changelog.CSNKeySize:])
	copy(k[:], position[changelog.CSNKeySize+len(id):])
	return id, k
}

const positionSize = changelog.CSNKeySize + len(ID{}) + len(recordKey{})

// List returns a page of records, newest first, and where the next begins, ""
// after the last. It reads no more of the journal than it passes over.
func (s *State) List(q Listing) (page []Record, next string, err error) {
	after, err := hex.DecodeString(q.After)
	if err != nil || len(after) != 0 && len(after) != positionSize {
		return nil, "", fmt.Errorf("%w: %.80q", ErrPage, q.After)
	}
	if q.Limit <= 0 {
		q.Limit = DefaultPage
	}
	var found [][]byte
	if !q.Entry.IsZero() {
		found = s.positionsOf(q, after)
	} else {
		for code, kind := range kinds {
			if q.wants(kind) {
				found = append(found, s.positions(q, byte(code), after)...)
			}
		}
	}
	slices.SortFunc(found, bytes.Compare)
	if len(found) > q.Limit {
		found = found[:q.Limit]
		next = hex.EncodeToString(found[q.Limit-1])
	}
	page = s.read(found)
	return page, next, s.caught()
}

func (q Listing) wants(kind Kind) bool { return len(q.Kinds) == 0 || slices.Contains(q.Kinds, kind) }

// tooOld reports whether a position is before what is wanted.
func (q Listing) tooOld(position []byte) bool {
	if q.Since == 0 {
		return false
	}
	oldest := indexOf(Record{Lost: Side{CSN: changelog.CSN{Time: q.Since}}})
	return bytes.Compare(position[:changelog.CSNKeySize], oldest.when[:]) > 0
}

// positions returns up to one more than a page of the positions of one kind.
func (s *State) positions(q Listing, code byte, after []byte) (found [][]byte) {
	prefix := []byte{keyKind, code}
	below := map[ID]bool{}
	from := append(bytes.Clone(prefix), after...)
	s.kv.Scan(prefix, from, func(k, _ []byte) bool {
		position := k[len(prefix):]
		if len(position) != positionSize {
			s.damaged("key of record")
			return false
		}
		if bytes.Equal(position, after) {
			return true
		}
		id, _ := entryOf(position)
		switch {
		case q.tooOld(position):
			return false
		case q.Below.IsZero() || s.within(id, q.Below, below):
			found = append(found, bytes.Clone(position))
		}
		return len(found) <= q.Limit
	})
	return found
}

// within reports whether id is top or below it. Known holds answers.
func (s *State) within(id, top ID, known map[ID]bool) bool {
	answer, ok := known[id]
	if ok {
		return answer
	}
	if len(known) >= 10_000 {
		clear(known)
	}
	known[id] = s.leads(id, top, nil)
	return known[id]
}

// positionsOf returns the positions of one entry's records.
func (s *State) positionsOf(q Listing, after []byte) (found [][]byte) {
	s.kv.Scan(idKey(keyJournal, q.Entry), nil, func(key, v []byte) bool {
		l, err := readIndexed(v)
		if err != nil {
			s.fail(err)
			return false
		}
		var k recordKey
		copy(k[:], key[len(key)-len(k):])
		position := l.position(q.Entry, k)
		if q.wants(kinds[l.code]) && !q.tooOld(position) && bytes.Compare(position, after) > 0 {
			found = append(found, position)
		}
		return true
	})
	return found
}

// read returns the records at some positions.
func (s *State) read(positions [][]byte) []Record {
	out := make([]Record, 0, len(positions))
	byEntry := map[ID]map[recordKey]Record{}
	for _, p := range positions {
		id, k := entryOf(p)
		if byEntry[id] == nil {
			byEntry[id] = s.byKey(id)
		}
		r, ok := byEntry[id][k]
		if !ok {
			s.damaged("record that is none")
			return nil
		}
		out = append(out, r)
	}
	return out
}

func (s *State) byKey(id ID) map[recordKey]Record {
	out := map[recordKey]Record{}
	if e := s.load(id); e != nil {
		for _, r := range s.records(e) {
			out[r.key()] = r
		}
	}
	return out
}

// maxFound bounds what FindRecords returns.
const maxFound = 20

// FindRecords returns the records whose id begins with some lower-case hexadecimal
// digits, no more than a few, by ascending id.
func (s *State) FindRecords(digits string) ([]Record, error) {
	if len(digits) > 2*len(recordKey{}) {
		return nil, nil
	}
	start, err := hex.DecodeString(digits + strings.Repeat("0", len(digits)&1))
	if err != nil {
		return nil, nil
	}
	var positions [][]byte
	s.kv.Scan([]byte{keyRecord}, append([]byte{keyRecord}, start...), func(key, _ []byte) bool {
		id := lastID(key)
		var k recordKey
		copy(k[:], key[1:])
		if !strings.HasPrefix(hex.EncodeToString(k[:]), digits) {
			return false
		}
		positions = append(positions, indexed{}.position(id, k))
		return len(positions) < maxFound
	})
	return s.read(positions), s.caught()
}
