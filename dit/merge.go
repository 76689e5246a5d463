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
	if c.Op == changelog.OpSettle {
		s.mergeSettle(c)
		return nil, nil
	}
	if !c.Op.Alters() {
		return nil, nil
	}
	if c.Op == changelog.OpAdd && c.Superior == c.ID {
		return nil, fmt.Errorf("%w %s/%d: entry below itself", changelog.ErrChange, c.SID(), c.Seq)
	}
	e := s.load(c.ID)
	if e == nil {
		e = &entry{id: c.ID}
	}
	before, tomb := s.shapeIf(e, s.alters(c)), tombOf(e)
	changed, err := e.absorb(c)
	if err != nil {
		return nil, err
	}
	if changed = s.spillOver(e) || changed; !changed || s.err != nil {
		return nil, nil
	}
	return s.finish(e, c.CSN, before, s.point(e, c, tomb)), nil
}

// finish stores what facts of change at have made of e, whose shape was before
// (nil when they cannot alter it), and what the journal says of it and of
// others. It returns the entries whose view may have changed, each once.
func (s *State) finish(e *entry, at changelog.CSN, before *shape, others []ID) (touched []ID) {
	if before != nil {
		touched = s.mergeShape(e, at, *before)
	} else {
		touched = s.keep(e)
	}
	s.reviewOthers(others)
	s.expect(e.id)
	return touched
}

// keep stores an entry that only its own view depends on, and returns it when
// it is shown.
func (s *State) keep(e *entry) []ID {
	s.save(e)
	s.review(e)
	if !e.node.placed {
		return nil
	}
	return []ID{e.id}
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

// shapeIf returns the shape of e if it may be altered, as that of an entry may of
// which nothing was known; nil if not.
func (s *State) shapeIf(e *entry, altered bool) *shape {
	if e.node.known && !altered {
		return nil
	}
	before := s.shape(e)
	return &before
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

// mergeShape finishes the merge of facts that may alter where entries are shown
// and under which names. E has absorbed them, with at most one more edge, of
// change at, and is not saved.
func (s *State) mergeShape(e *entry, at changelog.CSN, before shape) []ID {
	var r reshaping
	parent := before.node.parent
	if len(e.edges) > before.edges {
		r = s.reshape(e, at)
		if p, moved := r.parents[e.id]; moved {
			parent = p
		}
	}
	old := e.node
	s.derive(e, parent)
	after := s.shape(e)
	e.node = old
	if before.same(after) && len(r.turned) == 0 && len(r.parents) == 0 {
		return s.keep(e)
	}
	m := surgery{state: s, entry: e, found: newIDSet(), reshaping: r}
	m.open()
	e.node = after.node
	m.place(e, before, after)
	m.move()
	m.close()
	slices.SortFunc(m.found.order, ID.Compare)
	return m.found.order
}
