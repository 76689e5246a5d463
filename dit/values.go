package dit

import (
	"cmp"
	"slices"
	"strings"

	"ldapsync/dn"
)

// content is what the facts make of the attributes of an entry.
type content struct {
	rdn     dn.RDN
	aspects []*aspect // by ascending name
	classes []string
}

// aspect is one attribute, however its description was spelled.
type aspect struct {
	name   string // canonical
	rule   *attrRule
	values []fate // every value that was ever added or stands in the name, by normal form
	// hidden says that no class of the entry allows the attribute any more.
	hidden bool
	// repaired says that a removed value is shown because a class demands one.
	repaired bool
	naming   bool
}

// fate is what became of one value.
type fate struct {
	norm, raw string
	// name is the description as the newest addition spelled it.
	name string
	// add is the newest addition; for a value that stands in the name alone,
	// the naming.
	add *stamp
	// killer is the newest of what removed the value since, nil when nothing did.
	killer *stamp
	// went is the newest of what removed the value by its name since, the newest
	// addition when nothing did. A removal of all values says nothing of one that was
	// dead before, of which others may not know any more.
	went *stamp
	// outdone is the addition of the value that takes the only place there is.
	outdone *stamp
	shown   bool
	naming  bool
}

func (a *aspect) visible() bool {
	return !a.hidden && slices.ContainsFunc(a.values, func(f fate) bool { return f.shown })
}

// find returns the place where the value of that normal form is or belongs.
func (a *aspect) find(norm string) (int, bool) {
	return slices.BinarySearchFunc(a.values, norm, func(f fate, norm string) int { return strings.Compare(f.norm, norm) })
}

// aspect returns that of a canonical name, nil when there is none.
func (c *content) aspect(name string) *aspect {
	i, found := slices.BinarySearchFunc(c.aspects, name, func(a *aspect, name string) int { return strings.Compare(a.name, name) })
	if !found {
		return nil
	}
	return c.aspects[i]
}

// content returns what the facts of a created entry come to. It is shared and
// must not be changed.
func (s *State) content(e *entry) *content {
	c := e.contentOf()
	if c == nil {
		c = s.evaluate(e)
		e.keepContent(c)
	}
	return c
}

// clone returns a content that may be changed.
func (c *content) clone() *content {
	out := *c
	out.aspects = make([]*aspect, len(c.aspects))
	for i, a := range c.aspects {
		own := *a
		own.values = slices.Clone(a.values)
		out.aspects[i] = &own
	}
	return &out
}

// evaluate takes model steps 4 to 7.
func (s *State) evaluate(e *entry) *content {
	n := s.names(e)
	groups := s.groups(e, n)
	c := &content{rdn: n.rdn, aspects: make([]*aspect, len(groups))}
	all := make([]aspect, len(groups))
	room := len(n.values)
	for _, a := range e.attrs {
		room += len(a.values)
	}
	fates := make([]fate, 0, room)
	for i, group := range groups {
		c.aspects[i] = &all[i]
		fates = s.decide(&all[i], fates, e, group, n)
	}
	s.repair(c, s.objectClass)
	if oc := c.aspect(s.objectClass); oc != nil {
		for _, f := range oc.values {
			if f.shown {
				c.classes = append(c.classes, f.raw)
			}
		}
	}
	rule := s.ruleOf(c.classes)
	for _, must := range rule.must {
		s.repair(c, must)
	}
	for _, a := range c.aspects {
		a.hidden = !a.naming && rule.forbids(a.rule)
	}
	return c
}

// attributeGroup is the facts about one attribute under all its spellings.
type attributeGroup struct {
	rule   *attrRule
	spelt  []*attribute
	naming bool
}

// groups returns the facts about e's attributes by canonical name, with those
// that stand in the name alone.
func (s *State) groups(e *entry, n *names) []attributeGroup {
	groups := make([]attributeGroup, 0, len(e.attrs)+len(n.values))
	for i, a := range e.attrs {
		groups = append(groups, attributeGroup{rule: s.attrRule(a), spelt: e.attrs[i : i+1 : i+1]})
	}
	for _, v := range n.values {
		groups = append(groups, attributeGroup{rule: v.rule, naming: true})
	}
	slices.SortStableFunc(groups, func(a, b attributeGroup) int { return strings.Compare(a.rule.name, b.rule.name) })
	joined := groups[:0]
	for _, g := range groups {
		if last := len(joined) - 1; last >= 0 && joined[last].rule.name == g.rule.name {
			joined[last].spelt = append(joined[last].spelt, g.spelt...)
			joined[last].naming = joined[last].naming || g.naming
			continue
		}
		joined = append(joined, g)
	}
	return joined
}

