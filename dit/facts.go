package dit

import (
	"fmt"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dn"
	"ldapsync/schema"
)

// absorb merges the facts of c into e and reports whether any was new. What it
// adds to spilled attributes waits in them.
func (e *entry) absorb(c *changelog.Change) (bool, error) {
	rdn, err := nameOf(c)
	if err != nil {
		return false, err
	}
	a := absorption{entry: e, at: e.stampOf(c)}
	switch c.Op {
	case changelog.OpAdd:
		a.create()
		a.edge(c.Superior)
		a.name(rdn, false)
	case changelog.OpDelete:
		if e.deleted.before(a.at) {
			e.lastDN = c.DN
		}
		a.latest(&e.deleted)
	case changelog.OpModDN:
		if rdn != nil {
			a.name(rdn, c.DeleteOldRDN)
			for _, ava := range rdn {
				a.add(ava.Attr, ava.Value)
			}
		}
		if c.Moved {
			a.edge(c.Superior)
		}
	}
	if c.Undelete {
		a.latest(&e.undeleted)
	}
	for _, m := range c.Mods {
		a.modify(m)
	}
	return a.changed, nil
}

// nameOf returns the RDN that c gives its entry, nil when it gives none.
func nameOf(c *changelog.Change) (dn.RDN, error) {
	if c.RDN == "" || c.Op != changelog.OpAdd && c.Op != changelog.OpModDN {
		return nil, nil
	}
	rdn, err := dn.ParseRDN(c.RDN)
	if err != nil {
		return nil, fmt.Errorf("%w %s/%d: %w", changelog.ErrChange, c.SID(), c.Seq, err)
	}
	if rdn = withoutMarks(rdn); len(rdn) == 0 {
		return nil, fmt.Errorf("%w %s/%d: name of %s alone", changelog.ErrChange, c.SID(), c.Seq, schema.ConflictID)
	}
	return rdn, nil
}

// withoutMarks returns rdn without what the view adds to names.
func withoutMarks(rdn dn.RDN) dn.RDN {
	return slices.DeleteFunc(slices.Clone(rdn), func(a dn.AVA) bool { return isMark(a.Attr) })
}

// absorption is one change on its way into an entry.
type absorption struct {
	entry   *entry
	at      *stamp
	changed bool
}

// latest moves a register of stamps forward to the change.
func (a *absorption) latest(s **stamp) {
	if (*s).before(a.at) {
		*s, a.changed = a.at, true
	}
}

func (a *absorption) create() {
	if e := a.entry; e.created == nil || a.at.before(e.created) {
		e.created, a.changed = a.at, true
	}
}

func (a *absorption) edge(parent ID) {
	e := a.entry
	i, found := slices.BinarySearchFunc(e.edges, a.at, func(g edge, at *stamp) int { return g.at.csn.Compare(at.csn) })
	if !found {
		e.edges = slices.Insert(e.edges, i, edge{a.at, parent})
		a.changed = true
	}
}

func (a *absorption) name(rdn dn.RDN, deleteOld bool) { a.nameAs(rdn.String(), deleteOld) }

func (a *absorption) nameAs(rdn string, deleteOld bool) {
	e := a.entry
	i, found := slices.BinarySearchFunc(e.names, a.at, func(n naming, at *stamp) int { return n.at.csn.Compare(at.csn) })
	if !found {
		e.names = slices.Insert(e.names, i, naming{a.at, rdn, deleteOld})
		a.changed = true
	}
}

func (a *absorption) modify(m changelog.Mod) {
	if isMark(m.Attr) {
		return
	}
	if m.Op == changelog.ModReplace {
		a.clear(m.Attr)
	}
	for _, v := range m.Values {
		switch {
		case isMarkClass(m.Attr, v):
		case m.Op == changelog.ModDelete:
			a.delete(m.Attr, v)
		default:
			a.add(m.Attr, v)
		}
	}
}

func (a *absorption) clear(attr string) {
	if name := operationalName(attr); name != "" {
		a.renew(name)
		return
	}
	a.latest(&a.entry.grow(attr).clear)
}

func (a *absorption) add(attr, raw string) {
	if name := operationalName(attr); name != "" {
		if r := a.renew(name); r != nil {
			a.setValue(r, raw, a.at, nil)
		}
		return
	}
	a.setValue(a.entry.grow(attr), raw, a.at, nil)
}

func (a *absorption) delete(attr, raw string) {
	if name := operationalName(attr); name != "" {
		a.renew(name)
		return
	}
	a.setValue(a.entry.grow(attr), raw, nil, a.at)
}

// renew returns an operational attribute as the change leaves it, emptied of
// what is older; nil when a newer change has written it.
func (a *absorption) renew(name string) *attribute {
	r := a.entry.grow(name)
	switch {
	case a.at.before(r.clear):
		return nil
	case r.clear.before(a.at):
		r.clear, r.values, a.changed = a.at, nil, true
	}
	return r
}

// setValue moves a value's addition and removal forward.
func (a *absorption) setValue(attr *attribute, raw string, add, del *stamp) {
	if attr.spill != nil {
		attr.spill.pending = append(attr.spill.pending, value{raw, add, del})
		return
	}
	i, found := slices.BinarySearchFunc(attr.values, raw, func(v value, raw string) int { return strings.Compare(v.raw, raw) })
	if !found {
		attr.values = slices.Insert(attr.values, i, value{raw: raw})
		a.changed = true
	}
	if attr.values[i].absorb(add, del) {
		a.changed = true
	}
}

// absorb moves the addition and removal forward and reports whether they moved.
func (v *value) absorb(add, del *stamp) bool {
	moved := v.add.before(add) || v.del.before(del)
	v.add, v.del = newest(v.add, add), newest(v.del, del)
	return moved
}
