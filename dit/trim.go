package dit

import (
	"bytes"
	"maps"
	"slices"
)

// trimming is the forgetting of facts of one entry that goes on to exist, or
// cannot be forgotten yet.
type trimming struct {
	state *State
	f     Forgetting
	// old is the entry as it is stored, now what is left of it.
	old, now *entry
	// kept says that something has to wait for its age.
	kept bool
	// facts are those of old, as they are stored; nil until they are asked for.
	facts []byte
	// shown and records are those of old, once it was looked at.
	looked  bool
	shown   *Shown
	records []Record
}

// run drops what can be dropped. What is shown and recorded is compared before
// and after; where it is not the same, nothing is dropped.
func (t *trimming) run() {
	s, spilt := t.state, t.spills()
	t.spilled()
	t.now = t.old.clone()
	t.names()
	t.values()
	t.lives()
	t.settled()
	if !t.same(t.now) {
		t.kept = true
		t.now = t.old.clone()
	}
	if bare := t.unseen(t.now); t.same(bare) {
		t.now = bare
	}
	t.old.frozen = nil
	if t.unchanged(t.now) && !spilt {
		return
	}
	before := s.pointed(t.old)
	s.reword(t.old, t.now)
	s.unpoint(t.now, before)
	s.review(t.now)
}

// look notes what is shown and recorded of the entry as it is stored.
func (t *trimming) look() {
	if t.looked {
		return
	}
	s := t.state
	t.looked = true
	if t.old.created != nil {
		t.old.frozen = s.content(t.old)
	}
	t.shown, t.records = s.show(t.old), s.records(t.old)
}

// unchanged reports whether nothing of the entry was dropped in e.
func (t *trimming) unchanged(e *entry) bool {
	if t.facts == nil {
		t.facts = t.old.appendFacts(nil)
	}
	return e.node == t.old.node && bytes.Equal(e.appendFacts(nil), t.facts)
}

// clone returns a copy of the facts in e that can be changed.
func (e *entry) clone() *entry {
	c := &entry{id: e.id, node: e.node, created: e.created, deleted: e.deleted, undeleted: e.undeleted, lastDN: e.lastDN,
		edges: slices.Clone(e.edges), names: slices.Clone(e.names), settled: slices.Clone(e.settled)}
	for _, a := range e.attrs {
		b := *a
		b.values = slices.Clone(a.values)
		c.attrs = append(c.attrs, &b)
	}
	return c
}

// same reports whether e in the place of the entry shows the same, would if it
// were restored, and is recorded alike but for what is old enough.
func (t *trimming) same(e *entry) bool {
	s := t.state
	if t.unchanged(e) {
		return true
	}
	t.look()
	if e.created != nil {
		e.frozen = s.content(e)
		defer func() { e.frozen = nil }()
	}
	was, is := t.shown, s.show(e)
	if !was.Same(is) {
		return false
	}
	if !t.old.node.live && !slices.EqualFunc(s.content(t.old).attributes(), s.content(e).attributes(), Attribute.Equal) {
		return false
	}
	if e.created != nil && s.content(e).revives(s.content(t.old)) {
		return false
	}
	left := map[recordKey]bool{}
	for _, r := range s.records(e) {
		left[r.key()] = true
	}
	for _, r := range t.records {
		if !left[r.key()] && t.fresh(r) {
			return false
		}
		delete(left, r.key())
	}
	return len(left) == 0
}

// revives reports whether c has a value that was removed as one that stands. It may be
// shown either way, as a class demands one, and until another is added.
func (c *content) revives(was *content) bool {
	return slices.ContainsFunc(c.aspects, func(a *aspect) bool {
		before := was.aspect(a.name)
		return before != nil && slices.ContainsFunc(a.values, func(f fate) bool {
			i, found := before.find(f.norm)
			return found && f.killer == nil && before.values[i].killer != nil
		})
	})
}

func sameFacts(a, b *entry) bool { return bytes.Equal(a.appendFacts(nil), b.appendFacts(nil)) }

// Same reports whether two views are the same to the octet; nil is none.
func (v *Shown) Same(o *Shown) bool {
	if v == nil || o == nil {
		return v == o
	}
	return v.ID == o.ID && v.Parent == o.Parent && v.Glue == o.Glue && v.ConflictOf == o.ConflictOf && slices.Equal(v.RDN, o.RDN) &&
		slices.EqualFunc(v.Attrs, o.Attrs, Attribute.Equal)
}

