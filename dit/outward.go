package dit

import (
	"slices"

	"ldapsync/changelog"
)

// Two kinds of records depend on other entries than the one they are about:
// values that name deleted entries, and values that others have though they are
// to be unique. The indexes for both only tell which entries to look at: they
// hold every value that was ever added.

// unique reports whether values of the attribute are to be unique. Options do
// not matter.
func (s *State) unique(r *attrRule) bool {
	if len(s.rules.Unique) == 0 {
		return false
	}
	return slices.Contains(s.memo.canonicals(s.rules.Unique), r.base)
}

// pointing reports whether the values of the attribute stand in an index.
func (s *State) pointing(r *attrRule) bool { return r.reference || s.unique(r) }

func (s *State) uniqueKey(canonical, norm string) []byte {
	return appendKeyText(appendKeyText([]byte{keyUnique}, canonical), norm)
}

// point adds to the indexes what change c has just added to e, whose newest
// deletion was before. It returns the entries besides e whose records may depend
// on that.
func (s *State) point(e *entry, c *changelog.Change, before tomb) (others []ID) {
	others = s.bury(e, before)
	s.eachAdded(c, func(r *attrRule, raw string) { s.pointValue(e, r, raw) })
	if s.alters(c) {
		others = append(others, s.referrers(e)...)
	}
	if len(s.rules.Unique) > 0 && (s.alters(c) || slices.ContainsFunc(c.Mods, func(m changelog.Mod) bool { return s.unique(s.memo.attr(m.Attr)) })) {
		others = append(others, s.rivals(e)...)
	}
	return others
}

// pointAll makes the indexes of all facts of e.
func (s *State) pointAll(e *entry) {
	if e.deleted != nil {
		s.bury(e, tomb{})
	}
	s.eachEverAdded(e, func(r *attrRule, raw string) { s.pointValue(e, r, raw) })
}

// eachAdded calls fn with the values that a change adds, of attributes that stand in
// an index; those of a name may be of others.
func (s *State) eachAdded(c *changelog.Change, fn func(r *attrRule, raw string)) {
	for _, m := range c.Mods {
		if m.Op == changelog.ModDelete || isMark(m.Attr) {
			continue
		}
		if r := s.memo.attr(m.Attr); s.pointing(r) {
			for _, v := range m.Values {
				fn(r, v)
			}
		}
	}
	if c.Op != changelog.OpModDN {
		return
	}
	rdn, _ := nameOf(c)
	for _, a := range rdn {
		fn(s.memo.attr(a.Attr), a.Value)
	}
}

// eachEverAdded calls fn with the values that e was ever given of attributes that
// stand in an index.
func (s *State) eachEverAdded(e *entry, fn func(r *attrRule, raw string)) {
	for _, a := range e.attrs {
		r := s.attrRule(a)
		if !s.pointing(r) {
			continue
		}
		given := func(values []value) {
			for _, v := range values {
				if v.add != nil {
					fn(r, v.raw)
				}
			}
		}
		given(a.values)
		if a.spill != nil {
			s.eachGroup(e, a, func(_ string, _ bool, values []value) { given(values) })
		}
	}
}

// pointValue adds a value of e to the indexes it belongs to.
func (s *State) pointValue(e *entry, r *attrRule, raw string) {
	for _, k := range s.pointers(e, r, raw) {
		if s.setKey(k, true) {
			s.pair(e.id, k, true)
		}
	}
}

// pointers returns the keys of the indexes that lead from a value to e.
func (s *State) pointers(e *entry, r *attrRule, raw string) (keys [][]byte) {
	if !s.pointing(r) {
		return nil
	}
	norm := r.normalise(raw)
	if r.reference {
		keys = append(keys, digestKey(keyRefer, digestOfName(norm), e.id))
	}
	if s.unique(r) {
		keys = append(keys, append(s.uniqueKey(r.name, norm), e.id[:]...))
	}
	return keys
}

// pair notes which deleted entries an entry names by the name that a pointer has
// begun to lead from, or has ceased to.
func (s *State) pair(id ID, pointer []byte, stand bool) {
	if pointer[0] != keyRefer {
		return
	}
	name := nameDigest(pointer[1 : 1+len(nameDigest{})])
	for _, target := range s.idsAt(digestKey(keyTomb, name)) {
		s.setKey(idKey(keyPair, id, target), stand)
	}
}

// rivals returns the other entries that were ever given a value of e that is to
// be unique.
func (s *State) rivals(e *entry) (others []ID) {
	s.eachEverAdded(e, func(r *attrRule, raw string) {
		if !s.unique(r) {
			return
		}
		for _, id := range s.idsAt(s.uniqueKey(r.name, r.normalise(raw))) {
			if id != e.id {
				others = append(others, id)
			}
		}
	})
	return others
}

// reviewOthers keeps the journal of entries that another one's change concerns.
func (s *State) reviewOthers(ids []ID) {
	if len(ids) == 0 {
		return
	}
	done := newIDSet()
	for _, id := range ids {
		if done.add(id) {
			if e := s.load(id); e != nil {
				s.review(e)
			}
		}
	}
}

