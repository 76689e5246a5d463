package dit

import "slices"

// look is what a State looks things up with, made once: looking costs no memory.
type look struct {
	key   [1 + len(ID{})]byte
	text  []byte
	ids   []ID
	found bool
	// gather collects the ids at the end of keys, notice that there is a key.
	gather, notice func(key, value []byte) bool
}

func (l *look) begin() {
	l.gather = func(key, _ []byte) bool {
		l.ids = append(l.ids, lastID(key))
		return true
	}
	l.notice = func(_, _ []byte) bool {
		l.found = true
		return false
	}
}

// keyAt returns a key of one id, valid until the next call.
func (s *State) keyAt(kind byte, id ID) []byte {
	s.look.key[0] = kind
	copy(s.look.key[1:], id[:])
	return s.look.key[:]
}

// nameAt is nameKey for who reads; valid until the next call.
func (s *State) nameAt(parent ID, rdn string) []byte {
	s.look.text = appendKeyText(append(append(s.look.text[:0], keyName), parent[:]...), rdn)
	return s.look.text
}

// has reports whether there is a value under a key of one id.
func (s *State) has(kind byte, id ID) bool { return s.kv.Get(s.keyAt(kind, id)) != nil }

// setID makes a key of one id, without a value, stand or not.
func (s *State) setID(kind byte, id ID, stand bool) {
	switch has := s.has(kind, id); {
	case stand && !has:
		s.put(s.keyAt(kind, id), []byte{})
	case has && !stand:
		s.delete(s.keyAt(kind, id))
	}
}

// any reports whether a key has the prefix.
func (s *State) any(prefix []byte) bool {
	if s.look.notice == nil {
		s.look.begin()
	}
	s.look.found = false
	s.kv.Scan(prefix, nil, s.look.notice)
	return s.look.found
}

// gathered returns the ids at the end of the keys with a prefix, after those that
// were gathered before when more is set; valid until it is called again.
func (s *State) gathered(prefix []byte, more bool) []ID {
	if s.look.gather == nil {
		s.look.begin()
	}
	if !more {
		s.look.ids = s.look.ids[:0]
	}
	s.kv.Scan(prefix, nil, s.look.gather)
	return s.look.ids
}

// namesakes returns the placed entries of that name, in normal form, below any of
// the parents; valid until the next call of gathered.
func (s *State) namesakes(parents []ID, rdn string) (ids []ID) {
	for i, parent := range parents {
		ids = s.gathered(s.nameAt(parent, rdn), i > 0)
	}
	return ids
}

// idsAt returns the ids at the end of the keys with a prefix.
func (s *State) idsAt(prefix []byte) []ID { return slices.Clone(s.gathered(prefix, false)) }

// children returns the placed entries whose parent in force is parent.
func (s *State) children(parent ID) []ID { return s.idsAt(s.keyAt(keyName, parent)) }

// hasChildren reports whether children returns any.
func (s *State) hasChildren(parent ID) bool { return s.any(s.keyAt(keyName, parent)) }
