package simulate

import (
	"fmt"
	"maps"

	"ldapsync/dit"
	"ldapsync/replica"
)

// Stats counts what happened in histories.
type Stats struct {
	Histories, Writes, Changes, Crashes int
	// Operations counts what the steps were made of before everything is put right:
	// what clients did, steps of pumps, deliveries, and one for any other step.
	Operations int
	// Came and Left count servers that joined empty and that left.
	Came, Left int
	// Wiped and Restored count state files lost, and replaced by old copies.
	Wiped, Restored int
	// OldTrees counts directories replaced by old copies while the state file stayed.
	OldTrees int
	// Clashed counts numbers under which two servers have said hello.
	Clashed int
	// Cloned counts servers that a copy of them went on beside.
	Cloned int
	// Traced counts values that clients wrote unwatched, and that the replica took
	// away after it had noted them.
	Traced int
	// Anew counts the state files that servers set aside by themselves.
	Anew int
	// Forgot counts how often a server forgot something.
	Forgot int
	// Unknown counts transactions whose outcome the replica did not learn.
	Unknown int
	// Ambiguous counts writes of clients that could not be told from nothing
	// having happened, see watched.otherwise.
	Ambiguous int
	// Looks counts the states compared in the middle of a history.
	Looks int
	// MaxRounds is the greatest number of rounds it took to agree.
	MaxRounds int
	// Journal counts the records left at the end, by kind; of what servers set
	// aside, each time that it was.
	Journal map[string]int
	// Rules counts how often each rule of the view decided something about what
	// is shown at the end, apart from those that a kind of record tells of.
	Rules map[Rule]int
}

// Rule is a rule of the view.
type Rule string

// The rules of the view that leave no record of their own.
const (
	// Merged: an entry is shown below another than its own superior, which has
	// the same name.
	Merged Rule = "merged"
	// NameDeleted: a rename took the old naming value away.
	NameDeleted Rule = "name-deleted"
	// NameForced: a removed value is shown as it stands in the name.
	NameForced Rule = "name-forced"
	// SpelledAlike: a value was added in several spellings.
	SpelledAlike Rule = "spelled-alike"
	// Single: of several values of an attribute that may have one, one is shown.
	Single Rule = "single"
	// Restored: a deleted entry lives again.
	Restored Rule = "restored"
	// Withheld: an entry was not shown as its superior had not arrived.
	Withheld Rule = "withheld"
)

// Rules are all of them.
var Rules = []Rule{Merged, NameDeleted, NameForced, SpelledAlike, Single, Restored, Withheld}

func newStats() Stats { return Stats{Journal: map[string]int{}, Rules: map[Rule]int{}} }

// Add adds other to s.
func (s *Stats) Add(other Stats) {
	s.Histories += other.Histories
	s.Writes += other.Writes
	s.Operations += other.Operations
	s.Changes += other.Changes
	s.Crashes += other.Crashes
	s.Unknown += other.Unknown
	s.Ambiguous += other.Ambiguous
	s.Came += other.Came
	s.Left += other.Left
	s.Wiped += other.Wiped
	s.Restored += other.Restored
	s.Anew += other.Anew
	s.Clashed += other.Clashed
	s.Cloned += other.Cloned
	s.OldTrees += other.OldTrees
	s.Traced += other.Traced
	s.Forgot += other.Forgot
	s.Looks += other.Looks
	s.MaxRounds = max(s.MaxRounds, other.MaxRounds)
	s.Journal = sum(s.Journal, other.Journal)
	s.Rules = sum(s.Rules, other.Rules)
}

// sum adds the counts of b to those of a, which may be nil.
func sum[K comparable](a, b map[K]int) map[K]int {
	out := maps.Clone(a)
	if out == nil {
		out = map[K]int{}
	}
	for k, n := range b {
		out[k] += n
	}
	return out
}

// kinds are those of records that histories have to reach.
var kinds = []dit.Kind{
	dit.ValueSuperseded, dit.RenameSuperseded, dit.MoveSuperseded, dit.MoveSkipped, dit.ChangeOnDeleted,
	dit.DeleteSuperseded, dit.NameConflict, dit.GlueShown, dit.MustRepaired, dit.HiddenNoClass, dit.DanglingReference,
	dit.UniquenessViolation, replica.ParkedRejected, replica.ParkedFuture, replica.DeniedByRole,
}

// Enough is the number of histories, of all profiles in turn, that have to reach
// everything.
const Enough = 5000

// Uncovered returns the kinds of records and the rules that were reached too
// seldom: less often than once in a thousand histories, which is twenty times in
// those of `make test` and a thousand times in those of `make soak`. Of fewer
// histories than Enough it returns nothing.
func (s Stats) Uncovered() []string {
	if s.Histories < Enough {
		return nil
	}
	least := s.Histories / 1000
	var out []string
	for _, kind := range kinds {
		if n := s.Journal[string(kind)]; n < least {
			out = append(out, fmt.Sprintf("%s (%d of %d)", kind, n, least))
		}
	}
	for _, rule := range Rules {
		if n := s.Rules[rule]; n < least {
			out = append(out, fmt.Sprintf("%s (%d of %d)", rule, n, least))
		}
	}
	return out
}