// outward returns the records about e that depend on other entries.
func (s *State) outward(e *entry) (out []Record) {
	if !e.node.created || !e.node.live {
		return nil
	}
	references, unique := false, false
	for _, a := range e.attrs {
		r := s.attrRule(a)
		references = references || r.reference
		unique = unique || s.unique(r)
	}
	x := &exhibit{state: s, entry: e}
	if references {
		out = s.dangling(out, x)
	}
	if unique {
		out = s.violations(out, x)
	}
	for i := range out {
		out[i].Entry = e.id
	}
	return out
}

func (s *State) dangling(out []Record, x *exhibit) []Record {
	for _, id := range s.idsAt(s.keyAt(keyPair, x.entry.id)) {
		target := s.load(id)
		if target == nil || !target.node.created || target.node.live {
			continue
		}
		norm, _ := s.normalName(target.lastDN)
		for _, attr := range x.names(func(r *attrRule) bool { return r.reference }) {
			f, shown := x.value(attr, norm)
			if shown && !f.add.covers(target.deleted) && !target.deleted.covers(f.add) {
				out = append(out, Record{
					Kind: DanglingReference, Attribute: attr, Winner: id,
					Lost: Side{CSN: f.add.csn, Value: f.raw}, Won: Side{CSN: target.deleted.csn},
				})
			}
		}
	}
	return out
}

func (s *State) violations(out []Record, x *exhibit) []Record {
	for _, attr := range x.names(s.unique) {
		for _, norm := range x.norms(attr) {
			ids := s.idsAt(s.uniqueKey(attr, norm))
			if len(ids) < 2 {
				continue
			}
			mine, shown := x.value(attr, norm)
			if !shown {
				continue
			}
			r := Record{Kind: UniquenessViolation, Attribute: attr, Lost: Side{CSN: mine.add.csn, Value: mine.raw}}
			for _, id := range ids {
				s.elder(&r, x.entry.id, mine, id, norm)
			}
			if !r.Winner.IsZero() {
				out = append(out, r)
			}
		}
	}
	return out
}

// elder makes id the winner of r when it has the value, from earlier than r says
// and unknown to the author of mine.
func (s *State) elder(r *Record, self ID, mine fate, id ID, norm string) {
	e := s.load(id)
	if id == self || e == nil || !e.node.created || !e.node.live {
		return
	}
	f, shown := (&exhibit{state: s, entry: e}).value(r.Attribute, norm)
	if !shown || !f.add.before(mine.add) || mine.add.covers(f.add) {
		return
	}
	if r.Winner.IsZero() || f.add.csn.Before(r.Won.CSN) {
		r.Winner, r.Won = id, Side{CSN: f.add.csn, Value: f.raw}
	}
}

// exhibit tells of single values of an entry whether they are shown, reading no
// more of it than that takes.
type exhibit struct {
	state *State
	entry *entry
	// rest is the entry without what is read value by value, nil until asked.
	rest    *entry
	content *content
}

func (x *exhibit) open() {
	if x.content != nil {
		return
	}
	if x.rest = x.state.apart(x.entry); x.rest == nil {
		x.rest = x.entry
	}
	x.content = x.state.content(x.rest)
}

// names returns the canonical names of the attributes for which which holds.
func (x *exhibit) names(which func(*attrRule) bool) (out []string) {
	for _, a := range x.entry.attrs {
		if r := x.state.attrRule(a); which(r) {
			out = append(out, r.name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// norms returns the normal forms of the values that the attribute was ever given.
func (x *exhibit) norms(canonical string) (out []string) {
	x.state.eachEverAdded(x.entry, func(r *attrRule, raw string) {
		if r.name == canonical {
			out = append(out, r.normalise(raw))
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// value returns what became of a value, and whether it is shown.
func (x *exhibit) value(canonical, norm string) (fate, bool) {
	x.open()
	if a := x.content.aspect(canonical); a != nil {
		i, found := a.find(norm)
		if !found || a.hidden {
			return fate{}, false
		}
		return a.values[i], a.values[i].shown
	}
	for _, a := range x.entry.attrs {
		if a.spill != nil && x.state.attrRule(a).name == canonical {
			f, added := x.group(a, norm)
			return f, added && f.shown
		}
	}
	return fate{}, false
}

func (x *exhibit) group(a *attribute, norm string) (fate, bool) {
	if x.state.attrRule(a).register {
		return x.register(a, norm)
	}
	return fateOf(a, x.state.groupOf(x.entry.id, a.name, norm))
}

// register returns what became of a value of an attribute whose values change
// together, by reading it.
func (x *exhibit) register(a *attribute, norm string) (fate, bool) {
	all := x.state.aspect(x.entry, attributeGroup{rule: x.state.attrRule(a), spelt: []*attribute{a}}, &names{})
	i, found := all.find(norm)
	if !found {
		return fate{}, false
	}
	return all.values[i], true
}
