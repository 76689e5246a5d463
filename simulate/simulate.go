// Package simulate runs whole replicas in one goroutine: the production code of
// packages store, dit and replica, step by step, over directories in memory, a
// network that loses, repeats, delays and reorders, clocks that are wrong, and
// processes that die at any durable step. A seed decides everything, so a
// history that ends badly can be run again, and shortened.
//
// It starts nothing, waits for nothing and reads no clock.
package simulate

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Config is a history. Equal configs give equal histories.
type Config struct {
	Seed    uint64
	Profile Profile
	// Steps is the number of steps before everything is put right and the
	// replicas have to agree.
	Steps int
	// Every is after how many steps each state that has changed is looked at in full;
	// 0 for one state once, somewhere in the middle.
	Every int
	// Keep, when not nil, are the steps to make, in ascending order; the others
	// are left out.
	Keep []int
	// Trace, when not nil, gets a line for everything that happens.
	Trace io.Writer
}

// String returns the flags of `go test ./simulate` that run the history again.
func (c Config) String() string {
	s := fmt.Sprintf("-profile %s -seed %d -steps %d", c.Profile, c.Seed, c.Steps)
	if c.Every > 0 {
		s += fmt.Sprintf(" -every %d", c.Every)
	}
	if c.Keep != nil {
		keep := make([]string, len(c.Keep))
		for i, k := range c.Keep {
			keep[i] = fmt.Sprint(k)
		}
		s += " -keep " + strings.Join(keep, ",")
	}
	return s
}

// Failure is a history in which something happened that must not.
type Failure struct {
	Config Config
	// Step is the step after which it was noticed, Steps once the faults were over.
	Step int
	// Rule is the short name of what was violated, What says how.
	Rule, What string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("step %d: %s: %s\nrun again: go test ./simulate -run Replay %s", f.Step, f.Rule, f.What, f.Config)
}

// Run runs a history. It returns a *Failure when something happened that must
// not, and the error of ctx when that ends first.
func Run(ctx context.Context, cfg Config) (stats Stats, err error) {
	w := &world{ctx: ctx, cfg: cfg, stats: newStats()}
	step := -1
	defer func() {
		switch p := recover().(type) {
		case nil:
		case violation:
			stats, err = w.stats, &Failure{Config: cfg, Step: step, Rule: p.rule, What: p.what}
		case interruption:
			stats, err = w.stats, p.error
		default:
			panic(fmt.Sprintf("%v\nin step %d of %s", p, step, cfg))
		}
	}()
	w.build()
	for i, k := 0, cfg.Keep; i < cfg.Steps; i++ {
		if cfg.Keep != nil {
			if len(k) == 0 || k[0] != i {
				continue
			}
			k = k[1:]
		}
		step = i
		w.goOn()
		nd := w.step(i)
		w.inspect()
		w.lookAfter(i, nd)
	}
	step = cfg.Steps
	w.settle()
	w.judge()
	if cfg.Profile == Ages {
		w.outlive()
	}
	w.stats.Histories++
	return w.stats, nil
}

// violation is what ends a history early; Run recovers it.
type violation struct{ rule, what string }

// interruption ends a history whose context has ended; Run recovers it.
type interruption struct{ error }

// goOn ends the history once its context has ended.
func (w *world) goOn() {
	if err := w.ctx.Err(); err != nil {
		panic(interruption{err})
	}
}

func fail(rule, format string, args ...any) {
	panic(violation{rule, fmt.Sprintf(format, args...)})
}

// Shrink leaves out steps of a failing history as long as it violates the same
// rule, and returns the shortest found until ctx ends.
func Shrink(ctx context.Context, f *Failure) *Failure {
	best := f
	keep := f.Config.Keep
	if keep == nil {
		keep = make([]int, min(f.Step+1, f.Config.Steps))
		for i := range keep {
			keep[i] = i
		}
	}
	try := func(keep []int) bool {
		cfg := f.Config
		cfg.Keep = keep
		_, err := Run(ctx, cfg)
		next, ok := err.(*Failure)
		if !ok || next.Rule != f.Rule {
			return false
		}
		best = next
		return true
	}
	for size := max(len(keep)/2, 1); ; {
		cut := false
		for at := 0; at < len(keep); {
			end := min(at+size, len(keep))
			if rest := append(append([]int{}, keep[:at]...), keep[end:]...); try(rest) {
				keep, cut = rest, true
				continue
			}
			at = end
		}
		if size == 1 && !cut || ctx.Err() != nil {
			return best
		}
		if !cut {
			size = max(size/2, 1)
		}
	}
}
