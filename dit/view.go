package dit

import (
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dn"
	"ldapsync/schema"
)

// Shown is an entry as the state shows it. It is equal on every server that has
// the same facts and rules.
type Shown struct {
	ID ID
	// Parent is the entry below which it is shown, zero for the suffix entry.
	Parent ID
	// RDN is its name there, with the mark of a conflict.
	RDN dn.RDN
	// Attrs are sorted by canonical name, their values by normal form.
	Attrs []Attribute
	// Glue says that the entry is deleted and shown for what is below it.
	Glue bool
	// ConflictOf is the entry that has the plain name, zero when this one has.
	ConflictOf ID
}

// View returns what is shown of an entry: nil when it is unknown, deleted or
// withheld for a superior that has not arrived.
func (s *State) View(id ID) (*Shown, error) {
	var shown *Shown
	if e := s.peek(id); e != nil {
		shown = s.show(e)
	}
	if err := s.caught(); err != nil {
		return nil, err
	}
	return shown, nil
}

// place is where an entry is shown.
type place struct {
	shown bool
	// parent is the entry below which it is shown.
	parent ID
	// conflict says that winner has the name it claims.
	conflict bool
	winner   ID
}

// place decides about the name of e: model step 8.
func (s *State) place(e *entry) place {
	if !e.node.placed {
		return place{}
	}
	first, ok := s.foremost(e)
	if !ok {
		return place{}
	}
	p := place{parent: s.family(e.node.parent).display}
	top := e.node.parent.IsZero()
	if first.id == e.id {
		p.shown = true
		return p
	}
	if !e.node.live && (top || first.container && e.node.container) {
		return p // what is below it is shown below the first
	}
	p.shown, p.conflict, p.winner = !top, true, first.id
	return p
}

func (s *State) show(e *entry) *Shown {
	p := s.place(e)
	if !p.shown {
		return nil
	}
	c := s.content(e)
	if !e.node.live {
		c = c.clone()
		s.strip(c)
	}
	out := &Shown{ID: e.id, Parent: p.parent, RDN: c.rdn, Glue: !e.node.live, Attrs: c.attributes()}
	if out.Glue {
		out.mark(s, schema.Glue, "TRUE")
	}
	if p.conflict {
		out.RDN = append(slices.Clone(out.RDN), conflictAVA(e.id))
		out.ConflictOf = p.winner
		out.mark(s, schema.ConflictID, e.id.String())
		out.mark(s, schema.ConflictOf, p.winner.String())
	}
	return out
}

// Register returns the value that an entry has of an attribute which has one, and the
// change that it is from, zero where it has none. Of an entry that is deleted it is
// what it would have.
func (s *State) Register(id ID, attr string) (value string, from changelog.Mark, err error) {
	e := s.peek(id)
	if e == nil || !e.node.created {
		return "", from, s.caught()
	}
	if a := s.content(e).aspect(s.canonical(attr)); a != nil {
		for _, f := range a.values {
			if f.shown {
				value, from = f.raw, changelog.Mark{Seq: f.add.seq, CSN: f.add.csn}
			}
		}
	}
	return value, from, s.caught()
}

// conflictAVA returns what an entry that lost its name has in its RDN.
func conflictAVA(id ID) dn.AVA { return dn.AVA{Attr: schema.ConflictID, Value: id.String()} }

// attributes returns what is visible.
func (c *content) attributes() []Attribute {
	out := make([]Attribute, 0, len(c.aspects))
	room := make([]string, 0, len(c.aspects)+4)
	for _, a := range c.aspects {
		if a.hidden {
			continue
		}
		var attr Attribute
		start := len(room)
		var spelt *stamp
		for _, f := range a.values {
			if !f.shown {
				continue
			}
			if attr.Name == "" || !f.add.before(spelt) {
				attr.Name, spelt = f.name, f.add
			}
			room = append(room, f.raw)
		}
		if len(room) > start {
			attr.Values = room[start:len(room):len(room)]
			out = append(out, attr)
		}
	}
	return out
}

// strip leaves of a deleted entry what it cannot do without: its name, what its
// classes demand, and who made it when; never a password, nor a class that
// demands one where another remains.
func (s *State) strip(c *content) {
	password := s.canonical(userPassword)
	demands := func(class string) bool { return slices.Contains(s.ruleOf([]string{class}).must, password) }
	kept := slices.DeleteFunc(slices.Clone(c.classes), demands)
	if len(kept) == 0 {
		kept = c.classes
	}
	must := s.ruleOf(kept).must
	for _, a := range c.aspects {
		switch {
		case a.name == s.objectClass:
			for i := range a.values {
				a.values[i].shown = a.values[i].shown && slices.Contains(kept, a.values[i].raw)
			}
		case a.name == password:
			a.hidden = true
		case !a.naming && operationalName(a.name) == "" && !slices.Contains(must, a.name):
			a.hidden = true
		}
	}
}

