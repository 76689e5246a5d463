package dit

import (
	"encoding/binary"
	"slices"
	"strings"

	"ldapsync/dn"
)

// tally is what must be known of a spilled attribute without reading it: how
// many of its values are shown, and about how many there are records.
type tally struct{ shown, lost uint64 }

func (t *tally) add(o tally, times int64) {
	t.shown += o.shown * uint64(times)
	t.lost += o.lost * uint64(times)
}

func (t tally) bytes() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, t.shown), t.lost)
}

// tally returns what is stored.
func (s *State) tally(e *entry, a *attribute) tally {
	stored := s.kv.Get(appendKeyText(idKey(keySpill, e.id), a.name))
	r := reader{rest: string(stored)}
	if stored == nil {
		return tally{}
	}
	t := tally{r.uvarint(), r.uvarint()}
	if r.err != nil {
		s.fail(r.err)
	}
	return t
}

// tallied reports whether a tally of an attribute is kept: where what becomes of
// its values follows from the facts under one spelling of its name. No name
// of the entry may ever have had a value of it.
func (s *State) tallied(e *entry, canonical string) bool {
	if canonical == s.objectClass {
		return false
	}
	spellings := 0
	for _, a := range e.attrs {
		if s.canonical(a.name) == canonical {
			spellings++
		}
	}
	names := func(rdn dn.RDN) bool {
		return slices.ContainsFunc(rdn, func(a dn.AVA) bool { return s.canonical(a.Attr) == canonical })
	}
	for _, n := range e.names {
		if names(s.parseRDN(n.rdn)) {
			return false
		}
	}
	return spellings == 1 && !(len(s.rules.Suffix) > 0 && names(s.rules.Suffix[0]))
}

// tallyOf returns what a group of values adds to the tally of its attribute, one
// that is no register.
func tallyOf(a *attribute, g valueGroup) tally {
	var add, del *stamp
	for _, v := range g.values {
		add, del = newest(add, v.add), newest(del, v.del)
	}
	killer := newest(a.clear, del)
	switch {
	case add == nil:
		return tally{}
	case !add.before(killer):
		return tally{shown: 1}
	case killer.covers(add):
		return tally{}
	}
	return tally{lost: 1}
}

// recount returns the tally of an attribute by reading it.
func (s *State) recount(e *entry, a *attribute, canonical string) tally {
	var t tally
	decided := s.aspect(e, attributeGroup{name: canonical, spelt: []*attribute{a}}, &names{})
	for _, f := range decided.values {
		t.shown += bit(f.shown)
		t.lost += bit(f.lost())
	}
	return t
}

// lost reports whether there is a record about the value.
func (f fate) lost() bool { by := f.by(); return by != nil && !by.covers(f.add) }

// by returns the fact that took the value away, nil when none did.
func (f fate) by() *stamp {
	if f.killer != nil {
		return f.killer
	}
	return f.outdone
}

// hasRecords reports whether there are records about e, reading spilled
// attributes only where it must.
func (s *State) hasRecords(e *entry) bool {
	if s.uneventful(e) {
		return false
	}
	if e.created == nil || !e.node.live || !slices.ContainsFunc(e.attrs, func(a *attribute) bool { return a.spill != nil }) {
		return len(s.records(e)) > 0
	}
	rest := *e
	rest.attrs = nil
	type counted struct {
		name string
		tally
	}
	var apart []counted
	for _, a := range e.attrs {
		if name := s.canonical(a.name); a.spill != nil && s.tallied(e, name) {
			apart = append(apart, counted{name, s.tally(e, a)})
		} else {
			rest.attrs = append(rest.attrs, a)
		}
	}
	rule := s.ruleOf(s.content(&rest).classes)
	for _, c := range apart {
		switch {
		case c.lost > 0, c.shown > 0 && rule.forbids(c.name):
			return true
		case c.shown == 0 && slices.ContainsFunc(rule.must, func(m string) bool { return strings.EqualFold(m, c.name) }):
			return len(s.records(e)) > 0
		}
	}
	return len(s.records(&rest)) > 0
}
