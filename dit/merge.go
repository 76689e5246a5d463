package dit

import (
	"bytes"
	"fmt"
	"slices"

	"ldapsync/changelog"
)

// Merge adds the facts of a change to the state, in any order and any number of
// times. It returns the entries whose view may have changed, each once. The
// error wraps changelog.ErrChange when no server can have made c; then nothing
// has been written.
func (s *State) Merge(c *changelog.Change) ([]ID, error) {
	touched, err := s.merge(c)
	s.flush()
	if caught := s.caught(); err == nil {
		err = caught
	}
	if err != nil {
		return nil, err
	}
	return touched, nil
}

func (s *State) merge(c *changelog.Change) ([]ID, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Op == changelog.OpAdd && c.Superior == c.ID {
		return nil, fmt.Errorf("%w %s/%d: entry below itself", changelog.ErrChange, c.SID(), c.Seq)
	}
	e := s.load(c.ID)
	if e == nil {
		e = &entry{id: c.ID}
	}
	before := s.shape(e)
	changed, err := e.absorb(c)
	if err != nil {
		return nil, err
	}
	if changed = s.spillOver(e) || changed; !changed || s.err != nil {
		return nil, nil
	}
	if !before.node.known || s.alters(c) {
		return s.mergeShape(e, c, before), nil
	}
	s.save(e)
	s.review(e)
	if !e.node.placed {
		return nil, nil
	}
	return []ID{e.id}, nil
}

// alters reports whether c may change more than the values of its entry.
func (s *State) alters(c *changelog.Change) bool {
	return c.Op != changelog.OpModify || c.Undelete ||
		slices.ContainsFunc(c.Mods, func(m changelog.Mod) bool { return s.canonical(m.Attr) == s.objectClass })
}

// shape is what other entries' views may depend on.
type shape struct {
	node         node
	edges, names int
	keys         [][]byte
}

func (s *State) shape(e *entry) shape {
	return shape{node: e.node, edges: len(e.edges), names: len(e.names), keys: s.indexKeys(e)}
}

// same reports whether two shapes of one entry mean the same to others.
func (p shape) same(o shape) bool {
	return p.node == o.node && p.edges == o.edges && p.names == o.names
}

// indexKeys returns the keys under which e stands in the indexes of children.
func (s *State) indexKeys(e *entry) [][]byte {
	var keys [][]byte
	if e.node.placed {
		keys = append(keys, append(nameKey(e.node.parent, s.rdnKey(e)), e.id[:]...))
	}
	for i, g := range e.edges {
		again := slices.ContainsFunc(e.edges[:i], func(o edge) bool { return o.parent == g.parent })
		if !again && !(e.node.placed && g.parent == e.node.parent) {
			keys = append(keys, idKey(keyOther, g.parent, e.id))
		}
	}
	return keys
}

// reindex replaces the keys of an entry in the indexes of children.
func (s *State) reindex(old, new [][]byte) {
	has := func(keys [][]byte, key []byte) bool {
		return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
	}
	for _, k := range old {
		if !has(new, k) {
			s.delete(k)
		}
	}
	for _, k := range new {
		if !has(old, k) {
			s.put(k, []byte{})
		}
	}
}

// derive sets the node of e by its facts and its parent in force.
func (s *State) derive(e *entry, parent ID) {
	e.node = node{
		known:   true,
		created: e.created != nil,
		live:    e.live(),
		edged:   len(e.edges) > 0,
		parent:  parent,
	}
	if e.node.created {
		e.node.container = s.isContainer(e)
		e.node.placed = e.node.live || s.hasChildren(e.id)
	}
}

// mergeShape finishes the merge of a change that may alter where entries are
// shown and under which names. E has absorbed it and is not saved.
func (s *State) mergeShape(e *entry, c *changelog.Change, before shape) []ID {
	var r reshaping
	parent := before.node.parent
	if len(e.edges) > before.edges {
		r = s.reshape(e, c.CSN)
		if p, moved := r.parents[e.id]; moved {
			parent = p
		}
	}
	m := surgery{state: s, entry: e, found: newIDSet(), reshaping: r}
	old := e.node
	s.derive(e, parent)
	after := s.shape(e)
	e.node = old
	if before.same(after) && len(r.turned) == 0 && len(r.parents) == 0 {
		s.save(e)
		s.review(e)
		if e.node.placed {
			m.found.add(e.id)
		}
		return *m.found.order
	}
	m.open(before)
	e.node = after.node
	m.place(e, before, after)
	m.move()
	m.close()
	return *m.found.order
}

