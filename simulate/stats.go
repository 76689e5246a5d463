package simulate

import "maps"

// Stats counts what happened in histories.
type Stats struct {
	Histories, Writes, Changes, Crashes int
	// Unknown counts transactions whose outcome the replica did not learn.
	Unknown int
	// Ambiguous counts writes of clients that could not be told from nothing
	// having happened, see watched.otherwise.
	Ambiguous int
	// Looks counts the states compared in the middle of a history.
	Looks int
	// MaxRounds is the greatest number of rounds it took to agree.
	MaxRounds int
	// Journal counts the records left at the end, by kind.
	Journal map[string]int
}

func newStats() Stats { return Stats{Journal: map[string]int{}} }

// Add adds other to s.
func (s *Stats) Add(other Stats) {
	s.Histories += other.Histories
	s.Writes += other.Writes
	s.Changes += other.Changes
	s.Crashes += other.Crashes
	s.Unknown += other.Unknown
	s.Ambiguous += other.Ambiguous
	s.Looks += other.Looks
	s.MaxRounds = max(s.MaxRounds, other.MaxRounds)
	s.Journal = maps.Clone(s.Journal)
	if s.Journal == nil {
		s.Journal = map[string]int{}
	}
	for kind, n := range other.Journal {
		s.Journal[kind] += n
	}
}
