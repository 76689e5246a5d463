package dit

import (
	"encoding/binary"
	"slices"
	"strings"

	"ldapsync/changelog"
)

// spill stands for the values of an attribute that are kept under keys of their
// own, because they are too many or too long for the record of the entry: a
// change of one value then costs the same however many there are.
type spill struct {
	// count is the number of values ever added or removed, newest the newest
	// CSN among their facts.
	count  int
	newest changelog.CSN
	// cleared is the clear of the attribute as it is stored.
	cleared *stamp
	// pending are facts to be merged with those values.
	pending []value
}

// An attribute with more values than spillCount, or more octets than spillSize,
// spills. Which does must follow from the facts alone.
var (
	spillCount = 256
	spillSize  = 16 << 10
)

// overflows reports whether the values of a do not belong in the record.
func (a *attribute) overflows() bool {
	if a.spill != nil {
		return false
	}
	size := 0
	for _, v := range a.values {
		size += len(v.raw)
	}
	return (len(a.values) > spillCount || size > spillSize) && operationalName(a.name) == ""
}

// spillOver moves values that have become too many out of the record, and those
// of spilled attributes that the change has brought to where they belong. It
// reports whether the latter were new.
func (s *State) spillOver(e *entry) (changed bool) {
	for _, a := range e.attrs {
		fresh := a.overflows()
		if fresh {
			a.spill = &spill{cleared: a.clear, pending: a.values}
			a.values = nil
		}
		if a.spill != nil && s.spillAttribute(e, a) && !fresh {
			changed = true
		}
	}
	return changed
}

// spillAttribute stores the pending facts of a and keeps its tally and the
// records about its values.
func (s *State) spillAttribute(e *entry, a *attribute) (changed bool) {
	key := appendKeyText(idKey(keySpill, e.id), a.name)
	name := s.attrRule(a).name
	had := s.kv.Get(key) != nil
	tallied := s.tallied(e, name)
	listed := e.created != nil
	t := s.tally(e, a)
	local := had && tallied && a.clear == a.spill.cleared && t.listed == listed && !s.rules.isRegister(name)
	for _, v := range a.spill.pending {
		group := s.readGroup(e.id, a.name, name, v.raw)
		before := group.clone()
		if !s.mergeSpilled(e, a, &group, v) {
			continue
		}
		changed = true
		t.add(tallyOf(a, before), -1)
		t.add(tallyOf(a, group), +1)
		if local && listed {
			s.relist(e, a, name, before, group)
		}
	}
	a.spill.pending = nil
	stale := changed || a.clear != a.spill.cleared || !had || t.listed != listed
	a.spill.cleared = a.clear
	switch {
	case !tallied:
		if s.setKey(key, false) {
			s.list(e, spilledPrefix(e.id, name), nil)
		}
	case local && changed:
		s.put(key, t.bytes())
	case stale:
		t, lost := s.recount(e, a, name)
		if t.listed = listed; !listed {
			lost = nil
		}
		s.put(key, t.bytes())
		s.list(e, spilledPrefix(e.id, name), lost)
	}
	return changed
}

// relist keeps the record about a group of values that has changed.
func (s *State) relist(e *entry, a *attribute, name string, before, after valueGroup) {
	prefix := spilledPrefix(e.id, name)
	was, _ := fateOf(a, before)
	is, _ := fateOf(a, after)
	switch {
	case was.lost() && is.lost() && was.superseded(e.id, name).key() == is.superseded(e.id, name).key():
		return
	case was.lost():
		s.unlist(e.id, prefix, was.superseded(e.id, name).key())
	}
	if is.lost() && !e.isSettled(is.superseded(e.id, name).key()) {
		s.enlist(e.id, prefix, is.superseded(e.id, name))
	}
}

// valueGroup is the values of a spilled attribute that match one another.
type valueGroup struct {
	key    []byte
	values []value // by octets
}

func valuePrefix(id ID, attr string) []byte { return appendKeyText(idKey(keyValue, id), attr) }

// readGroup returns the values stored that match raw.
func (s *State) readGroup(id ID, attr, canonical, raw string) valueGroup {
	return s.groupOf(id, attr, s.rules.Schema.Normalise(canonical, raw))
}

