package dit

import "ldapsync/changelog"

// Waiting is an entry that is withheld: no directory shows it before the addition of
// Missing has arrived.
type Waiting struct {
	// Missing is the superior of the entry, or the entry itself.
	ID, Missing ID
	// RDN is its name and Added the change that added it, both zero where that is
	// what is missing.
	RDN   string
	Added changelog.CSN
}

// Waiting returns up to max withheld entries. Those that are below one of them wait
// with it and are not named.
func (s *State) Waiting(max int) (list []Waiting, err error) {
	var gaps []ID
	s.kv.Scan([]byte{keyGap}, nil, func(k, _ []byte) bool {
		gaps = append(gaps, lastID(k))
		return len(gaps) < max
	})
	for _, gap := range gaps {
		if n, _ := s.node(gap); n.live {
			list = append(list, Waiting{ID: gap, Missing: gap})
		}
		for _, id := range s.children(gap) {
			if e := s.peek(id); e != nil && len(list) < max {
				list = append(list, Waiting{ID: id, Missing: gap, RDN: e.name().rdn, Added: e.created.csn})
			}
		}
	}
	return list[:min(len(list), max)], s.caught()
}

// Waits reports whether an entry waits for the addition of its superior.
func (s *State) Waits(id ID) (bool, error) {
	n, known := s.node(id)
	return known && n.placed && s.has(keyGap, n.parent), s.caught()
}
