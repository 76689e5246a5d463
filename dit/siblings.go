package dit

import (
	"bytes"
	"cmp"
	"slices"

	"ldapsync/changelog"
)

// family is the entries whose children are shown below one of them: one entry,
// or containers that claim one name.
type family struct {
	// ok is false when the children are withheld, because a superior is missing.
	ok bool
	// display is the entry below which the children are shown; zero above the suffix.
	display ID
	// members are all whose children those are, display among them.
	members []ID
	alone   [1]ID
}

// sibling is one of the entries that claim one name.
type sibling struct {
	id              ID
	live, container bool
	// since is when it took the name, in this place.
	since changelog.CSN
}

// family returns where the children of parent are shown.
func (s *State) family(parent ID) *family {
	if f := s.families.get(parent); f != nil {
		return f
	}
	f := new(family)
	s.families.put(parent, f) // what leads back to parent meets a family that is not ok
	if parent.IsZero() {
		f.stand(parent)
		return f
	}
	n, known := s.node(parent)
	if !known || !n.created {
		return f
	}
	ids := s.claimants(s.peek(parent))
	switch {
	case len(ids) == 0:
		return f
	case len(ids) == 1 && ids[0] == parent:
		f.stand(parent)
		return f
	}
	siblings := s.rank(ids)
	first := siblings[0]
	if !n.parent.IsZero() && (first.id == parent || !first.container || !n.container) {
		f.stand(parent)
	} else {
		*f = family{ok: true, display: first.id}
	}
	if f.display != first.id {
		return f
	}
	f.members = f.members[:0]
	for i, sib := range siblings {
		if i == 0 || n.parent.IsZero() || sib.container && first.container {
			f.members = append(f.members, sib.id)
		}
	}
	return f
}

// stand makes the children of an entry be shown below itself.
func (f *family) stand(parent ID) {
	f.ok, f.display, f.alone[0] = true, parent, parent
	f.members = f.alone[:]
}

// foremost returns the first of the siblings of e; false when there are none.
func (s *State) foremost(e *entry) (first sibling, ok bool) {
	ids := s.claimants(e)
	for i, id := range ids {
		if next := s.sibling(id, len(ids) > 1); i == 0 || next.compare(first) < 0 {
			first = next
		}
	}
	return first, len(ids) > 0
}

// claimants returns the siblings of e: those that claim its name below the same parent
// as shown, e among them when it is placed. There are none when a superior is missing.
// All entries without a parent are siblings. They come in no order that means
// anything, and are valid until the next call of gathered.
func (s *State) claimants(e *entry) []ID {
	if e == nil || !e.node.edged {
		return nil
	}
	f := s.family(e.node.parent)
	if !f.ok {
		return nil
	}
	if e.node.parent.IsZero() {
		return s.gathered(s.keyAt(keyName, ID{}), false)
	}
	return s.namesakes(f.members, s.rdnKey(e))
}

// rank sorts the entries that claim one name, the one that has it first: living
// before deleted, then the older name, then the smaller id.
func (s *State) rank(ids []ID) []sibling {
	out := make([]sibling, 0, len(ids))
	for _, id := range ids {
		out = append(out, s.sibling(id, len(ids) > 1))
	}
	slices.SortFunc(out, sibling.compare)
	return out
}

// sibling returns what decides about the claim of an entry, among others or alone.
func (s *State) sibling(id ID, others bool) sibling {
	n, _ := s.node(id)
	sib := sibling{id: id, live: n.live, container: n.container}
	if others {
		if e := s.peek(id); e != nil {
			sib.since = s.nameSince(e)
		}
	}
	return sib
}

// compare returns -1 where a goes before b.
func (a sibling) compare(b sibling) int {
	return cmp.Or(cmp.Compare(bit(b.live), bit(a.live)), a.since.Compare(b.since), a.id.Compare(b.id))
}

// rdnKey returns the normal form of e's name.
func (s *State) rdnKey(e *entry) string { return s.rdnKeyOf(e.name().rdn) }

// nameSince returns the CSN of the change that gave e its name, or that brought
// it to its place, whichever is later.
func (s *State) nameSince(e *entry) changelog.CSN {
	named, key := e.names[0].at, ""
	for i, n := range e.names {
		if k := s.rdnKeyOf(n.rdn); i == 0 || k != key {
			named, key = n.at, k
		}
	}
	moved, parent := e.edges[0].at, e.edges[0].parent
	for _, g := range e.edges[1:] {
		if g.parent != parent && !s.skipped(g, e.id) {
			moved, parent = g.at, g.parent
		}
	}
	return newest(named, moved).csn
}

// kin adds to found the entries whose view depends on the name and place of e:
// its siblings, and below siblings that are merged all whose own names that
// touches.
func (s *State) kin(e *entry, found *idSet) {
	found.add(e.id)
	ids := s.claimants(e)
	if len(ids) < 2 {
		return // as a rule
	}
	siblings := s.rank(ids)
	for _, sib := range siblings {
		found.add(sib.id)
	}
	s.merged(siblings, e.node.parent.IsZero(), found)
}

// merged adds the children of siblings that are, or may come to be, shown
// together, and below those that share a name theirs.
func (s *State) merged(siblings []sibling, all bool, found *idSet) {
	var parents []ID
	for _, sib := range siblings {
		if all || sib.container {
			parents = append(parents, sib.id)
		}
	}
	if len(parents) < 2 {
		return
	}
	byName := map[string][]ID{}
	for _, parent := range parents {
		prefix := idKey(keyName, parent)
		s.kv.Scan(prefix, nil, func(k, _ []byte) bool {
			id := lastID(k)
			found.add(id)
			name := string(bytes.TrimSuffix(k[len(prefix):], id[:]))
			byName[name] = append(byName[name], id)
			return true
		})
	}
	for _, ids := range byName {
		if len(ids) < 2 {
			continue
		}
		var below []sibling
		for _, id := range ids {
			if n, known := s.node(id); known {
				below = append(below, sibling{id: id, container: n.container})
			}
		}
		s.merged(below, false, found)
	}
}

// below adds all placed entries under id.
func (s *State) below(id ID, found *idSet) {
	visited := newIDSet()
	for queue := []ID{id}; len(queue) > 0; {
		last := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, child := range s.gathered(s.keyAt(keyName, last), false) {
			found.add(child)
			if visited.add(child) {
				queue = append(queue, child)
			}
		}
	}
}

// idSet is a set of ids that remembers the order in which they came.
type idSet struct {
	// has is nil as long as there are few.
	has   map[ID]bool
	order []ID
	first [8]ID
}

func newIDSet() *idSet { return new(idSet) }

// add reports whether id is new.
func (s *idSet) add(id ID) bool {
	if id.IsZero() || s.contains(id) {
		return false
	}
	if s.order == nil {
		s.order = s.first[:0]
	}
	s.order = append(s.order, id)
	switch {
	case s.has != nil:
		s.has[id] = true
	case len(s.order) > 2*len(s.first):
		s.has = make(map[ID]bool, 2*len(s.order))
		for _, id := range s.order {
			s.has[id] = true
		}
	}
	return true
}

func (s *idSet) contains(id ID) bool {
	if s.has != nil {
		return s.has[id]
	}
	return slices.Contains(s.order, id)
}
