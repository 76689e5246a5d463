package scenario

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// Options says how to deliver.
type Options struct {
	// Shuffles is the number of random orders, each with duplicates, that are
	// tried where all orders would be too many.
	Shuffles int
	// Seed decides about them.
	Seed uint64
	// ByState records of a modification what the states before and after tell,
	// as a daemon does beside a directory that reports states: a replace that keeps
	// a value becomes the values that it added and deleted.
	ByState bool
}

// allOrders is the number of changes up to which every order is tried.
const allOrders = 6

// Result is what became of a scenario.
type Result struct {
	Scenario *Scenario
	// Outcome is what every replica holds at the end.
	Outcome Outcome
	// Refused are the operations that no directory would have made.
	Refused []Refused
	// Idle are the operations that change nothing, by Op.ID.
	Idle map[string]bool
	// Orders is the number of orders of delivery that led to it.
	Orders int
	// Differences say in lines what is not as expected; empty when all is.
	Differences []string
}

// Differs reports whether something is not as the file expects.
func (r *Result) Differs() bool { return len(r.Differences) > 0 }

// Run plays a scenario, delivers its changes in all orders or in many, and
// compares. The error is of a scenario that cannot be played, or of ctx when that
// ends first.
func (s *Scenario) Run(ctx context.Context, o Options) (*Result, error) {
	p, err := s.play(ctx, o.ByState)
	if err != nil {
		return nil, err
	}
	d := &delivery{played: p, want: p.replicas[0].digest()}
	r := &Result{Scenario: s, Refused: p.refused, Idle: p.idle}
	if r.Outcome, err = outcome(p.replicas[0].dit, p.names); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.ID, err)
	}
	for i, other := range p.replicas {
		if other.digest() != d.want {
			r.Differences = append(r.Differences, fmt.Sprintf("A and %s hold different states in the end", Replica(SID("A")+changelog.SID(i))))
		}
	}
	if err := d.all(ctx, o); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.ID, err)
	}
	r.Orders = d.orders
	r.Differences = append(r.Differences, d.differences(r.Outcome, s)...)
	if s.Expect != nil {
		r.Differences = append(r.Differences, s.Compare(r.Outcome)...)
	}
	return r, nil
}

// delivery tries orders of delivery.
type delivery struct {
	*played
	want   [sha256.Size]byte
	orders int
	// odd is the first order that led elsewhere, and where.
	odd     []*changelog.Change
	oddness Outcome
}

// all tries all orders of few changes, and random ones of many.
func (d *delivery) all(ctx context.Context, o Options) error {
	deliver := func(order []*changelog.Change) error { return d.deliver(ctx, order) }
	made := d.changes[d.initial:]
	switch {
	case len(d.changes) <= allOrders:
		return permute(d.changes, deliver)
	case len(made) <= allOrders:
		err := permute(made, func(order []*changelog.Change) error {
			return deliver(slices.Concat(d.changes[:d.initial], order))
		})
		if err != nil {
			return err
		}
	}
	rng := rand.New(rand.NewPCG(o.Seed, uint64(len(d.changes))))
	for range o.Shuffles {
		order := slices.Concat(d.changes, d.changes)
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if err := deliver(order); err != nil {
			return err
		}
	}
	return nil
}

func (d *delivery) deliver(ctx context.Context, order []*changelog.Change) error {
	r := newReplica(100, d.rules)
	for _, c := range order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.merge(c); err != nil {
			return err
		}
	}
	d.orders++
	if d.odd != nil || r.digest() == d.want {
		return nil
	}
	var err error
	d.odd = slices.Clone(order)
	d.oddness, err = outcome(r.dit, d.names)
	return err
}

// differences says where an order of delivery led that led elsewhere.
func (d *delivery) differences(usual Outcome, s *Scenario) []string {
	if d.odd == nil {
		return nil
	}
	lines := []string{"delivered in this order they lead to another state: " + d.label(d.odd)}
	expect := Scenario{File: s.File, Expect: &Expect{Entries: usual.Entries, Journal: true, Records: usual.Records}}
	return append(lines, expect.Compare(d.oddness)...)
}

// label names changes as a file does.
func (d *delivery) label(order []*changelog.Change) string {
	words := make([]string, len(order))
	for i, c := range order {
		words[i] = fmt.Sprintf("%s%d", Replica(c.SID()), timeOf(c.CSN))
		if timeOf(c.CSN) == 0 {
			words[i] = d.names[c.ID]
		}
	}
	return strings.Join(words, " ")
}

// timeOf returns the time, in a scenario, of a CSN.
func timeOf(c changelog.CSN) int64 { return max(c.Time-epoch, 0) / second }

// permute calls fn with every order of s, until it fails.
func permute[T any](s []T, fn func([]T) error) error {
	var rec func(int) error
	rec = func(n int) error {
		if n == len(s) {
			return fn(s)
		}
		for i := n; i < len(s); i++ {
			s[n], s[i] = s[i], s[n]
			err := rec(n + 1)
			s[n], s[i] = s[i], s[n]
			if err != nil {
				return err
			}
		}
		return nil
	}
	s = slices.Clone(s)
	return rec(0)
}

// outcome returns what a state shows.
func outcome(state *dit.State, names Names) (Outcome, error) {
	var entries []Entry
	for id := range names {
		shown, err := state.View(id)
		if err != nil {
			return Outcome{}, err
		}
		if shown == nil || shown.Parent.IsZero() {
			continue
		}
		name, _, err := state.DN(id)
		if err != nil {
			return Outcome{}, err
		}
		entries = append(entries, names.Entry(Entry{DN: name, Attrs: shown.Attrs}))
	}
	var records []Record
	err := state.Journal(func(r dit.Record) bool {
		records = append(records, names.Record(r, timeOf))
		return true
	})
	return NewOutcome(entries, records), err
}
