package naive

import (
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
)

// outcome is what became of one value; outcomes are those of one attribute.
type outcome struct {
	norm, raw, name string
	add, del        *changelog.Change
	killer, outdone *changelog.Change
	went            *changelog.Change // the newest that removed it by its name, else that added it
	alive, naming   bool
	repaired        bool
}

type outcomes []outcome

// attribute is one attribute of an entry, by its canonical name.
type attribute struct {
	name   string
	values outcomes
}

// content is what became of the values of an entry, sorted by name.
type content []attribute

func (c content) find(name string) (i int, found bool) {
	return slices.BinarySearchFunc(c, name, func(a attribute, name string) int { return strings.Compare(a.name, name) })
}

// of returns the values of an attribute.
func (c content) of(name string) outcomes {
	if i, found := c.find(name); found {
		return c[i].values
	}
	return nil
}

// set replaces the values of an attribute.
func (c *content) set(name string, values outcomes) {
	i, found := c.find(name)
	if !found {
		*c = slices.Insert(*c, i, attribute{name: name})
	}
	(*c)[i].values = values
}

func (o outcomes) shown() outcomes {
	return slices.DeleteFunc(slices.Clone(o), func(v outcome) bool { return !v.alive })
}

func (n *Model) rdn(e *plain) dn.RDN {
	if n.parent[e.id].IsZero() && len(n.rules.Suffix) > 0 {
		return n.rules.Suffix[0]
	}
	return e.rdn
}

// value decides about one attribute, without regard to classes.
func (n *Model) value(e *plain, attr string) outcomes {
	sch := n.rules.Schema
	out := make(outcomes, 0, 2) // as a rule
	var clear *changelog.Change
	for _, f := range e.clears {
		if f.attr == attr {
			clear = after(clear, f.by)
		}
	}
	at := func(raw string) *outcome {
		norm := sch.Normalise(attr, raw)
		for i := range out {
			if out[i].norm == norm {
				return &out[i]
			}
		}
		out = append(out, outcome{norm: norm})
		return &out[len(out)-1]
	}
	register := sch.SingleValue(attr) || !sch.HasEquality(attr)
	var newest *changelog.Change
	for _, f := range e.adds {
		if f.attr != attr {
			continue
		}
		v := at(f.raw)
		newest = after(newest, f.by)
		if v.add == nil || before(v.add, f.by) || v.add == f.by && (v.raw < f.raw || v.raw == f.raw && v.name < f.name) {
			v.add, v.raw, v.name = f.by, f.raw, f.name
		}
	}
	for _, f := range e.dels {
		if f.attr == attr {
			v := at(f.raw)
			v.del = after(v.del, f.by)
		}
	}
	if register {
		clear = after(clear, newest)
	}
	out = slices.DeleteFunc(out, func(v outcome) bool { return v.add == nil })
	for i := range out {
		v := &out[i]
		v.went = after(after(v.add, v.del), n.renamedAway(e, attr, v.norm))
		if last := after(clear, v.went); before(v.add, last) {
			v.killer = last
		}
		v.alive = v.killer == nil
	}
	for _, a := range n.rdn(e) {
		if sch.Canonical(a.Attr) != attr {
			continue
		}
		norm := sch.Normalise(attr, a.Value)
		i := slices.IndexFunc(out, func(v outcome) bool { return v.norm == norm })
		if i < 0 {
			out = append(out, outcome{norm: norm, raw: a.Value, name: a.Attr, add: e.names[len(e.names)-1]})
			i = len(out) - 1
		} else if !out[i].alive {
			out[i].raw = a.Value
		}
		out[i].alive, out[i].naming = true, true
	}
	slices.SortFunc(out, func(a, b outcome) int { return strings.Compare(a.norm, b.norm) })
	if sch.SingleValue(attr) {
		best := -1
		for i, v := range out {
			better := best < 0 || v.naming && !out[best].naming || v.naming == out[best].naming && !before(v.add, out[best].add)
			if v.alive && better {
				best = i
			}
		}
		for i := range out {
			if out[i].alive && i != best {
				out[i].alive, out[i].outdone = false, out[best].add
			}
		}
	}
	return out
}