// fresh reports whether a record has to stay.
func (t *trimming) fresh(r Record) bool {
	if t.old.isSettled(r.key()) {
		return false
	}
	if r.Time().Time < t.f.cutoff(t.f.Records) {
		return false
	}
	t.kept = true
	return true
}

// names drops the oldest names, up to the newest that is stable. What that one
// and those before it removed is noted with the values themselves. The first of
// several that match one another stays: since then the entry has had the name.
func (t *trimming) names() {
	s, e := t.state, t.now
	last := 0
	for last+1 < len(e.names) && t.f.stable(e.names[last].at) && t.f.stable(e.names[last+1].at) {
		last++
	}
	newest := e.name()
	for i, n := range e.names[:last] {
		if !newest.at.covers(n.at) && t.fresh(Record{Kind: RenameSuperseded, Entry: e.id,
			Lost: Side{CSN: n.at.csn, Value: n.rdn}, Won: Side{CSN: newest.at.csn, Value: newest.rdn}}) {
			last = i
			break
		}
	}
	if last == 0 || e.spilled() {
		return
	}
	first := last
	for first > 0 && s.rdnKeyOf(e.names[first-1].rdn) == s.rdnKeyOf(e.names[last].rdn) {
		first--
	}
	if first == 0 && last == 1 {
		return
	}
	removed := *e
	removed.names = e.names[:last+1]
	t.note(s.names(&removed).left)
	kept := []naming{e.names[first]}
	if first < last {
		kept = append(kept, e.names[last])
	}
	e.names = append(kept, e.names[last+1:]...)
}

// note writes the removals by renames down with the values.
func (t *trimming) note(left []namingValue) {
	for _, n := range left {
		for _, a := range t.now.attrs {
			if t.state.canonical(a.name) != n.attr {
				continue
			}
			for i := range a.values {
				v := &a.values[i]
				if t.state.rules.Schema.Normalise(n.attr, v.raw) == n.norm {
					v.del = newest(v.del, n.at)
				}
			}
		}
	}
}

// values drops dead values, and removals of what has been added again since.
func (t *trimming) values() {
	s, e := t.state, t.now
	for _, a := range s.content(e).aspects {
		if a.rule.operational {
			continue
		}
		var spelt []*attribute
		for _, b := range e.attrs {
			if s.attrRule(b).name == a.name {
				spelt = append(spelt, b)
			}
		}
		if !slices.ContainsFunc(spelt, func(b *attribute) bool { return b.spill != nil }) {
			t.aspect(a, spelt)
		}
	}
	e.attrs = slices.DeleteFunc(e.attrs, func(a *attribute) bool { return a.clear == nil && len(a.values) == 0 && a.spill == nil })
}

// aspect drops what it can of one attribute, however it is spelt. Where a removed value
// is shown all stay: another may yet be the one that went last, if it is removed once
// more where a directory holds it still.
func (t *trimming) aspect(a *aspect, spelt []*attribute) {
	// A class may come to demand it. What a rename removed may turn out to stand.
	last := a.wentLast(func(f fate) bool { return t.f.stable(f.went) })
	normal := func(v value) string { return t.state.rules.Schema.Normalise(a.name, v.raw) }
	unsettled := map[string]bool{} // values with facts that are not stable
	for _, b := range spelt {
		for _, v := range b.values {
			if !t.f.stable(v.add) || !t.f.stable(v.del) {
				unsettled[normal(v)] = true
			}
		}
	}
	for _, b := range spelt {
		b.values = slices.DeleteFunc(b.values, func(v value) bool {
			norm := normal(v)
			i, added := a.find(norm)
			switch {
			case unsettled[norm]:
				return false
			case !added || v.add == nil && a.values[i].killer == nil:
				return true
			case a.values[i].killer == nil:
				return v.add.before(a.values[i].add)
			}
			return i != last && !a.repaired && !a.values[i].naming && t.droppable(a, a.values[i])
		})
		for i := range b.values {
			v := &b.values[i]
			if v.del != nil && v.del.before(v.add) && !unsettled[normal(*v)] {
				v.del = nil
			}
		}
	}
	for _, b := range spelt {
		if b.clear != nil && t.f.stable(b.clear) && !kills(b.clear, spelt) {
			b.clear = nil
		}
	}
}

