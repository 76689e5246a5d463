package dit

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"ldapsync/changelog"
)

// Mark is a place in the order in which Export goes through a state. The zero
// Mark is before everything.
type Mark struct {
	// ID is the entry reached: all of it where Within is empty.
	ID ID
	// Within says how far, for the state that wrote it alone.
	Within []byte
}

// A record as it is exchanged is the id of an entry followed by facts in the
// form of a stored record, none of them spilled. It holds some or all of what is
// known of its entry.

// Export returns records of the entries after a mark, by ascending id, until
// they hold about budget octets: at least one while there is any. Next is where
// to go on; more says that there is something there. Every record is one that
// Absorb takes; one can be as long as the longest value and then some.
func (s *State) Export(after Mark, budget int) (records [][]byte, next Mark, more bool, err error) {
	x := export{state: s, left: budget}
	next = after
	if len(after.Within) > 0 {
		if e := s.load(after.ID); e != nil && !x.resume(e, after.Within) {
			return x.records, x.at, true, s.caught()
		}
		next.Within = nil
	}
	for x.left > 0 || len(x.records) == 0 {
		ids, last := s.entriesAfter(next.ID, 64)
		for _, id := range ids {
			if x.left <= 0 && len(x.records) > 0 {
				return x.records, next, true, s.caught()
			}
			e := s.load(id)
			if e == nil {
				return nil, Mark{}, false, s.caught()
			}
			if !x.entry(e) {
				return x.records, x.at, true, s.caught()
			}
			next.ID = id
		}
		if last {
			return x.records, next, false, s.caught()
		}
	}
	return x.records, next, true, s.caught()
}

// entriesAfter returns up to max ids of entries; last says that there are no more.
func (s *State) entriesAfter(id ID, max int) (ids []ID, last bool) {
	last = true
	s.kv.Scan([]byte{keyEntry}, append(idKey(keyEntry, id), 0), func(k, _ []byte) bool {
		if last = len(ids) < max; last {
			ids = append(ids, lastID(k))
		}
		return last
	})
	return ids, last
}

// export is one call of Export.
type export struct {
	state   *State
	records [][]byte
	left    int
	// at is where it stopped within an entry.
	at Mark
}

func (x *export) add(e *entry) {
	record := e.appendFacts(bytes.Clone(e.id[:]))
	x.records = append(x.records, record)
	x.left -= len(record)
}

// entry exports all of e; false when the budget ends within it.
func (x *export) entry(e *entry) bool {
	if !e.spilled() {
		x.add(e)
		return true
	}
	base := *e
	base.attrs = nil
	var spilled []*attribute
	for _, a := range e.attrs {
		switch {
		case a.spill == nil:
			base.attrs = append(base.attrs, a)
		case a.clear != nil:
			base.attrs = append(base.attrs, &attribute{name: a.name, clear: a.clear})
			fallthrough
		default:
			spilled = append(spilled, a)
		}
	}
	x.add(&base)
	return x.values(e.id, spilled, nil)
}

// values exports what spilled attributes hold, the first of them after a key;
// false when the budget ends before.
func (x *export) values(id ID, spilled []*attribute, after []byte) bool {
	for i, a := range spilled {
		for last := false; !last; {
			if x.left <= 0 {
				x.at = Mark{ID: id, Within: x.state.markWithin(spilled[i:], after)}
				return false
			}
			var part *attribute
			if part, after, last = x.state.valuesAfter(id, a.name, after, x.left); len(part.values) > 0 {
				x.add(&entry{id: id, attrs: []*attribute{part}})
			}
		}
		after = nil
	}
	return true
}

// valuesAfter returns values of a spilled attribute behind a key of theirs, of
// about budget octets; at is the last key, last says that there are no more.
func (s *State) valuesAfter(id ID, name string, after []byte, budget int) (part *attribute, at []byte, last bool) {
	part, at, last = &attribute{name: name}, after, true
	prefix := valuePrefix(id, name)
	from := prefix
	if after != nil {
		from = append(append(bytes.Clone(prefix), after...), 0)
	}
	shared := new(stamp)
	s.kv.Scan(prefix, from, func(k, v []byte) bool {
		if last = budget > 0; !last {
			return false
		}
		part.values = append(part.values, s.readValues(string(v), shared)...)
		if n := len(part.values); n > 0 {
			shared = newest(part.values[n-1].add, part.values[n-1].del)
		}
		at = bytes.Clone(k[len(prefix):])
		budget -= len(v)
		return s.err == nil
	})
	slices.SortFunc(part.values, func(a, b value) int { return strings.Compare(a.raw, b.raw) })
	share(part)
	return part, at, last
}

// share makes one of the stamps of one change.
func share(a *attribute) {
	one := map[changelog.CSN]*stamp{}
	unique := func(at *stamp) *stamp {
		if at == nil {
			return nil
		}
		if one[at.csn] == nil {
			one[at.csn] = at
		}
		return one[at.csn]
	}
	for i := range a.values {
		v := &a.values[i]
		v.add, v.del = unique(v.add), unique(v.del)
	}
}

// markWithin writes where in the spilled attributes of an entry an export stands:
// the schema by whose normal forms the values are in order, the attributes not
// exported whole yet, and the key of the last value of the first.
func (s *State) markWithin(spilled []*attribute, key []byte) []byte {
	b := appendText(nil, s.rules.Schema.Digest())
	b = binary.AppendUvarint(b, uint64(len(spilled)))
	for _, a := range spilled {
		b = appendText(b, a.name)
	}
	return append(b, key...)
}

// resume exports the rest of e; false when the budget ends before. What has
// ceased to be spilled since is exported whole. Where the order has changed it
// begins again.
func (x *export) resume(e *entry, within []byte) bool {
	r := &reader{rest: string(within)}
	if digest := r.text(); r.err != nil || digest != x.state.rules.Schema.Digest() {
		return x.entry(e)
	}
	rest := &entry{id: e.id}
	var spilled []*attribute
	var after []byte
	first := false
	count := r.count(1)
	for n := range count {
		i, found := e.find(r.text())
		first = first || found && n == 0 && e.attrs[i].spill != nil
		switch {
		case !found:
		case e.attrs[i].spill == nil:
			rest.attrs = append(rest.attrs, e.attrs[i])
		default:
			spilled = append(spilled, e.attrs[i])
		}
	}
	if r.err != nil || !slices.IsSortedFunc(rest.attrs, byName) || !slices.IsSortedFunc(spilled, byName) {
		return x.entry(e)
	}
	if first && r.rest != "" {
		after = []byte(r.rest)
	}
	if len(rest.attrs) > 0 {
		x.add(rest)
	}
	return x.values(e.id, spilled, after)
}

func byName(a, b *attribute) int { return strings.Compare(a.name, b.name) }
