package dit

import (
	"sync"
	"sync/atomic"
)

// known is an entry as it was read from a record, or written to one, and what
// was made of it. The entry is not changed any more; it is shared by every State
// that finds the same record.
type known struct {
	entry  *entry
	record string
	// content is shared by all entries with this record.
	content *atomic.Pointer[content]
	// digest is that of the facts in the record.
	digest sum
}

// The bounds of what a memo knows: the number of entries, of records of one
// entry, and the size of a record.
const (
	knownCount    = 256
	knownVariants = 4
	knownRecord   = 8 << 10
)

// knowing holds the entries that were read or written last. Where several states
// are opened with the same rules, they may hold several records of one entry. It
// is safe for concurrent use.
type knowing struct {
	mu      sync.Mutex
	entries map[ID]*variants
}

// variants are the records of one entry that were met last; next is the place of
// the one that gives way.
type variants struct {
	list [knownVariants]*known
	next int
}

// find returns the entry of which this is the record, nil when it is not known.
func (k *knowing) find(id ID, record []byte) *entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := k.entries[id].find(record); n != nil {
		return n.entry
	}
	return nil
}

func (v *variants) find(record []byte) *known {
	if v == nil {
		return nil
	}
	for _, n := range v.list {
		if n != nil && n.record == string(record) {
			return n
		}
	}
	return nil
}

// digest returns the digest of the facts in the record of an entry.
func (k *knowing) digest(id ID, record []byte) sum {
	k.mu.Lock()
	n := k.entries[id].find(record)
	k.mu.Unlock()
	if n != nil {
		return n.digest
	}
	return digestOf(id[:], record[nodeSize:])
}

// add makes an entry known that will not be changed any more, and returns the
// digest of the facts in its record.
func (k *knowing) add(e *entry, record []byte) sum {
	if len(record) > knownRecord {
		return digestOf(e.id[:], record[nodeSize:])
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	v := k.entries[e.id]
	if n := v.find(record); n != nil {
		e.known = &known{entry: e, record: n.record, content: n.content, digest: n.digest}
		return n.digest
	}
	e.known = &known{entry: e, record: string(record), content: new(atomic.Pointer[content]), digest: digestOf(e.id[:], record[nodeSize:])}
	if v == nil {
		if k.entries == nil || len(k.entries) >= knownCount {
			k.entries = map[ID]*variants{}
		}
		v = new(variants)
		k.entries[e.id] = v
	}
	v.list[v.next] = e.known
	v.next = (v.next + 1) % len(v.list)
	return e.known.digest
}

// contentOf returns what an entry's content was found to be: nil when it was not
// asked for yet, or e is neither frozen nor the entry that is known.
func (e *entry) contentOf() *content {
	if e.frozen != nil {
		return e.frozen
	}
	if e.known == nil || e.known.entry != e {
		return nil
	}
	return e.known.content.Load()
}

// keepContent keeps the content of a known entry, unless it depends on more than
// the entry's record.
func (e *entry) keepContent(c *content) {
	if e.known == nil || e.known.entry != e {
		return
	}
	if !e.spilled() {
		e.known.content.Store(c)
	}
}
