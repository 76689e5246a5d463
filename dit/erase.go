package dit

import (
	"slices"

	"ldapsync/changelog"
)

// erasable reports whether a deleted entry can be forgotten altogether: it was
// deleted long ago, nothing is or was below it, and no record needs it.
func (s *State) erasable(e *entry, f Forgetting) bool {
	if e.node.placed || e.deleted.csn.Time >= f.cutoff(f.Tombstones) || s.named(e.id) || len(e.edges) > 1 {
		return false
	}
	if !s.every(e, f.stable) {
		return false
	}
	fresh := func(r Record) bool { return r.Time().Time >= f.cutoff(f.Records) }
	if slices.ContainsFunc(s.records(e), fresh) {
		return false
	}
	return !slices.ContainsFunc(s.referrers(e), func(id ID) bool {
		other := s.load(id)
		return other != nil && slices.ContainsFunc(s.references(other), func(r Record) bool { return r.Winner == e.id && fresh(r) })
	})
}

// references returns the records about the deleted entries that e names, also where e
// is deleted: it may be brought back.
func (s *State) references(e *entry) []Record {
	if !e.node.created {
		return nil
	}
	return slices.DeleteFunc(s.dangling(nil, &exhibit{state: s, entry: e}), func(r Record) bool {
		r.Entry = e.id
		return e.isSettled(r.key())
	})
}

// every reports whether a condition holds for the stamps of all facts about e.
func (s *State) every(e *entry, holds func(*stamp) bool) bool {
	all := true
	note := func(at *stamp) { all = all && holds(at) }
	e.eachStamp(note)
	for _, a := range e.attrs {
		if a.spill != nil {
			s.eachGroup(e, a, func(_ string, _ bool, values []value) {
				for _, v := range values {
					note(v.add)
					note(v.del)
				}
			})
		}
	}
	return all
}

// MakeWay forgets a deleted entry that c, which is about to be merged, adds again
// though its author had heard of the deletion and all else about the entry: it had
// forgotten that, which it may only when everybody has it all. One of which the
// creation has yet to be merged nobody has forgotten.
func (s *State) MakeWay(c *changelog.Change) error {
	if c.Op != changelog.OpAdd {
		return nil
	}
	if n, known := s.node(c.ID); !known || n.live || n.placed {
		return s.caught()
	}
	e := s.load(c.ID)
	at := &stamp{csn: c.CSN, seq: c.Seq, seen: packSeen(c.Seen)}
	knew := func(of *stamp) bool { return of == nil || of.csn != c.CSN && at.covers(of) }
	if e != nil && e.node.created && e.deleted != nil && s.every(e, knew) {
		s.makeWayForMoves(c.ID, Forgetting{Stable: func(csn changelog.CSN, seq uint64) bool { return knew(&stamp{csn: csn, seq: seq}) }, Before: c.CSN})
		if e = s.load(c.ID); e != nil {
			s.erase(e)
		}
		s.flush()
	}
	return s.caught()
}

// makeWayForMoves drops the moves of an entry and below it, with all before them: an
// entry is forgotten only after those are. One that was skipped for its sake stays
// skipped.
func (s *State) makeWayForMoves(id ID, f Forgetting) {
	var last changelog.CSN
	for _, m := range s.moves(changelog.CSN{}) {
		if m.id == id || m.parent == id {
			last = m.at
		}
	}
	for {
		m, found := s.oldestMove()
		if !found || last.Before(m.at) || !s.forgetMove(m, f) {
			return
		}
	}
}

// doomed reports whether an erasable entry has been so since a time from which
// everybody knows all that was stored here then: nobody shows it any more, so
// nobody will write to it or below it. Otherwise the time begins now, unless it
// has begun.
func (s *State) doomed(e *entry, f Forgetting) bool {
	key := idKey(keyDoomed, e.id)
	since := s.kv.Get(key)
	if since == nil {
		s.put(key, append(f.Newest.AppendKey(nil), packSeen(f.Stored)...))
		return false
	}
	newest, err := changelog.CSNFromKey(since[:min(len(since), changelog.CSNKeySize)])
	if err != nil {
		s.fail(err)
		return false
	}
	all := newest.Before(f.Before)
	stored := &stamp{seen: string(since[changelog.CSNKeySize:])}
	stored.eachSeen(func(sid changelog.SID, seq uint64) {
		all = all && f.Stable(changelog.CSN{SID: sid}, seq)
	})
	return all
}

