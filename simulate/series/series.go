// Package series runs many histories of package simulate, on several
// processors. Which seed is run with which profile does not depend on how many
// there are.
package series

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"

	"ldapsync/simulate"
)

// Series are histories with consecutive seeds; the profiles take turns.
type Series struct {
	// First is the seed of history 0.
	First uint64
	// Profiles take turns; all do when there are none.
	Profiles []simulate.Profile
	// Steps and Every are those of every history.
	Steps, Every int
}

// Config returns history i.
func (s Series) Config(i int) simulate.Config {
	profiles := s.Profiles
	if len(profiles) == 0 {
		profiles = simulate.Profiles
	}
	return simulate.Config{
		Seed: s.First + uint64(i), Profile: profiles[i%len(profiles)], Steps: s.Steps, Every: s.Every,
	}
}

// Runner runs a history; simulate.Run is one.
type Runner func(context.Context, simulate.Config) (simulate.Stats, error)

// Run runs the histories from up to, but not including, to on as many goroutines
// as workers says, and returns what they counted. Once one fails, or ctx has
// ended, no other is begun; of the errors that of the first history is returned.
func (s Series) Run(ctx context.Context, run Runner, from, to, workers int) (simulate.Stats, error) {
	var (
		mu   sync.Mutex
		all  simulate.Stats
		bad  error
		at   int
		done sync.WaitGroup
		next atomic.Int64
		stop atomic.Bool
	)
	next.Store(int64(from))
	for range max(workers, 1) {
		done.Go(func() {
			for !stop.Load() && ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= to {
					return
				}
				stats, err := run(ctx, s.Config(i))
				mu.Lock()
				all.Add(stats)
				if err != nil && (bad == nil || i < at) {
					bad, at = err, i
					stop.Store(true)
				}
				mu.Unlock()
			}
		})
	}
	done.Wait()
	return all, cmp.Or(bad, ctx.Err())
}
