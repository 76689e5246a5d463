package memory

import (
	"fmt"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
)

// txn is a transaction in the making.
type txn struct {
	d    *Directory
	tree *tree
	// relax lets the writer set what a directory sets by itself.
	relax bool
	// events are what it is reported by: of each entry the last state.
	events []directory.Event
}

// report adds the report of a write, in place of that of an earlier one to the
// same entry.
func (t *txn) report(id changelog.ID) {
	t.events = slices.DeleteFunc(t.events, func(e directory.Event) bool {
		return e.Entry != nil && e.Entry.ID == id || slices.Contains(e.IDs, id)
	})
	if t.tree.entries[id] == nil {
		t.events = append(t.events, directory.Event{Kind: directory.Gone, IDs: []changelog.ID{id}})
	} else {
		t.events = append(t.events, directory.Event{Kind: directory.State, Entry: t.d.report(id)})
	}
}

func refused(code int, format string, args ...any) error {
	return &directory.RefusedError{Code: code, Text: fmt.Sprintf(format, args...)}
}

func stale(format string, args ...any) error {
	return fmt.Errorf("%w: %s", directory.ErrStale, fmt.Sprintf(format, args...))
}

func (t *txn) writeUnlessRefused(w directory.Write) error {
	if t.relax && t.d.refuse != nil {
		if err := t.d.refuse(w); err != nil {
			return err
		}
	}
	return t.write(w)
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
	e := *t.tree.entries[id]
	if !w.IfCSN.IsZero() && w.IfCSN != e.csn {
		return stale("assertion failed")
	}
	if w.Op == directory.Delete {
		return t.remove(id)
	}
	e.keys, e.attrs = slices.Clone(e.keys), slices.Clone(e.attrs)
	switch w.Op {
	case directory.Modify:
		err = t.modify(&e, w.Mods)
	case directory.ModDN:
		err = t.moddn(id, &e, w)
	}
	if err != nil {
		return err
	}
	return t.put(id, e, w)
}

func (t *txn) find(name dn.DN) (changelog.ID, bool) { return t.tree.find(name, t.d.suffix, t.d.schema) }

// usual is how many attributes an entry gets that the writer does not name: those of
// its name and the stamps.
const usual = 6

func (t *txn) add(w directory.Write, name dn.DN) error {
	var parent changelog.ID
	stands := true
	if len(name) > len(t.d.suffix) {
		parent, stands = t.find(name.Parent())
	}
	e := entry{parent: parent, rdn: name[0], key: name[0].Key(t.d.schema), text: name[0].String()}
	_, taken := t.tree.names[place{parent, e.key}]
	switch {
	case stands && taken:
		return stale("entry already exists")
	case t.tree.entries[w.ID] != nil:
		return refused(19, "entryUUID is taken")
	case !stands:
		return stale("no such superior")
	}
	e.keys, e.attrs = make([]string, 0, len(w.Attrs)+usual), make([]directory.Attribute, 0, len(w.Attrs)+usual)
	for _, a := range w.Attrs {
		if len(a.Values) > 0 {
			t.set(&e, a.Name, a.Values)
		}
	}
	for _, ava := range name[0] {
		t.ensure(&e, ava)
	}
	t.stamp(&e, w, "creatorsName", "createTimestamp")
	t.tree.serial++
	e.serial = t.tree.serial
	return t.put(w.ID, e, w)
}

func (t *txn) remove(id changelog.ID) error {
	if t.tree.children[id] > 0 {
		return stale("not allowed on non-leaf")
	}
	t.tree.set(id, nil)
	t.report(id)
	return nil
}

// put checks an entry that a write has made, stamps it and reports it.
func (t *txn) put(id changelog.ID, e entry, w directory.Write) error {
	if err := t.check(&e); err != nil {
		return err
	}
	e.csn = t.d.clock.next()
	t.stamp(&e, w, "modifiersName", "modifyTimestamp")
	e.own = slices.Equal(t.get(&e, "modifiersName"), ownName)
	t.tree.set(id, &e)
	t.report(id)
	return nil
}

// Who writes: Apply, or a client.
var ownName, clientName = []string{"cn=ldapsync"}, []string{"cn=client"}

// stamp sets the two stamps, unless the writer may set them and did.
func (t *txn) stamp(e *entry, w directory.Write, who, when string) {
	if !t.relax || !gives(w, who) {
		name := clientName
		if t.relax {
			name = ownName
		}
		t.set(e, who, name)
	}
	if !t.relax || !gives(w, when) {
		t.set(e, when, t.d.clock.stamp())
	}
}

// gives reports whether a write says what becomes of an attribute.
func gives(w directory.Write, attr string) bool {
	return slices.ContainsFunc(w.Mods, func(m changelog.Mod) bool { return strings.EqualFold(m.Attr, attr) }) ||
		slices.ContainsFunc(w.Attrs, func(a directory.Attribute) bool { return len(a.Values) > 0 && strings.EqualFold(a.Name, attr) })
}

