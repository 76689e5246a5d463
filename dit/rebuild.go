package dit

import "ldapsync/changelog"

// Rebuild derives everything that depends on the rules from the facts again. It
// must follow a change of the rules, such as a new schema; any view may be
// another afterwards. It writes to every entry.
func (s *State) Rebuild() error {
	for _, kind := range []byte{keyName, keyOther, keyMove, keyGap, keyJournal, keyKind, keyRecord, keyKinds, keySpill,
		keyTomb, keyDeath, keyRefer, keyPair, keyUnique} {
		s.deleteAll([]byte{kind})
	}
	s.total().counts.Recorded = 0
	s.total().counts.Records = [NumKinds]uint64{}
	s.total().dirty = true
	s.forgetFamilies()
	s.eachEntry(s.uproot)
	r := reshaping{parents: map[ID]ID{}}
	s.replay(changelog.CSN{}, map[ID]ID{}, &r)
	for _, t := range r.turned {
		s.put(t.key(), t.value())
	}
	s.eachEntry(func(e *entry) { s.plant(e, r.parents) })
	s.eachEntry(func(e *entry) {
		s.settle(e.id)
		s.settle(e.node.parent)
	})
	s.forgetFamilies()
	s.eachEntry(func(e *entry) { s.spillOver(e) })
	s.eachEntry(s.review)
	s.flush()
	return s.caught()
}

// uproot puts e below its oldest parent and its values under their normal forms.
func (s *State) uproot(e *entry) {
	e.node = node{known: true, created: e.created != nil, live: e.live(), edged: len(e.edges) > 0}
	if e.node.edged {
		e.node.parent = e.edges[0].parent
	}
	for i := 1; i < len(e.edges); i++ {
		s.record(e, i)
	}
	for _, a := range e.attrs {
		if a.spill != nil {
			s.regroup(e, a)
		}
	}
	s.save(e)
	s.pointAll(e)
}

// regroup stores the values of a spilled attribute by their normal forms.
func (s *State) regroup(e *entry, a *attribute) {
	var all []value
	s.eachGroup(e, a, func(_ string, _ bool, values []value) { all = append(all, values...) })
	s.deleteAll(valuePrefix(e.id, a.name))
	name := s.attrRule(a).name
	for _, v := range all {
		g := s.readGroup(e.id, a.name, name, v.raw)
		g.insert(v)
		s.put(g.key, g.bytes())
	}
}

// plant derives what e is by itself, below its parent in force.
func (s *State) plant(e *entry, parents map[ID]ID) {
	parent := e.node.parent
	if moved, ok := parents[e.id]; ok {
		parent = moved
	}
	s.derive(e, parent)
	e.node.placed = e.node.created && e.node.live
	s.save(e)
	s.reindex(nil, s.indexKeys(e))
}

// eachEntry calls fn, which may write, with every entry of which there are facts.
func (s *State) eachEntry(fn func(*entry)) {
	const batch = 1000
	next := []byte{keyEntry}
	for s.err == nil {
		ids := make([]ID, 0, batch)
		s.kv.Scan([]byte{keyEntry}, next, func(k, _ []byte) bool {
			ids = append(ids, lastID(k))
			return len(ids) < batch
		})
		for _, id := range ids {
			if e := s.load(id); e != nil {
				fn(e)
			}
		}
		if len(ids) < batch {
			return
		}
		next = append(idKey(keyEntry, ids[len(ids)-1]), 0)
	}
}

// deleteAll deletes the keys that have a prefix.
func (s *State) deleteAll(prefix []byte) {
	const batch = 1000
	for s.err == nil {
		keys := make([][]byte, 0, batch)
		s.kv.Scan(prefix, nil, func(k, _ []byte) bool {
			keys = append(keys, append([]byte(nil), k...))
			return len(keys) < batch
		})
		for _, k := range keys {
			s.delete(k)
		}
		if len(keys) < batch {
			return
		}
	}
}