// kills reports whether a removal of all values is later than any of them.
func kills(clear *stamp, spelt []*attribute) bool {
	return slices.ContainsFunc(spelt, func(b *attribute) bool {
		return slices.ContainsFunc(b.values, func(v value) bool { return v.add.before(clear) })
	})
}

// droppable reports whether a value that is dead may be forgotten.
func (t *trimming) droppable(a *aspect, f fate) bool {
	if f.killer == nil || !t.f.stable(f.killer) || !t.f.stable(f.add) {
		return false
	}
	return !f.lost() || !t.fresh(f.superseded(t.now.id, a.name))
}

// lives drops a deletion that was undone, or what undid an earlier one.
func (t *trimming) lives() {
	e := t.now
	if !t.f.stable(e.deleted) || !t.f.stable(e.undeleted) {
		return
	}
	switch {
	case e.deleted != nil && e.live():
		e.deleted, e.undeleted, e.lastDN = nil, nil, ""
	case e.deleted != nil:
		e.undeleted = nil
	}
}

// settled drops what says of records that are gone and long past that they were
// dropped.
func (t *trimming) settled() {
	s, e := t.state, t.now
	if len(e.settled) == 0 || t.unstable() != nil {
		return
	}
	told := map[recordKey]bool{}
	for _, r := range append(s.decisions(e), s.outward(e)...) {
		told[r.key()] = true
	}
	old := t.f.cutoff(t.f.Records)
	e.settled = slices.DeleteFunc(e.settled, func(d settled) bool { return !told[d.key] && d.at.Time < old })
}

// unseen returns e without what the authors of its changes had seen, where all of
// them are stable. Values that are compared with those of other entries keep it.
func (t *trimming) unseen(e *entry) *entry {
	c := e.clone()
	if !e.node.live || t.unstable() != nil || len(e.names) > 1 || len(e.edges) > 1 {
		return c
	}
	s := t.state
	bare := map[*stamp]*stamp{}
	c.eachStamp(func(at *stamp) {
		bare[at] = at
		if at.seen != "" {
			bare[at] = &stamp{csn: at.csn, seq: at.seq}
		}
	})
	for _, a := range c.attrs {
		if s.pointing(s.attrRule(a)) {
			for _, v := range a.values {
				bare[v.add] = v.add
			}
		}
	}
	c.replaceStamps(func(at *stamp) *stamp {
		if at == nil {
			return nil
		}
		return bare[at]
	})
	return c
}

func (e *entry) replaceStamps(by func(*stamp) *stamp) {
	e.created, e.deleted, e.undeleted = by(e.created), by(e.deleted), by(e.undeleted)
	for i := range e.edges {
		e.edges[i].at = by(e.edges[i].at)
	}
	for i := range e.names {
		e.names[i].at = by(e.names[i].at)
	}
	for _, a := range e.attrs {
		a.clear = by(a.clear)
		for i := range a.values {
			v := &a.values[i]
			v.add, v.del = by(v.add), by(v.del)
		}
	}
}

// pointed returns the keys of the indexes that lead from values to e.
func (s *State) pointed(e *entry) map[string]bool {
	keys := map[string]bool{}
	s.eachEverAdded(e, func(r *attrRule, raw string) {
		for _, k := range s.pointers(e, r, raw) {
			keys[string(k)] = true
		}
	})
	return keys
}

// unpoint deletes of the keys that led to e those whose value it has no more.
func (s *State) unpoint(e *entry, before map[string]bool) {
	if len(before) == 0 {
		return
	}
	after := s.pointed(e)
	maps.DeleteFunc(before, func(k string, _ bool) bool { return after[k] })
	for k := range before {
		s.delete([]byte(k))
		s.pair(e.id, []byte(k), false)
	}
}

// reword stores what is left of an entry whose shape stays as it is.
func (s *State) reword(old, now *entry) {
	before := s.indexKeys(old)
	s.dropped = s.dropped || !sameFacts(old, now)
	if old.deleted != nil && now.deleted == nil {
		s.unbury(old.id, tombOf(old))
	}
	s.save(now)
	s.reindex(before, s.indexKeys(now))
}
