package memory

import (
	"cmp"
	"maps"
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
)

// entry is immutable once it stands in a tree.
type entry struct {
	parent changelog.ID
	rdn    dn.RDN
	// key is the normal form of rdn, text how it is printed.
	key, text string
	csn       changelog.CSN
	own       bool
	// keys are the canonical names of attrs.
	keys   []string
	attrs  []directory.Attribute
	serial uint64
}

// place is a name below a superior.
type place struct {
	parent changelog.ID
	key    string
}

// tree is the content of a directory, with what is needed to undo writes.
type tree struct {
	entries map[changelog.ID]*entry
	// order holds the ids in the order in which the entries were added.
	order []changelog.ID
	names map[place]changelog.ID
	// children counts the entries right below each.
	children map[changelog.ID]int
	serial   uint64
	undo     []undo
}

// undo is what an entry was before a write; nil for none.
type undo struct {
	id changelog.ID
	e  *entry
}

func newTree() *tree {
	return &tree{
		entries: map[changelog.ID]*entry{}, names: map[place]changelog.ID{}, children: map[changelog.ID]int{},
	}
}

func (t *tree) clone() *tree {
	return &tree{
		entries: maps.Clone(t.entries), order: slices.Clone(t.order), names: maps.Clone(t.names), children: maps.Clone(t.children), serial: t.serial,
	}
}

// set replaces an entry, nil for none, and keeps the indexes.
func (t *tree) set(id changelog.ID, e *entry) {
	old := t.entries[id]
	t.undo = append(t.undo, undo{id, old})
	t.replace(id, old, e)
}

func (t *tree) replace(id changelog.ID, old, e *entry) {
	if old != nil {
		if at := (place{old.parent, old.key}); t.names[at] == id {
			delete(t.names, at)
		}
		if t.children[old.parent]--; t.children[old.parent] == 0 {
			delete(t.children, old.parent)
		}
	}
	if e == nil {
		if old != nil {
			at := t.position(old.serial)
			t.order = slices.Delete(t.order, at, at+1)
		}
		delete(t.entries, id)
		return
	}
	if old == nil {
		t.order = slices.Insert(t.order, t.position(e.serial), id)
	}
	t.entries[id] = e
	t.names[place{e.parent, e.key}] = id
	t.children[e.parent]++
}

// rollback undoes every write since the last commit.
func (t *tree) rollback() {
	for _, u := range slices.Backward(t.undo) {
		t.replace(u.id, t.entries[u.id], u.e)
	}
	t.undo = t.undo[:0]
}

func (t *tree) commit() { t.undo = t.undo[:0] }

// position returns where in the order the entry with a serial number is or belongs.
func (t *tree) position(serial uint64) int {
	at, _ := slices.BinarySearchFunc(t.order, serial, func(id changelog.ID, serial uint64) int {
		return cmp.Compare(t.entries[id].serial, serial)
	})
	return at
}

// name returns the DN of an entry, printed.
func (t *tree) name(id changelog.ID, suffix dn.DN) string {
	var room [128]byte
	name := room[:0]
	for !id.IsZero() {
		e := t.entries[id]
		name = append(append(name, e.text...), ',')
		id = e.parent
	}
	if above := suffix.Parent(); len(above) > 0 {
		return string(append(name, above.String()...))
	}
	return string(name[:len(name)-1])
}

// report returns an entry as its directory reports it. Its attributes must not be
// changed.
func (t *tree) report(id changelog.ID, suffix dn.DN) *directory.Entry {
	e := t.entries[id]
	return &directory.Entry{ID: id, DN: t.name(id, suffix), CSN: e.csn, Own: e.own, Attrs: slices.Clip(e.attrs)}
}

// find resolves a name.
func (t *tree) find(name dn.DN, suffix dn.DN, n dn.Normaliser) (id changelog.ID, ok bool) {
	above := len(name) - len(suffix)
	for i := above; i >= 0; i-- {
		if id, ok = t.names[place{id, name[i].Key(n)}]; !ok {
			return id, false
		}
	}
	return id, above >= 0
}
