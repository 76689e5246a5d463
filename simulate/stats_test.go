package simulate_test

import (
	"slices"
	"testing"

	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/simulate"
)

// reached returns what histories count that reach everything n times.
func reached(histories, n int) simulate.Stats {
	s := simulate.Stats{Histories: histories, Journal: map[string]int{}, Rules: map[simulate.Rule]int{}}
	for _, kind := range replica.ConflictKinds() {
		s.Journal[string(kind)] = n
	}
	for _, rule := range simulate.Rules {
		s.Rules[rule] = n
	}
	return s
}

func TestUncoveredNamesEveryKindAndRule(t *testing.T) {
	for histories, n := range map[int]int{simulate.Enough: 5, 20_000: 20, 1_000_000: 1000} {
		if s := reached(histories, n); len(s.Uncovered()) > 0 {
			t.Errorf("%d histories: %q", histories, s.Uncovered())
		}
		if s := reached(histories, n-1); len(s.Uncovered()) != len(replica.ConflictKinds())+len(simulate.Rules) {
			t.Errorf("%d histories: %q", histories, s.Uncovered())
		}
	}
	s := reached(20_000, 20)
	delete(s.Journal, string(dit.UniquenessViolation))
	s.Rules[simulate.Withheld] = 3
	if have := s.Uncovered(); !slices.Equal(have, []string{"uniqueness-violation (0 of 20)", "withheld (3 of 20)"}) {
		t.Errorf("%q", have)
	}
	if s := reached(simulate.Enough-1, 0); len(s.Uncovered()) > 0 {
		t.Errorf("few histories: %q", s.Uncovered())
	}
}