// aspect decides about the values of one attribute.
func (s *State) aspect(e *entry, g attributeGroup, n *names) *aspect {
	a := new(aspect)
	s.decide(a, nil, e, g, n)
	return a
}

// decide fills in an aspect. Its values are appended to fates, which is
// returned.
func (s *State) decide(a *aspect, fates []fate, e *entry, g attributeGroup, n *names) []fate {
	rule := g.rule
	a.name, a.rule, a.naming = rule.name, rule, g.naming
	var clear *stamp
	all := s.spare[:0]
	plain := rule.operational && !g.naming && len(n.left) == 0
	for _, attr := range g.spelt {
		clear = newest(clear, attr.clear)
		all = s.candidates(all, e, attr, rule, plain)
	}
	s.spare = all
	all = joinCandidates(all)
	if rule.register {
		for _, v := range all {
			clear = newest(clear, v.add)
		}
	}
	start := len(fates)
	for _, v := range all {
		if v.add == nil {
			continue
		}
		f := fate{norm: v.norm, raw: v.raw, name: v.name, add: v.add, went: v.add}
		f.kill(clear)
		f.killByName(v.del)
		f.killByName(n.killer(rule.name, v.norm))
		f.shown = f.killer == nil
		fates = append(fates, f)
	}
	a.values = fates[start:len(fates):len(fates)]
	if g.naming {
		n.force(a)
	}
	if rule.single {
		a.single()
	}
	return fates
}

// kill notes what may have removed the value.
func (f *fate) kill(by *stamp) {
	if !f.add.before(by) {
		return
	}
	f.killer = newest(f.killer, by)
}

// killByName notes what removes this value, whatever others there are.
func (f *fate) killByName(by *stamp) {
	f.kill(by)
	f.went = newest(f.went, by)
}

// candidate is a value with its newest addition and removal.
type candidate struct {
	norm, raw, name string
	add, del        *stamp
}

// candidates appends the values of an attribute. Plain ones are as good as their
// normal forms: of operational attributes there is one.
func (s *State) candidates(all []candidate, e *entry, a *attribute, rule *attrRule, plain bool) []candidate {
	if a.spill != nil {
		return s.spilledCandidates(all, e, a, rule.name)
	}
	for _, v := range a.values {
		norm := v.raw
		if !plain {
			norm = rule.normalise(v.raw)
		}
		all = append(all, candidate{norm, v.raw, a.name, v.add, v.del})
	}
	return all
}

// joinCandidates sorts by normal form and makes one of those that match: with
// the spelling that was added last.
func joinCandidates(all []candidate) []candidate {
	if len(all) < 2 {
		return all
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(strings.Compare(a.norm, b.norm), strings.Compare(a.raw, b.raw), strings.Compare(a.name, b.name))
	})
	joined := all[:1]
	for _, v := range all[1:] {
		last := &joined[len(joined)-1]
		if last.norm != v.norm {
			joined = append(joined, v)
			continue
		}
		if !v.add.before(last.add) {
			last.raw, last.name = v.raw, v.name
		}
		last.add, last.del = newest(last.add, v.add), newest(last.del, v.del)
	}
	return joined
}

// single leaves one value shown: one that stands in the name before others,
// then the one added last.
func (a *aspect) single() {
	best := -1
	for i, f := range a.values {
		if !f.shown {
			continue
		}
		if best < 0 || a.values[best].yields(f) {
			best = i
		}
	}
	for i := range a.values {
		if f := &a.values[i]; f.shown && i != best {
			f.shown, f.outdone = false, a.values[best].add
		}
	}
}

// yields reports whether o, later in order, takes the place of f.
func (f fate) yields(o fate) bool {
	if f.naming != o.naming {
		return o.naming
	}
	return !o.add.before(f.add)
}

// repair shows, where the attribute of that canonical name has no value left,
// the one that went last.
func (s *State) repair(c *content, name string) {
	a := c.aspect(name)
	if a == nil || a.visible() {
		return
	}
	if last := a.wentLast(func(fate) bool { return true }); last >= 0 {
		a.values[last].shown, a.repaired = true, true
	}
}

// wentLast returns the place of the value to show once none of those that count is left,
// as far as is known by now, -1 when there is none. One of which only the name tells is
// gone with that.
func (a *aspect) wentLast(counts func(fate) bool) int {
	last := -1
	for i, f := range a.values {
		if f.went != nil && counts(f) && (last < 0 || a.values[last].goesBefore(f)) {
			last = i
		}
	}
	return last
}

// goesBefore reports whether f goes before o: what is still to come about other values
// makes no difference to it.
func (f fate) goesBefore(o fate) bool {
	return cmp.Or(f.went.csn.Compare(o.went.csn), f.add.csn.Compare(o.add.csn), strings.Compare(f.raw, o.raw)) < 0
}
