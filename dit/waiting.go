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
		if _, known := s.node(gap); known {
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

// WaitsFor returns the superior whose addition an entry waits for; false for one that
// does not stand right below such an entry.
func (s *State) WaitsFor(id ID) (missing ID, waits bool, err error) {
	if e := s.peek(id); e != nil && e.node.placed {
		missing = e.node.parent
		waits = s.has(keyGap, missing)
	}
	return missing, waits, s.caught()
}