// renamedAway returns the newest rename that left a value of an older name behind.
func (n *Model) renamedAway(e *plain, attr, norm string) *changelog.Change {
	in := func(c *changelog.Change) bool {
		return slices.ContainsFunc(rdnOf(c), func(a dn.AVA) bool {
			return n.rules.Schema.Canonical(a.Attr) == attr && n.rules.Schema.Normalise(attr, a.Value) == norm
		})
	}
	var last *changelog.Change
	if len(e.names) == 1 {
		return nil
	}
	for i, c := range e.names {
		if !c.DeleteOldRDN || in(c) {
			continue
		}
		inForce := -1 // the name that the author replaced
		for j, o := range e.names[:i] {
			if knew(c, o) {
				inForce = j
			}
		}
		for j, o := range e.names[:i] {
			if in(o) && (j == inForce || !knew(c, o)) {
				last = c
			}
		}
	}
	return last
}

// content decides about all attributes. It is not to be changed.
func (n *Model) content(e *plain) content {
	if e.content == nil {
		e.content = n.decide(e)
	}
	return e.content
}

func (n *Model) decide(e *plain) content {
	sch := n.rules.Schema
	names := append(make([]string, 0, len(e.adds)+2), "objectclass")
	for _, f := range e.adds {
		names = append(names, f.attr)
	}
	for _, a := range n.rdn(e) {
		names = append(names, sch.Canonical(a.Attr))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	out := make(content, len(names))
	for i, name := range names {
		out[i] = attribute{name, n.value(e, name)}
	}
	repair(out.of("objectclass"))
	for _, must := range sch.Must(classesOf(out)) {
		repair(out.of(must))
	}
	return out
}

func classesOf(c content) []string {
	var classes []string
	for _, v := range c.of("objectclass") {
		if v.alive {
			classes = append(classes, v.raw)
		}
	}
	return classes
}

// repair revives the value that went last where none is alive.
func repair(values outcomes) {
	if slices.ContainsFunc(values, func(v outcome) bool { return v.alive }) {
		return
	}
	last := -1
	for i, v := range values {
		if last < 0 || values[last].goesBefore(v) {
			last = i
		}
	}
	if last >= 0 {
		values[last].alive, values[last].repaired = true, true
	}
}

// goesBefore compares two values that are removed.
func (o outcome) goesBefore(p outcome) bool {
	if o.went != p.went {
		return before(o.went, p.went)
	}
	return before(o.add, p.add) || o.add == p.add && o.raw < p.raw
}

// hidden reports whether no class allows an attribute any more.
func (n *Model) hidden(e *plain, classes []string, attr string) bool {
	sch := n.rules.Schema
	if attr == "objectclass" || isRegister(attr) || len(classes) == 0 {
		return false
	}
	for _, c := range classes {
		if sch.Class(c) == nil {
			return false
		}
	}
	for _, a := range n.rdn(e) {
		if sch.Canonical(a.Attr) == attr {
			return false
		}
	}
	t := sch.Attribute(attr)
	return t != nil && !t.Operational && !sch.Allows(classes, attr)
}

// glue leaves what a deleted entry shows.
func (n *Model) glue(e *plain, c content) content {
	sch := n.rules.Schema
	classes := slices.DeleteFunc(c.of("objectclass").shown(), func(v outcome) bool {
		return slices.Contains(sch.Must([]string{v.raw}), "userpassword")
	})
	if len(classes) == 0 {
		classes = c.of("objectclass")
	}
	out := content{{"objectclass", classes}}
	must := sch.Must(classesOf(out))
	for _, a := range c {
		naming := slices.ContainsFunc(n.rdn(e), func(ava dn.AVA) bool { return sch.Canonical(ava.Attr) == a.name })
		if a.name != "userpassword" && (naming || isRegister(a.name) || slices.Contains(must, a.name)) && a.name != "objectclass" {
			out.set(a.name, a.values)
		}
	}
	return out
}

// ownRecords returns the records that follow from the entry's facts alone.
func (n *Model) ownRecords(e *plain) []dit.Record {
	content := n.content(e)
	classes := classesOf(content)
	var out []dit.Record
	for _, a := range content {
		attr, values := a.name, a.values
		if isRegister(attr) {
			continue
		}
		hidden := e.live() && n.hidden(e, classes, attr)
		added := func(by *changelog.Change) string {
			for _, v := range values.shown() {
				if v.add == by {
					return v.raw
				}
			}
			return ""
		}
		for _, v := range values {
			by := v.killer
			if by == nil {
				by = v.outdone
			}
			if by != nil && !knew(by, v.add) {
				out = append(out, dit.Record{
					Kind: dit.ValueSuperseded, Attribute: attr, Lost: dit.Side{CSN: v.add.CSN, Value: v.raw}, Won: dit.Side{CSN: by.CSN, Value: added(by)},
				})
			}
			if v.repaired && e.live() {
				out = append(out, dit.Record{
					Kind: dit.MustRepaired, Attribute: attr, Lost: dit.Side{CSN: v.killer.CSN}, Won: dit.Side{CSN: v.add.CSN, Value: v.raw},
				})
			}
			if v.alive && hidden {
				out = append(out, dit.Record{Kind: dit.HiddenNoClass, Attribute: attr, Lost: dit.Side{CSN: v.add.CSN, Value: v.raw}})
			}
		}
	}
	last := e.names[len(e.names)-1]
	for _, c := range e.names {
		if !knew(last, c) {
			out = append(out, dit.Record{
				Kind: dit.RenameSuperseded, Lost: dit.Side{CSN: c.CSN, Value: rdnOf(c).String()}, Won: dit.Side{CSN: last.CSN, Value: rdnOf(last).String()},
			})
		}
	}
	won := e.parents[0]
	for _, c := range e.parents {
		if !n.skipped[c.CSN] {
			won = c
		}
	}
	for _, c := range e.parents {
		r := dit.Record{Lost: dit.Side{CSN: c.CSN, Parent: c.Superior}, Won: dit.Side{CSN: won.CSN, Parent: won.Superior}}
		switch {
		case n.skipped[c.CSN] && !knew(won, c):
			r.Kind = dit.MoveSkipped
		case before(c, won) && c.Superior != won.Superior && !knew(won, c):
			r.Kind = dit.MoveSuperseded
		default:
			continue
		}
		out = append(out, r)
	}
	out = append(out, n.lifeRecords(e)...)
	for i := range out {
		out[i].Entry = e.id
	}
	return out
}

func (n *Model) lifeRecords(e *plain) []dit.Record {
	var out []dit.Record
	if e.live() {
		if e.deleted != nil && !knew(e.undeleted, e.deleted) {
			out = append(out, dit.Record{Kind: dit.DeleteSuperseded, Lost: dit.Side{CSN: e.deleted.CSN}, Won: dit.Side{CSN: e.undeleted.CSN}})
		}
		return out
	}
	facts := append([]*changelog.Change{e.created}, e.parents...)
	facts = append(facts, e.names...)
	if e.undeleted != nil {
		facts = append(facts, e.undeleted)
	}
	for _, f := range slices.Concat(e.clears, e.adds, e.dels) {
		if !isRegister(f.name) {
			facts = append(facts, f.by)
		}
	}
	lost := map[changelog.CSN]bool{}
	for _, c := range facts {
		if !knew(e.deleted, c) && !lost[c.CSN] {
			lost[c.CSN] = true
			out = append(out, dit.Record{Kind: dit.ChangeOnDeleted, Lost: dit.Side{CSN: c.CSN}, Won: dit.Side{CSN: e.deleted.CSN}})
		}
	}
	return out
}