// set replaces the values of an attribute. An attribute that is there keeps its
// place and spelling. E.keys and e.attrs must be e's own, values are kept.
func (t *txn) set(e *entry, name string, values []string) {
	key := t.d.schema.Canonical(name)
	values = slices.Clip(values)
	i := slices.Index(e.keys, key)
	switch {
	case i >= 0 && len(values) == 0:
		e.keys, e.attrs = slices.Delete(e.keys, i, i+1), slices.Delete(e.attrs, i, i+1)
	case i >= 0:
		e.attrs[i].Values = values
	case len(values) > 0:
		e.keys, e.attrs = append(e.keys, key), append(e.attrs, directory.Attribute{Name: name, Values: values})
	}
}

func (t *txn) get(e *entry, name string) []string {
	if i := slices.Index(e.keys, t.d.schema.Canonical(name)); i >= 0 {
		return e.attrs[i].Values
	}
	return nil
}

func (t *txn) index(e *entry, name, value string) int {
	values := t.get(e, name)
	if len(values) == 0 {
		return -1
	}
	norm := t.d.schema.Normalise(name, value)
	return slices.IndexFunc(values, func(v string) bool { return t.d.schema.Normalise(name, v) == norm })
}

func (t *txn) append(e *entry, name, value string) {
	t.set(e, name, append(slices.Clone(t.get(e, name)), value))
}

func (t *txn) drop(e *entry, name string, i int) {
	t.set(e, name, slices.Delete(slices.Clone(t.get(e, name)), i, i+1))
}

func (t *txn) ensure(e *entry, ava dn.AVA) {
	if t.index(e, ava.Attr, ava.Value) < 0 {
		t.append(e, ava.Attr, ava.Value)
	}
}

func (t *txn) modify(e *entry, mods []changelog.Mod) error {
	for _, m := range mods {
		var err error
		switch m.Op {
		case changelog.ModReplace:
			t.set(e, m.Attr, nil)
			err = t.addValues(e, m)
		case changelog.ModAdd:
			err = t.addValues(e, m)
		case changelog.ModDelete:
			err = t.deleteValues(e, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) addValues(e *entry, m changelog.Mod) error {
	for _, v := range m.Values {
		if t.index(e, m.Attr, v) >= 0 {
			return refused(20, "%s: value exists", m.Attr)
		}
		t.append(e, m.Attr, v)
	}
	return nil
}

// deleteValues removes the values, of an attribute without an equality rule all
// (RFC 4511 section 4.6 needs the rule to find one), and all when none is named.
func (t *txn) deleteValues(e *entry, m changelog.Mod) error {
	if len(m.Values) == 0 {
		if len(t.get(e, m.Attr)) == 0 {
			return refused(16, "%s: no such attribute", m.Attr)
		}
		t.set(e, m.Attr, nil)
		return nil
	}
	if !t.d.schema.HasEquality(m.Attr) {
		return refused(18, "%s: no equality matching rule", m.Attr)
	}
	for _, v := range m.Values {
		i := t.index(e, m.Attr, v)
		if i < 0 {
			return refused(16, "%s: no such value", m.Attr)
		}
		t.drop(e, m.Attr, i)
	}
	return nil
}

func (t *txn) moddn(id changelog.ID, e *entry, w directory.Write) error {
	rdn, err := dn.ParseRDN(w.NewRDN)
	if err != nil {
		return refused(34, "%v", err)
	}
	if w.NewSuperior != "" {
		if e.parent, err = t.superior(id, w.NewSuperior); err != nil {
			return err
		}
	}
	key := rdn.Key(t.d.schema)
	if other, taken := t.tree.names[place{e.parent, key}]; taken && other != id {
		return stale("entry already exists")
	}
	old := e.rdn
	e.rdn, e.key, e.text = rdn, key, rdn.String()
	for _, ava := range rdn {
		t.ensure(e, ava)
	}
	if w.DeleteOldRDN {
		// As slapd does: also those that match a new one, which then is missing.
		for _, ava := range old {
			if i := t.index(e, ava.Attr, ava.Value); i >= 0 {
				t.drop(e, ava.Attr, i)
			}
		}
	}
	return nil
}

// superior returns the new superior of an entry.
func (t *txn) superior(id changelog.ID, text string) (changelog.ID, error) {
	name, err := dn.Parse(text)
	if err != nil {
		return changelog.ID{}, refused(34, "%v", err)
	}
	superior, ok := t.find(name)
	if !ok {
		return changelog.ID{}, stale("no such superior")
	}
	for up := superior; !up.IsZero(); up = t.tree.entries[up].parent {
		if up == id {
			return changelog.ID{}, refused(53, "below itself")
		}
	}
	return superior, nil
}

// check enforces the schema and that the naming values are there.
func (t *txn) check(e *entry) error {
	s := t.d.schema
	classes := t.get(e, "objectClass")
	if len(classes) == 0 {
		return refused(65, "no objectClass")
	}
	t.d.contents.mu.Lock()
	defer t.d.contents.mu.Unlock()
	c, err := t.d.contents.content(s, classes)
	if err != nil {
		return err
	}
	for i, a := range e.attrs {
		switch c.verdict(s, e.keys[i]) {
		case undefined:
			return refused(17, "%s: attribute type undefined", a.Name)
		case notAllowed:
			return refused(65, "%s is not allowed", a.Name)
		case single:
			if len(a.Values) > 1 {
				return refused(19, "%s is single-valued", a.Name)
			}
		}
	}
	for _, must := range c.must {
		if !slices.Contains(e.keys, must) {
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
