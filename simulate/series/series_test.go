package series_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"ldapsync/simulate"
	"ldapsync/simulate/series"
)

func TestRunCallsEachOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[uint64]simulate.Profile{}
	run := func(_ context.Context, c simulate.Config) (simulate.Stats, error) {
		mu.Lock()
		defer mu.Unlock()
		if _, again := seen[c.Seed]; again {
			t.Errorf("seed %d twice", c.Seed)
		}
		seen[c.Seed] = c.Profile
		return simulate.Stats{Histories: 1}, nil
	}
	s := series.Series{First: 100, Steps: 7}
	stats, err := s.Run(context.Background(), run, 3, 60, 4)
	if err != nil || stats.Histories != 57 || len(seen) != 57 {
		t.Errorf("%d histories, %d seeds, %v", stats.Histories, len(seen), err)
	}
	for i := 3; i < 60; i++ {
		if want := s.Config(i); seen[want.Seed] != want.Profile {
			t.Errorf("history %d: profile %q, want %q", i, seen[want.Seed], want.Profile)
		}
	}
}

func TestRunReturnsTheFirstFailure(t *testing.T) {
	run := func(_ context.Context, c simulate.Config) (simulate.Stats, error) {
		if c.Seed >= 20 {
			return simulate.Stats{}, fmt.Errorf("seed %d", c.Seed)
		}
		return simulate.Stats{}, nil
	}
	for range 20 {
		if _, err := (series.Series{}).Run(context.Background(), run, 0, 1000, 4); err == nil || err.Error() != "seed 20" {
			t.Fatal(err)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	run := func(context.Context, simulate.Config) (simulate.Stats, error) {
		if calls++; calls == 5 {
			cancel()
		}
		return simulate.Stats{}, nil
	}
	if _, err := (series.Series{}).Run(ctx, run, 0, 1000, 1); !errors.Is(err, context.Canceled) || calls != 5 {
		t.Errorf("%d calls, %v", calls, err)
	}
}
