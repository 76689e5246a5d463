package dit

import (
	"bytes"
	"fmt"

	"ldapsync/changelog"
)

// State is the replicated state of one suffix. It must alone write to its KV as
// long as it is used, and is not safe for concurrent use. After an error of a
// method that writes, the transaction must be given up.
type State struct {
	kv    KV
	rules Rules
	memo  *memo
	// objectClass is its canonical name.
	objectClass string
	// families and entries are caches.
	families cache[family]
	entries  cache[entry]
	totals   *totals
	// scratch is where records are put together, spare where values are.
	scratch []byte
	spare   []candidate
	look    look
	// dropped says that Forget has dropped something.
	dropped bool
	err     error
}

// Open returns the state that kv holds; an empty kv holds the empty state. It
// costs little: a State is for one transaction.
func Open(kv KV, rules Rules) *State {
	s := new(State)
	s.Reopen(kv, rules)
	return s
}

// Reopen makes of s, new or closed, what Open returns.
func (s *State) Reopen(kv KV, rules Rules) {
	s.kv, s.rules, s.memo = kv, rules, rules.memo
	if s.memo == nil || !s.memo.fits(rules) {
		s.memo = newMemo(rules)
	}
	s.objectClass = s.memo.class()
}

// Close makes s forget everything but memory that can be used again.
func (s *State) Close() {
	clear(s.spare[:cap(s.spare)])
	s.look.ids, s.look.text = bounded(s.look.ids), bounded(s.look.text)
	s.families.clear()
	s.entries.clear()
	*s = State{
		families: s.families, entries: s.entries,
		scratch: bounded(s.scratch), spare: bounded(s.spare), look: s.look,
	}
}

// keptSize is how many things a closed State keeps room for at most.
const keptSize = 1 << 10

func bounded[T any](list []T) []T {
	if cap(list) > keptSize {
		return nil
	}
	return list[:0]
}

// fail remembers the first error; what was asked yields nothing from then on.
func (s *State) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *State) damaged(what string) { s.fail(fmt.Errorf("%w: %s", ErrDamaged, what)) }

// caught returns the error remembered and forgets it.
func (s *State) caught() error {
	err := s.err
	s.err = nil
	return err
}

func (s *State) put(key, value []byte) {
	s.forgetEntry(key)
	if err := s.kv.Put(key, value); err != nil {
		s.fail(fmt.Errorf("write state: %w", err))
	}
}

func (s *State) delete(key []byte) {
	s.forgetEntry(key)
	if err := s.kv.Delete(key); err != nil {
		s.fail(fmt.Errorf("write state: %w", err))
	}
}

// forgetEntry takes the entry whose record stands under key out of the cache.
func (s *State) forgetEntry(key []byte) {
	if key[0] == keyEntry {
		s.entries.drop(lastID(key))
	}
}

// canonical returns the one spelling of an attribute description.
func (s *State) canonical(attr string) string { return s.memo.attr(attr).name }

// recordOf returns the record of entry id, nil when there is none.
func (s *State) recordOf(id ID) []byte {
	return s.kv.Get(s.keyAt(keyEntry, id))
}

// node returns what is derived of entry id; false when nothing is known of it.
func (s *State) node(id ID) (node, bool) {
	if e := s.entries.get(id); e != nil {
		return e.node, true
	}
	record := s.recordOf(id)
	if record == nil {
		return node{}, false
	}
	n, err := readNode(record)
	if err != nil {
		s.fail(err)
		return node{}, false
	}
	return n, true
}

// load returns the facts about entry id, to be changed; nil when there are none.
func (s *State) load(id ID) *entry {
	record := s.recordOf(id)
	if record == nil {
		return nil
	}
	if e := s.memo.known.find(id, record); e != nil && e.copied < maxCopied && !e.spilled() {
		if own := e.copy(); own != nil {
			return own
		}
	}
	return s.parse(id, string(record))
}

// parse returns the entry of a record.
func (s *State) parse(id ID, record string) *entry {
	e := &entry{id: id}
	n, err := readNode([]byte(record[:min(nodeSize, len(record))]))
	if e.node = n; err == nil {
		err = e.readFacts(record[nodeSize:])
	}
	if err != nil {
		s.fail(err)
		return nil
	}
	s.ruled(e)
	return e
}

// ruled looks up the rules of e's attributes.
func (s *State) ruled(e *entry) {
	for _, a := range e.attrs {
		if a.rule == nil {
			a.rule = s.memo.attr(a.name)
		}
	}
}

// attrRule returns the rule of an attribute of an entry.
func (s *State) attrRule(a *attribute) *attrRule {
	if a.rule != nil {
		return a.rule
	}
	return s.memo.attr(a.name)
}

// cacheSize is how many entries a State remembers.
const cacheSize = 256

// peek is load for who only reads: what it returns is shared and must not be
// changed, and says how things are now.
func (s *State) peek(id ID) *entry {
	if e := s.entries.get(id); e != nil {
		return e
	}
	record := s.recordOf(id)
	if record == nil {
		return nil
	}
	e := s.memo.known.find(id, record)
	if e == nil {
		text := string(record)
		if e = s.parse(id, text); e == nil {
			return nil
		}
		s.memo.known.add(e, record)
	}
	if s.entries.len() >= cacheSize {
		s.entries.clear()
	}
	s.entries.put(id, e)
	return e
}

// save writes the record of e. Spilled attributes must be in order before; e must
// not be changed any more.
func (s *State) save(e *entry) {
	old := s.recordOf(e.id)
	record := e.appendFacts(e.node.append(s.scratch[:0]))
	s.scratch = record
	if bytes.Equal(old, record) {
		return
	}
	t := s.total()
	var was node
	if old != nil {
		was, _ = readNode(old)
	}
	t.count(was, -1)
	t.count(e.node, +1)
	if old != nil {
		t.sum.sub(s.memo.known.digest(e.id, old))
	}
	s.ruled(e)
	t.sum.add(s.memo.known.add(e, record))
	s.put(s.keyAt(keyEntry, e.id), record)
}

// Newest returns the newest CSN among the facts of an entry, zero when there are none.
func (s *State) Newest(id ID) (changelog.CSN, error) {
	return s.newestOf(id, func(*stamp) bool { return true })
}

// NewestWithin is Newest of the facts that seen contains: a change that is made
// knowing them must be later. Of an attribute of many values it counts all.
func (s *State) NewestWithin(id ID, seen changelog.Seqs) (changelog.CSN, error) {
	return s.newestOf(id, func(at *stamp) bool { return seen.Covers(at.csn.SID, at.seq) })
}

func (s *State) newestOf(id ID, counts func(*stamp) bool) (changelog.CSN, error) {
	var last changelog.CSN
	if e := s.peek(id); e != nil {
		last = e.newest(counts)
	}
	return last, s.caught()
}

func (e *entry) newest(counts func(*stamp) bool) changelog.CSN {
	var last changelog.CSN
	later := func(c changelog.CSN) {
		if last.Before(c) {
			last = c
		}
	}
	e.eachStamp(func(s *stamp) {
		if counts(s) {
			later(s.csn)
		}
	})
	for _, a := range e.attrs {
		if a.spill != nil {
			later(a.spill.newest)
		}
	}
	return last
}
