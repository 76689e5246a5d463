package dit

import "slices"

// surgery is a change of the tree or of names on its way.
type surgery struct {
	state *State
	entry *entry
	reshaping
	// ids are the entries that are changed, rooted says which had all superiors.
	ids    []ID
	rooted []bool
	// found are the entries whose view may change.
	found *idSet
	// parents are those that lose or gain a child.
	adopted []ID
}

// open notes what the views are before.
func (m *surgery) open() {
	s := m.state
	m.ids = []ID{m.entry.id}
	for id := range m.reshaping.parents {
		m.ids = append(m.ids, id)
	}
	for _, t := range m.turned {
		m.ids = append(m.ids, t.id)
	}
	slices.SortFunc(m.ids, ID.Compare)
	m.ids = slices.Compact(m.ids)
	m.rooted = make([]bool, len(m.ids))
	for i, id := range m.ids {
		s.touch(s.peek(id), m.found)
		if m.rooted[i] = s.rooted(id); !m.rooted[i] {
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
	var ring []ID
	for _, id := range m.ids {
		if !s.rooted(id) {
			ring = append(ring, s.circle(id)...)
		}
	}
	for _, list := range [...][]ID{m.adopted, ring, m.ids} {
		for _, id := range list {
			s.settle(id)
		}
	}
	for _, id := range m.ids {
		s.touch(s.peek(id), m.found)
	}
	// Until here families may be known as they were before the change. What that
	// hides is found by way of the topmost entry that has changed.
	if len(m.found.order) > 1 || s.named(m.entry.id) {
		s.forgetFamilies()
	}
	for i, id := range m.ids {
		if m.rooted[i] != s.rooted(id) {
			m.found.add(id)
			s.below(id, m.found)
		}
	}
	for _, id := range ring { // some have no place any more, through which the others would be found
		m.found.add(id)
		s.below(id, m.found)
	}
	for _, id := range m.ids {
		s.reviewAt(id)
	}
	for _, id := range m.found.order {
		if _, reviewed := slices.BinarySearchFunc(m.ids, id, ID.Compare); !reviewed {
			s.reviewAt(id)
		}
	}
}

// reviewAt keeps the journal of an entry if anything is known of that.
func (s *State) reviewAt(id ID) {
	if e := s.peek(id); e != nil {
		s.review(e)
	}
}

func (s *State) forgetFamilies() { s.families.clear() }

// settle places an entry, or takes it from its place, as what is below it
// demands, and so on upwards; and notes whether its creation is missing.
func (s *State) settle(id ID) {
	for !id.IsZero() {
		n, known := s.node(id)
		if !n.created {
			s.setID(keyGap, id, known || s.hasChildren(id))
			return
		}
		s.setID(keyGap, id, false)
		if n.live || n.placed == (s.hasChildren(id) && s.circle(id) == nil) {
			return
		}
		e := s.load(id)
		if e == nil {
			return
		}
		before := s.shape(e)
		e.node.placed = !e.node.placed
		s.setID(keyDoomed, e.id, false)
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
func (s *State) touch(e *entry, found *idSet) {
	var visited *idSet
	for e != nil && e.node.placed {
		s.kin(e, found)
		if n, _ := s.node(e.node.parent); n.live {
			return
		}
		if visited == nil {
			visited = newIDSet()
		}
		visited.add(e.id)
		if e = s.peek(e.node.parent); e != nil && visited.contains(e.id) {
			return
		}
	}
}