// groupOf returns the values stored that have a normal form.
func (s *State) groupOf(id ID, attr, norm string) valueGroup {
	g := valueGroup{key: appendKeyText(valuePrefix(id, attr), norm)}
	if stored := s.kv.Get(g.key); stored != nil {
		g.values = s.readValues(string(stored), new(stamp))
	}
	return g
}

// mergeSpilled merges the facts about v into its group and stores the group. It
// reports whether any was new.
func (s *State) mergeSpilled(e *entry, a *attribute, g *valueGroup, v value) bool {
	total := s.total()
	i, found := g.find(v.raw)
	if !found {
		g.values = slices.Insert(g.values, i, value{raw: v.raw})
		a.spill.count++
	} else {
		total.sum.sub(digestOf(e.id[:], []byte(a.name), g.values[i].append(nil)))
	}
	moved := g.values[i].absorb(v.add, v.del)
	total.sum.add(digestOf(e.id[:], []byte(a.name), g.values[i].append(nil)))
	if !moved {
		return false
	}
	total.dirty = true
	for _, at := range []*stamp{v.add, v.del} {
		if at != nil && a.spill.newest.Before(at.csn) {
			a.spill.newest = at.csn
		}
	}
	s.put(g.key, g.bytes())
	return true
}

func (g *valueGroup) find(raw string) (int, bool) {
	return slices.BinarySearchFunc(g.values, raw, func(v value, raw string) int { return strings.Compare(v.raw, raw) })
}

// insert adds a value that is not in the group.
func (g *valueGroup) insert(v value) {
	i, _ := g.find(v.raw)
	g.values = slices.Insert(g.values, i, v)
}

func (g *valueGroup) clone() valueGroup { return valueGroup{g.key, slices.Clone(g.values)} }

func (g *valueGroup) bytes() []byte {
	var b []byte
	for _, v := range g.values {
		b = v.append(b)
	}
	return b
}

// append appends a value with its stamps: octets*4 + which of addition and
// removal follow, each with the time and the rest of its stamp.
func (v value) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(v.raw))<<2|bit(v.add != nil)<<1|bit(v.del != nil))
	b = append(b, v.raw...)
	for _, at := range []*stamp{v.add, v.del} {
		if at != nil {
			b = at.appendRest(binary.AppendVarint(b, at.csn.Time))
		}
	}
	return b
}

// readValues reads the values of a group. Stamps like last, the one read before,
// are shared; it is set to the last.
func (s *State) readValues(stored string, last *stamp) []value {
	r := &reader{rest: stored}
	var values []value
	for r.rest != "" && r.err == nil {
		head := r.uvarint()
		v := value{raw: r.take(head >> 2)}
		if head&2 != 0 {
			v.add = r.sharedStamp(&last)
		}
		if head&1 != 0 {
			v.del = r.sharedStamp(&last)
		}
		r.check(v.add != nil || v.del != nil, "value without facts")
		values = append(values, v)
	}
	if r.err != nil {
		s.fail(r.err)
		return nil
	}
	return values
}

func (r *reader) sharedStamp(last **stamp) *stamp {
	at := r.stampAt(r.varint())
	if at.csn != (*last).csn || at.seq != (*last).seq || at.seen != (*last).seen {
		*last = &at
	}
	return *last
}

// eachGroup calls fn with the normal form, where the key has it, and the values
// of every group of a spilled attribute.
func (s *State) eachGroup(e *entry, a *attribute, fn func(norm string, known bool, values []value)) {
	prefix := valuePrefix(e.id, a.name)
	last := new(stamp)
	s.kv.Scan(prefix, nil, func(k, v []byte) bool {
		if len(k) < len(prefix)+2 {
			s.damaged("key of value")
			return false
		}
		norm := k[len(prefix)+2:]
		values := s.readValues(string(v), last)
		fn(string(norm), len(norm) < longKey, values)
		return s.err == nil
	})
}

func (s *State) spilledCandidates(all []candidate, e *entry, a *attribute, canonical string) []candidate {
	s.eachGroup(e, a, func(norm string, known bool, values []value) {
		for _, v := range values {
			if !known {
				norm = s.rules.Schema.Normalise(canonical, v.raw)
			}
			all = append(all, candidate{norm, v.raw, a.name, v.add, v.del})
		}
	})
	return all
}
