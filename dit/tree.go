package dit

import (
	"slices"

	"ldapsync/changelog"
)

// The tree is what remains when the moves are made in the order of their CSNs,
// beginning with every entry below its oldest parent, and leaving out those that
// would put an entry below itself (Kleppmann et al., "A highly-available move
// operation for replicated trees", 2021). A move that arrives late is as if it
// had arrived in time: the later ones are made again after it.

// move is a parent fact other than an entry's oldest.
type move struct {
	at      changelog.CSN
	id      ID
	parent  ID
	skipped bool
}

func (m move) key() []byte {
	return append(append([]byte{keyMove}, m.at.AppendKey(nil)...), m.id[:]...)
}

func (m move) value() []byte { return append([]byte{byte(bit(m.skipped))}, m.parent[:]...) }

// moves returns the moves from a CSN on, in order.
func (s *State) moves(from changelog.CSN) []move {
	var out []move
	s.kv.Scan([]byte{keyMove}, append([]byte{keyMove}, from.AppendKey(nil)...), func(k, v []byte) bool {
		at, err := changelog.CSNFromKey(k[1:])
		if err != nil || len(k) != 1+changelog.CSNKeySize+len(ID{}) || len(v) != 1+len(ID{}) {
			s.damaged("move")
			return false
		}
		m := move{at: at, id: lastID(k), skipped: v[0] == 1}
		copy(m.parent[:], v[1:])
		out = append(out, m)
		return true
	})
	return out
}

// skipped reports whether an edge of entry id is a move that is left out.
func (s *State) skipped(g edge, id ID) bool {
	v := s.kv.Get(move{at: g.at.csn, id: id}.key())
	return len(v) > 0 && v[0] == 1
}

// reshaping is what a new edge does to the tree: the moves whose outcome turns,
// and the entries whose parent in force becomes another.
type reshaping struct {
	turned  []move
	parents map[ID]ID
}

// reshape stores the move that the edge of change at makes, e having just been
// given that edge, and returns what becomes of the tree. Nothing else is written.
func (s *State) reshape(e *entry, at changelog.CSN) reshaping {
	r := reshaping{parents: map[ID]ID{}}
	i := slices.IndexFunc(e.edges, func(g edge) bool { return g.at.csn == at })
	from := at
	switch {
	case i < 0:
		return r
	case i == 0:
		from = changelog.CSN{}
		if len(e.edges) > 1 {
			s.record(e, 1) // what was the oldest edge is a move now
		}
	default:
		s.record(e, i)
	}
	if s.named(e.id) {
		s.replay(from, map[ID]ID{e.id: s.parentBefore(e, from)}, &r)
	} else {
		// Nothing is or ever was below e: it can be moved anywhere.
		r.parents[e.id] = e.edges[len(e.edges)-1].parent
	}
	return r
}

// record stores edge i of e as a move.
func (s *State) record(e *entry, i int) {
	m := move{at: e.edges[i].at.csn, id: e.id, parent: e.edges[i].parent}
	s.put(m.key(), m.value())
}

// replay makes the moves from a CSN on again. At holds parents in force before
// them where they differ from what is stored.
func (s *State) replay(from changelog.CSN, at map[ID]ID, r *reshaping) {
	moves := s.moves(from)
	for _, m := range moves {
		if _, known := at[m.id]; !known {
			if other := s.peek(m.id); other != nil {
				at[m.id] = s.parentBefore(other, from)
			}
		}
	}
	for _, m := range moves {
		skip := s.leads(m.parent, m.id, at)
		if !skip {
			at[m.id] = m.parent
		}
		if skip != m.skipped {
			m.skipped = skip
			r.turned = append(r.turned, m)
		}
	}
	for id, parent := range at {
		if n, known := s.node(id); !known || !n.edged || n.parent != parent {
			r.parents[id] = parent
		}
	}
}

// parentBefore returns the parent that was in force before the moves from a CSN
// on; the oldest always was.
func (s *State) parentBefore(e *entry, from changelog.CSN) ID { return s.edgeBefore(e, from).parent }

// edgeBefore is parentBefore, with what made it the parent.
func (s *State) edgeBefore(e *entry, from changelog.CSN) edge {
	last := e.edges[0]
	for _, g := range e.edges[1:] {
		if !g.at.csn.Before(from) {
			break
		}
		if !s.skipped(g, e.id) {
			last = g
		}
	}
	return last
}

// leads reports whether the way up from id meets target. The parents in at go
// before those in force. A way that leads round in a circle, which no server
// makes, ends when it has.
func (s *State) leads(id, target ID, at map[ID]ID) bool {
	trail, steps := id, 0
	for !id.IsZero() {
		if id == target {
			return true
		}
		next, known := at[id]
		if !known {
			n, ok := s.node(id)
			if !ok || !n.edged {
				return false
			}
			next = n.parent
		}
		id = next
		// Brent's algorithm: trail stays behind at ever greater distances.
		if id == trail {
			return false
		}
		if steps++; steps&(steps-1) == 0 {
			trail = id
		}
	}
	return false
}

// rooted reports whether id and all its superiors have arrived.
func (s *State) rooted(id ID) bool {
	trail, steps := id, 0
	for !id.IsZero() {
		n, known := s.node(id)
		if !known || !n.created {
			return false
		}
		if id = n.parent; id == trail {
			return false
		}
		if steps++; steps&(steps-1) == 0 {
			trail = id
		}
	}
	return true
}

// circle returns the created entries on the way up from id when it leads back to
// id, itself first; nil when it does not. No server makes such entries; they are
// withheld, and the deleted ones among them keep no place for one another.
func (s *State) circle(id ID) []ID {
	var members []ID
	trail, steps := ID{}, 0
	for next := id; ; {
		n, _ := s.node(next)
		if !n.created || n.parent.IsZero() || next == trail {
			return nil
		}
		members = append(members, next)
		if next = n.parent; next == id {
			return members
		}
		if steps++; steps&(steps-1) == 0 {
			trail = members[len(members)-1]
		}
	}
}

// named reports whether any entry was ever given id as its parent.
func (s *State) named(id ID) bool { return s.hasChildren(id) || s.any(s.keyAt(keyOther, id)) }
