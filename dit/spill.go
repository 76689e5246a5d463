package dit

import (
	"ldapsync/changelog"
)

// spill stands for the values of an attribute that are kept under keys of their
// own, because there are too many for the record of the entry.
type spill struct {
	// count is the number of values ever added or removed, newest the newest
	// CSN among them.
	count  int
	newest changelog.CSN
	// pending are facts to be merged with those values.
	pending []value
}

func (s *State) unpend(e *entry) bool { return false }

func (s *State) spilledCandidates(all []candidate, e *entry, a *attribute) []candidate { return all }
