package memory

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
)

// entry is immutable once stored.
type entry struct {
	parent changelog.ID
	rdn    dn.RDN
	csn    changelog.CSN
	attrs  []directory.Attribute
	serial uint64
}

// state is the tree.
type state struct {
	entries map[changelog.ID]*entry
	serial  uint64
}

func newState() state { return state{entries: map[changelog.ID]*entry{}} }

func (s state) clone() state { return state{entries: maps.Clone(s.entries), serial: s.serial} }

// order returns the ids in the order in which the entries were added.
func (s state) order() []changelog.ID {
	return slices.SortedFunc(maps.Keys(s.entries), func(a, b changelog.ID) int {
		return int(s.entries[a].serial) - int(s.entries[b].serial)
	})
}

func (s state) name(id changelog.ID, suffix dn.DN) dn.DN {
	var name dn.DN
	for !id.IsZero() {
		e := s.entries[id]
		name = append(name, e.rdn)
		id = e.parent
	}
	return append(name, suffix.Parent()...)
}

func (s state) report(id changelog.ID, suffix dn.DN) *directory.Entry {
	e := s.entries[id]
	out := &directory.Entry{ID: id, DN: s.name(id, suffix).String(), CSN: e.csn}
	for _, a := range e.attrs {
		out.Attrs = append(out.Attrs, directory.Attribute{Name: a.Name, Values: slices.Clone(a.Values)})
	}
	return out
}

// txn is a transaction in the making.
type txn struct {
	d      *Directory
	state  state
	relax  bool
	events []directory.Event
}

func refused(code int, format string, args ...any) error {
	return &directory.RefusedError{Code: code, Text: fmt.Sprintf(format, args...)}
}

func stale(format string, args ...any) error {
	return fmt.Errorf("%w: %s", directory.ErrStale, fmt.Sprintf(format, args...))
}

func (t *txn) write(w directory.Write) error {
	name, err := dn.Parse(w.DN)
	if err != nil {
		return refused(34, "%v", err)
	}
	if w.Op == directory.Add {
		return t.add(w, name)
	}
	id, ok := t.find(name)
	if !ok {
		return stale("no such object")
	}
	e := *t.state.entries[id]
	if !w.IfCSN.IsZero() && w.IfCSN != e.csn {
		return stale("assertion failed")
	}
	switch w.Op {
	case directory.Delete:
		return t.remove(id)
	case directory.Modify:
		err = t.modify(&e, w.Mods)
	case directory.ModDN:
		err = t.moddn(id, &e, w)
	}
	if err != nil {
		return err
	}
	return t.put(id, e)
}

// find resolves a name in the tree as the transaction has left it so far.
func (t *txn) find(name dn.DN) (id changelog.ID, ok bool) {
	above := len(name) - len(t.d.suffix)
	for i := above; i >= 0; i-- {
		if id, ok = t.child(id, name[i]); !ok {
			return id, false
		}
	}
	return id, above >= 0
}

func (t *txn) child(parent changelog.ID, rdn dn.RDN) (changelog.ID, bool) {
	key := rdn.Key(t.d.schema)
	for id, e := range t.state.entries {
		if e.parent == parent && e.rdn.Key(t.d.schema) == key {
			return id, true
		}
	}
	return changelog.ID{}, false
}

func (t *txn) add(w directory.Write, name dn.DN) error {
	if _, taken := t.find(name); taken {
		return stale("entry already exists")
	}
	if t.state.entries[w.ID] != nil {
		return refused(19, "entryUUID is taken")
	}
	var parent changelog.ID
	if len(name) > len(t.d.suffix) {
		var ok bool
		if parent, ok = t.find(name.Parent()); !ok {
			return stale("no such superior")
		}
	}
	e := entry{parent: parent, rdn: name[0]}
	for _, a := range w.Attrs {
		e.attrs = append(e.attrs, directory.Attribute{Name: a.Name, Values: slices.Clone(a.Values)})
	}
	for _, ava := range name[0] {
		t.ensure(&e, ava)
	}
	if !t.relax {
		t.stamp(&e, "creatorsName", "createTimestamp")
	}
	t.state.serial++
	e.serial = t.state.serial
	return t.put(w.ID, e)
}

func (t *txn) remove(id changelog.ID) error {
	for _, e := range t.state.entries {
		if e.parent == id {
			return stale("not allowed on non-leaf")
		}
	}
	delete(t.state.entries, id)
	t.events = append(t.events, directory.Event{Kind: directory.Gone, IDs: []changelog.ID{id}})
	return nil
}

