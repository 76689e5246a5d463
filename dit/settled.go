package dit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"ldapsync/changelog"
)

// settled is a record that an administrator has dropped, on whatever server. It
// may have gone since, or not have come yet.
type settled struct {
	key recordKey
	// at is the oldest change that dropped it.
	at changelog.CSN
}

func (e *entry) findSettled(k recordKey) (int, bool) {
	return slices.BinarySearchFunc(e.settled, k, func(d settled, k recordKey) int { return bytes.Compare(d.key[:], k[:]) })
}

func (e *entry) isSettled(k recordKey) bool {
	_, found := e.findSettled(k)
	return found
}

// settle notes that a change dropped a record and reports whether that is new.
func (e *entry) settle(k recordKey, at changelog.CSN) bool {
	i, found := e.findSettled(k)
	switch {
	case !found:
		e.settled = slices.Insert(e.settled, i, settled{k, at})
	case at.Before(e.settled[i].at):
		e.settled[i].at = at
	default:
		return false
	}
	return true
}

func (e *entry) appendSettled(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(e.settled)))
	for _, d := range e.settled {
		b = appendCSN(append(b, d.key[:]...), d.at)
	}
	return b
}

func (r *reader) settled() []settled {
	out := make([]settled, r.count(9))
	for i := range out {
		copy(out[i].key[:], r.take(uint64(len(recordKey{}))))
		out[i].at = r.csn()
		r.check(i == 0 || bytes.Compare(out[i-1].key[:], out[i].key[:]) < 0, "order of what is settled")
	}
	return out
}

// mergeSettle drops the records that c names. Ids of another form are those of
// no record.
func (s *State) mergeSettle(c *changelog.Change) {
	e := s.load(c.ID)
	if e == nil {
		if s.err != nil {
			return
		}
		e = &entry{id: c.ID}
	}
	fresh := false
	for _, text := range c.Records {
		if k, ok := parseRecordKey(text); ok && e.settle(k, c.CSN) {
			fresh = true
			for _, prefix := range s.journalPrefixes(e) {
				s.unlist(e.id, prefix, k)
			}
		}
	}
	if !fresh {
		return
	}
	unknown := !e.node.known
	if unknown {
		s.derive(e, ID{})
	}
	s.save(e)
	if unknown {
		s.settle(e.id)
	}
}

func parseRecordKey(text string) (k recordKey, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(k) {
		return recordKey{}, false
	}
	copy(k[:], raw)
	return k, true
}