// mark adds one of the view's own attributes, and their class.
func (v *Shown) mark(s *State, name, value string) {
	v.addValue(s, objectClass, schema.ConflictClass)
	v.addValue(s, name, value)
}

// addValue adds a value in its place unless it is there.
func (v *Shown) addValue(s *State, name, value string) {
	canonical := s.canonical(name)
	i, found := slices.BinarySearchFunc(v.Attrs, canonical, func(a Attribute, canonical string) int {
		return strings.Compare(s.canonical(a.Name), canonical)
	})
	if !found {
		v.Attrs = slices.Insert(v.Attrs, i, Attribute{Name: name})
	}
	a := &v.Attrs[i]
	normalise := s.rules.Schema.Normalise
	j, found := slices.BinarySearchFunc(a.Values, normalise(canonical, value), func(v, norm string) int {
		return strings.Compare(normalise(canonical, v), norm)
	})
	if !found {
		a.Values = slices.Insert(a.Values, j, value)
	}
}

// DN returns the name of an entry as shown; false when it is not shown.
func (s *State) DN(id ID) (dn.DN, bool, error) {
	name, ok := s.dn(id)
	if err := s.caught(); err != nil {
		return nil, false, err
	}
	return name, ok, nil
}

func (s *State) dn(id ID) (dn.DN, bool) {
	e := s.peek(id)
	if e == nil {
		return nil, false
	}
	p := s.place(e)
	if !p.shown {
		return nil, false
	}
	if p.parent.IsZero() {
		if len(s.rules.Suffix) > 0 {
			return s.rules.Suffix, true
		}
		return dn.DN{s.parseRDN(e.name().rdn)}, true
	}
	rdn := s.parseRDN(e.name().rdn)
	if p.conflict {
		rdn = append(rdn, conflictAVA(id))
	}
	above, ok := s.dn(p.parent)
	if !ok {
		return nil, false
	}
	return append(dn.DN{rdn}, above...), true
}

// Find returns the entry that is shown under a name; false when there is none.
func (s *State) Find(name dn.DN) (ID, bool, error) {
	id, ok := s.find(name)
	if err := s.caught(); err != nil {
		return ID{}, false, err
	}
	return id, ok, nil
}

func (s *State) find(name dn.DN) (ID, bool) {
	suffix := s.rules.Suffix
	depth := len(name) - len(suffix)
	if depth < 0 || !name[depth:].Equal(suffix, s.rules.Schema) {
		return ID{}, false
	}
	top := s.rank(s.gathered(s.keyAt(keyName, ID{}), false))
	if len(top) == 0 {
		return ID{}, false
	}
	id := top[0].id
	for i := depth - 1; i >= 0; i-- {
		var ok bool
		if id, ok = s.child(id, name[i]); !ok {
			return ID{}, false
		}
	}
	return id, true
}

// child returns the entry shown as rdn below parent.
func (s *State) child(parent ID, rdn dn.RDN) (ID, bool) {
	f := s.family(parent)
	if !f.ok || f.display != parent {
		return ID{}, false
	}
	plain := withoutMarks(rdn)
	if len(plain) == 0 {
		return ID{}, false
	}
	key := plain.Key(s.rules.Schema)
	for _, sib := range s.rank(s.namesakes(f.members, key)) {
		e := s.peek(sib.id)
		if e == nil {
			break
		}
		p := s.place(e)
		shown := plain
		if p.conflict {
			shown = append(slices.Clone(plain), conflictAVA(e.id))
		}
		if p.shown && shown.Equal(rdn, s.rules.Schema) {
			return e.id, true
		}
	}
	return ID{}, false
}

// Withheld returns how many entries are known of and not shown because their
// creation or that of a superior has not arrived. One that was deleted since waits for
// nothing.
func (s *State) Withheld() (int, error) {
	held := newIDSet()
	var gaps []ID
	s.kv.Scan([]byte{keyGap}, nil, func(k, _ []byte) bool {
		gaps = append(gaps, lastID(k))
		return true
	})
	for _, id := range gaps {
		if n, _ := s.node(id); n.live {
			held.add(id)
		}
		s.below(id, held)
	}
	return len(held.order), s.caught()
}