// put checks an entry, stamps it and reports it.
func (t *txn) put(id changelog.ID, e entry) error {
	if err := t.check(&e); err != nil {
		return err
	}
	e.csn = t.d.clock.Next(time.Time{})
	if !t.relax {
		t.stamp(&e, "modifiersName", "modifyTimestamp")
	}
	t.state.entries[id] = &e
	t.events = append(t.events, directory.Event{Kind: directory.State, Entry: t.state.report(id, t.d.suffix)})
	return nil
}

func (t *txn) stamp(e *entry, who, when string) {
	t.set(e, who, []string{"cn=client"})
	t.set(e, when, []string{t.d.clock.Next(time.Time{}).When().Format("20060102150405Z")})
}

func (t *txn) set(e *entry, name string, values []string) {
	e.attrs = slices.DeleteFunc(slices.Clone(e.attrs), func(a directory.Attribute) bool {
		return t.d.schema.Canonical(a.Name) == t.d.schema.Canonical(name)
	})
	if len(values) > 0 {
		e.attrs = append(e.attrs, directory.Attribute{Name: name, Values: values})
	}
}

func (t *txn) get(e *entry, name string) []string {
	for _, a := range e.attrs {
		if t.d.schema.Canonical(a.Name) == t.d.schema.Canonical(name) {
			return a.Values
		}
	}
	return nil
}

func (t *txn) index(e *entry, name, value string) int {
	key := t.d.schema.Normalise(name, value)
	return slices.IndexFunc(t.get(e, name), func(v string) bool { return t.d.schema.Normalise(name, v) == key })
}

func (t *txn) ensure(e *entry, ava dn.AVA) {
	if t.index(e, ava.Attr, ava.Value) < 0 {
		t.set(e, ava.Attr, append(slices.Clone(t.get(e, ava.Attr)), ava.Value))
	}
}

func (t *txn) modify(e *entry, mods []changelog.Mod) error {
	for _, m := range mods {
		switch m.Op {
		case changelog.ModReplace:
			t.set(e, m.Attr, slices.Clone(m.Values))
		case changelog.ModAdd:
			for _, v := range m.Values {
				if t.index(e, m.Attr, v) >= 0 {
					return refused(20, "%s: value exists", m.Attr)
				}
				t.set(e, m.Attr, append(slices.Clone(t.get(e, m.Attr)), v))
			}
		case changelog.ModDelete:
			for _, v := range m.Values {
				i := t.index(e, m.Attr, v)
				if i < 0 {
					return refused(16, "%s: no such value", m.Attr)
				}
				t.set(e, m.Attr, slices.Delete(slices.Clone(t.get(e, m.Attr)), i, i+1))
			}
		}
	}
	return nil
}

func (t *txn) moddn(id changelog.ID, e *entry, w directory.Write) error {
	rdn, err := dn.ParseRDN(w.NewRDN)
	if err != nil {
		return refused(34, "%v", err)
	}
	if w.NewSuperior != "" {
		name, err := dn.Parse(w.NewSuperior)
		if err != nil {
			return refused(34, "%v", err)
		}
		superior, ok := t.find(name)
		if !ok {
			return stale("no such superior")
		}
		for up := superior; !up.IsZero(); up = t.state.entries[up].parent {
			if up == id {
				return refused(53, "below itself")
			}
		}
		e.parent = superior
	}
	if other, taken := t.child(e.parent, rdn); taken && other != id {
		return stale("entry already exists")
	}
	if w.DeleteOldRDN {
		for _, ava := range e.rdn {
			if i := t.index(e, ava.Attr, ava.Value); i >= 0 {
				t.set(e, ava.Attr, slices.Delete(slices.Clone(t.get(e, ava.Attr)), i, i+1))
			}
		}
	}
	e.rdn = rdn
	for _, ava := range rdn {
		t.ensure(e, ava)
	}
	return nil
}

// check enforces the schema and that the naming values are there.
func (t *txn) check(e *entry) error {
	s := t.d.schema
	classes := t.get(e, "objectClass")
	if len(classes) == 0 {
		return refused(65, "no objectClass")
	}
	for _, c := range classes {
		if s.Class(c) == nil {
			return refused(21, "objectClass %s is unknown", c)
		}
	}
	for _, a := range e.attrs {
		switch {
		case s.Attribute(a.Name) == nil:
			return refused(17, "%s: attribute type undefined", a.Name)
		case !s.Allows(classes, a.Name):
			return refused(65, "%s is not allowed", a.Name)
		case s.SingleValue(a.Name) && len(a.Values) > 1:
			return refused(19, "%s is single-valued", a.Name)
		}
	}
	for _, must := range s.Must(classes) {
		if len(t.get(e, must)) == 0 {
			return refused(65, "%s is missing", must)
		}
	}
	for _, ava := range e.rdn {
		if t.index(e, ava.Attr, ava.Value) < 0 {
			return refused(64, "naming value of %s is missing", ava.Attr)
		}
	}
	return nil
}