// surgery is a change of the tree or of names on its way.
type surgery struct {
	state *State
	entry *entry
	reshaping
	// ids are the entries that are changed, rooted those that had all superiors.
	ids    []ID
	rooted map[ID]bool
	// found are the entries whose view may change.
	found idSet
	// parents are those that lose or gain a child.
	adopted []ID
}

// open notes what the views are before.
func (m *surgery) open(before shape) {
	s := m.state
	changed := newIDSet()
	changed.add(m.entry.id)
	for id := range m.reshaping.parents {
		changed.add(id)
	}
	for _, t := range m.turned {
		changed.add(t.id)
	}
	m.ids = *changed.order
	slices.SortFunc(m.ids, ID.Compare)
	m.rooted = make(map[ID]bool, len(m.ids))
	for _, id := range m.ids {
		if id == m.entry.id && !before.node.known {
			continue
		}
		s.touch(s.load(id), m.found)
		if m.rooted[id] = s.rooted(id); !m.rooted[id] {
			m.adopted = append(m.adopted, s.circle(id)...)
		}
	}
}

// place saves e in its new shape.
func (m *surgery) place(e *entry, before, after shape) {
	s := m.state
	m.adopted = append(m.adopted, before.node.parent, after.node.parent)
	s.save(e)
	s.reindex(before.keys, after.keys)
}

// move saves what becomes of the other entries of the tree.
func (m *surgery) move() {
	s := m.state
	for _, id := range m.ids {
		parent, moved := m.reshaping.parents[id]
		n, known := s.node(id)
		if !moved || !known || n.parent == parent {
			continue
		}
		e := s.load(id)
		if e == nil {
			continue
		}
		before := s.shape(e)
		e.node.parent = parent
		m.place(e, before, s.shape(e))
	}
	for _, t := range m.turned {
		s.put(t.key(), t.value())
	}
}

// close brings what depends on the changed entries up to date, and notes what
// the views are after.
func (m *surgery) close() {
	s := m.state
	alone := len(m.ids) == 1
	if !alone {
		s.forgetFamilies()
	}
	for _, id := range m.ids {
		if !s.rooted(id) {
			m.adopted = append(m.adopted, s.circle(id)...)
		}
	}
	for _, id := range append(m.adopted, m.ids...) {
		s.settle(id)
	}
	for _, id := range m.ids {
		s.touch(m.load(id), m.found)
	}
	if alone = alone && len(*m.found.order) <= 1 && !s.named(m.ids[0]); !alone {
		s.forgetFamilies()
	}
	for _, id := range m.ids {
		if m.rooted[id] != s.rooted(id) {
			m.found.add(id)
			s.below(id, m.found)
		}
	}
	reviewed := newIDSet()
	for _, id := range append(slices.Clone(m.ids), *m.found.order...) {
		if reviewed.add(id) {
			if e := m.load(id); e != nil {
				s.review(e)
			}
		}
	}
}

// load returns an entry as it is now.
func (m *surgery) load(id ID) *entry {
	if id == m.entry.id && len(m.ids) == 1 {
		return m.entry
	}
	return m.state.load(id)
}

func (s *State) forgetFamilies() { clear(s.families) }

// settle places an entry, or takes it from its place, as what is below it
// demands, and so on upwards; and notes whether its creation is missing.
func (s *State) settle(id ID) {
	for !id.IsZero() {
		n, known := s.node(id)
		if !n.created {
			s.setKey(idKey(keyGap, id), known || s.hasChildren(id))
			return
		}
		s.setKey(idKey(keyGap, id), false)
		if n.live || n.placed == (s.hasChildren(id) && s.circle(id) == nil) {
			return
		}
		e := s.load(id)
		if e == nil {
			return
		}
		before := s.shape(e)
		e.node.placed = !e.node.placed
		s.save(e)
		s.reindex(before.keys, s.indexKeys(e))
		s.forgetFamilies()
		id = e.node.parent
	}
}

// setKey makes a key without a value stand or not, and reports whether that is
// a change.
func (s *State) setKey(key []byte, stand bool) bool {
	if (s.kv.Get(key) != nil) == stand {
		return false
	}
	if stand {
		s.put(key, []byte{})
	} else {
		s.delete(key)
	}
	return true
}

// touch adds the entries whose views depend on where e (nil for none) is shown
// and under which name: its kin, and as long as they are deleted its superiors
// and theirs.
func (s *State) touch(e *entry, found idSet) {
	visited := newIDSet()
	for e != nil && e.node.placed && visited.add(e.id) {
		s.kin(e, found)
		if n, _ := s.node(e.node.parent); n.live {
			return
		}
		e = s.load(e.node.parent)
	}
}
