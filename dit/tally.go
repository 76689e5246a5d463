package dit

import (
	"encoding/binary"
	"slices"
	"strings"

	"ldapsync/dn"
)

// tally is what must be known of a spilled attribute without reading it: how
// many of its values are shown, about how many there are records, and whether
// those are in the journal, where they are from the entry's creation on.
type tally struct {
	shown, lost uint64
	listed      bool
}

func (t *tally) add(o tally, times int64) {
	t.shown += o.shown * uint64(times)
	t.lost += o.lost * uint64(times)
}

func (t tally) bytes() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, t.shown), t.lost<<1|bit(t.listed))
}

// tally returns what is stored.
func (s *State) tally(e *entry, a *attribute) tally {
	stored := s.kv.Get(appendKeyText(idKey(keySpill, e.id), a.name))
	r := reader{rest: string(stored)}
	if stored == nil {
		return tally{}
	}
	t := tally{shown: r.uvarint()}
	lost := r.uvarint()
	t.lost, t.listed = lost>>1, lost&1 == 1
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
		if s.attrRule(a).name == canonical {
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

// fateOf returns what becomes of a group of values of an attribute, one that is
// no register; false when none was ever added.
func fateOf(a *attribute, g valueGroup) (fate, bool) {
	f := fate{name: a.name}
	var del *stamp
	for _, v := range g.values {
		if v.add != nil && !v.add.before(f.add) {
			f.add, f.raw = v.add, v.raw
		}
		del = newest(del, v.del)
	}
	if f.add == nil {
		return fate{}, false
	}
	f.went = f.add
	f.kill(a.clear)
	f.killByName(del)
	f.shown = f.killer == nil
	return f, true
}

// tallyOf returns what a group of values adds to the tally of its attribute, one
// that is no register.
func tallyOf(a *attribute, g valueGroup) tally {
	f, added := fateOf(a, g)
	if !added {
		return tally{}
	}
	return tally{shown: bit(f.shown), lost: bit(f.lost())}
}

// recount returns the tally of an attribute by reading it, and what was lost.
func (s *State) recount(e *entry, a *attribute, canonical string) (t tally, lost []Record) {
	decided := s.aspect(e, attributeGroup{rule: s.attrRule(a), spelt: []*attribute{a}}, &names{})
	for _, f := range decided.values {
		t.shown += bit(f.shown)
		if f.lost() {
			t.lost++
			lost = append(lost, f.superseded(e.id, canonical))
		}
	}
	return t, lost
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

// superseded returns the record about a value that was lost, as far as it is
// kept in the journal.
func (f fate) superseded(id ID, canonical string) Record {
	return Record{
		Kind: ValueSuperseded, Entry: id, Attribute: canonical,
		Lost: Side{CSN: f.add.csn, Value: f.raw}, Won: Side{CSN: f.by().csn},
	}
}

// apart returns e without the spilled attributes whose records are those of
// their values alone, which spillAttribute keeps; nil when the records of e can
// only be told by reading all of it.
func (s *State) apart(e *entry) *entry {
	if e.created == nil || !e.spilled() {
		return e
	}
	rest := *e
	rest.attrs = nil
	type counted struct {
		*attrRule
		tally
	}
	var spilled []counted
	for _, a := range e.attrs {
		if r := s.attrRule(a); a.spill != nil && s.tallied(e, r.name) {
			spilled = append(spilled, counted{r, s.tally(e, a)})
		} else {
			rest.attrs = append(rest.attrs, a)
		}
	}
	if len(spilled) == 0 {
		return e
	}
	if !e.node.live {
		return nil
	}
	rule := s.ruleOf(s.content(&rest).classes)
	for _, c := range spilled {
		if c.shown > 0 && rule.forbids(c.attrRule) ||
			c.shown == 0 && slices.ContainsFunc(rule.must, func(m string) bool { return strings.EqualFold(m, c.name) }) {
			return nil
		}
	}
	return &rest
}