// erase forgets a deleted entry.
func (s *State) erase(e *entry) {
	s.dropped = true
	for _, prefix := range s.journalPrefixes(e) {
		s.list(e, prefix, nil)
	}
	referrers := s.unbury(e.id, tombOf(e))
	s.unpoint(&entry{id: e.id}, s.pointed(e))
	for _, k := range s.indexKeys(e) {
		s.delete(k)
	}
	for _, g := range e.edges {
		s.delete(move{at: g.at.csn, id: e.id}.key())
	}
	t := s.total()
	for _, a := range e.attrs {
		if a.spill == nil {
			continue
		}
		s.eachGroup(e, a, func(_ string, _ bool, values []value) {
			for _, v := range values {
				t.sum.sub(digestOf(e.id[:], []byte(a.name), v.append(nil)))
			}
		})
		s.deleteAll(valuePrefix(e.id, a.name))
		s.setKey(appendKeyText(idKey(keySpill, e.id), a.name), false)
	}
	key := idKey(keyEntry, e.id)
	if record := s.kv.Get(key); record != nil {
		t.sum.sub(digestOf(e.id[:], record[nodeSize:]))
		t.count(e.node, -1)
	}
	s.delete(key)
	s.setID(keyGap, e.id, false)
	s.setID(keyDoomed, e.id, false)
	s.forgetFamilies()
	s.reviewOthers(referrers)
}

// forgetMoves drops up to max moves, oldest first, as far as they are stable. A
// move that is in force makes those of its entry before it needless: the entry
// is below that parent from the beginning, as far as anything still to come can
// tell. It returns how many there were.
func (s *State) forgetMoves(f Forgetting, max int) (n int) {
	for ; n < max; n++ {
		m, found := s.oldestMove()
		if !found || !m.at.Before(f.Before) || !s.forgetMove(m, f) {
			break
		}
	}
	return n
}

func (s *State) oldestMove() (m move, found bool) {
	s.kv.Scan([]byte{keyMove}, nil, func(k, v []byte) bool {
		at, err := changelog.CSNFromKey(k[1 : len(k)-len(ID{})])
		if err != nil || len(v) != 1+len(ID{}) {
			s.damaged("move")
			return false
		}
		m, found = move{at: at, id: lastID(k), skipped: v[0] == 1}, true
		return false
	})
	return m, found
}

// forgetMove drops one move, the oldest of all; false when it has to stay.
func (s *State) forgetMove(m move, f Forgetting) bool {
	e := s.load(m.id)
	if e == nil {
		return false
	}
	i := slices.IndexFunc(e.edges, func(g edge) bool { return g.at.csn == m.at })
	if i != 1 || !f.stable(e.edges[0].at) || !f.stable(e.edges[1].at) {
		return false
	}
	now, gone := e.clone(), 0
	if m.skipped || e.edges[0].parent == e.edges[1].parent {
		gone = 1
	}
	now.edges = slices.Delete(now.edges, gone, gone+1)
	t := &trimming{state: s, f: f, old: e}
	if e.created != nil && (t.losesTo(gone, m.skipped) || !t.same(now)) {
		return false
	}
	s.delete(m.key())
	s.reword(e, now)
	s.review(now)
	s.expect(e.id)
	return true
}

// losesTo reports whether a record that has to stay tells of edge i, skipped or not, or
// would if those moves of the entry which are not stable were left out, or only some
// of them: a move that is older than they are may yet arrive.
func (t *trimming) losesTo(i int, skipped bool) bool {
	e := t.old
	for j := len(e.edges) - 1; j >= 0; j-- {
		g := e.edges[j]
		r, lost := moveRecord(e.edges[i], g, skipped)
		r.Entry = e.id
		if lost && t.fresh(r) {
			return true
		}
		if t.f.stable(g.at) && (j == 0 || !t.state.skipped(g, e.id)) {
			break
		}
	}
	return false
}
