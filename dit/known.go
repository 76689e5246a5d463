package dit

import (
	"sync"
	"sync/atomic"
)

// known is an entry as it was read from a record, or written to one, and what
// was made of it. The entry is not changed any more; it is shared by every State
// that finds the same record.
type known struct {
	entry   *entry
	record  string
	content atomic.Pointer[content]
}

// The bounds of what a memo knows: the number of entries, and the size of the
// record of one.
const (
	knownCount  = 256
	knownRecord = 8 << 10
)

// knowing holds the entries that were read or written last. It is safe for
// concurrent use.
type knowing struct {
	mu      sync.Mutex
	entries map[ID]*known
}

// find returns the entry of which this is the record, nil when it is not known.
func (k *knowing) find(id ID, record []byte) *entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := k.entries[id]; n != nil && n.record == string(record) {
		return n.entry
	}
	return nil
}

// add makes an entry known that will not be changed any more.
func (k *knowing) add(e *entry, record string) {
	if len(record) > knownRecord {
		return
	}
	e.known = &known{entry: e, record: record}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries == nil || len(k.entries) >= knownCount {
		k.entries = map[ID]*known{}
	}
	k.entries[e.id] = e.known
}

// contentOf returns what a known entry's content was found to be, nil when it was
// not asked for yet or e is not the entry that is known.
func (e *entry) contentOf() *content {
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
	for _, a := range e.attrs {
		if a.spill != nil {
			return
		}
	}
	e.known.content.Store(c)
}
