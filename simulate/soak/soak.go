package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ldapsync/simulate"
	"ldapsync/simulate/series"
)

// soak is a long series of histories that can be interrupted. After each chunk
// what is done is written to a file, and the next run goes on from there. A history
// that ends badly is told of, and the others are run none the less.
type soak struct {
	series  series.Series
	number  int
	chunk   int
	workers int
	// patience is how many histories may end badly before the rest are not run.
	patience int
	// dir is where the files with the progress are.
	dir string
	// program identifies the code: progress made by another is not counted.
	program string
	out     io.Writer
	now     func() time.Time
	run     series.Runner
}

// progress is what the file holds.
type progress struct {
	Program string         `json:"program"`
	Seed    uint64         `json:"seed"`
	Steps   int            `json:"steps"`
	Every   int            `json:"every"`
	Done    int            `json:"done"`
	Busy    time.Duration  `json:"busy_ns"`
	Stats   simulate.Stats `json:"stats"`
	// Failed are the histories that ended badly, as they were told of.
	Failed []string `json:"failed,omitempty"`
}

// fresh returns the progress of a series of which nothing is done.
func (s *soak) fresh() progress {
	return progress{Program: s.program, Seed: s.series.First, Steps: s.series.Steps, Every: s.series.Every}
}

// file returns where the progress stands: every series has a file of its own with
// every program, so that none overwrites what another has done.
func (s *soak) file() string { return s.fileOf(s.program) }

func (s *soak) fileOf(program string) string {
	return filepath.Join(s.dir, fmt.Sprintf("soak-seed%d-steps%d-every%d-%s.json", s.series.First, s.series.Steps, s.series.Every, program))
}

// load returns how far an earlier run came with the same series and program.
func (s *soak) load() (progress, error) {
	raw, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return s.fresh(), nil
	}
	if err != nil {
		return progress{}, err
	}
	var p progress
	if err = json.Unmarshal(raw, &p); err == nil {
		err = s.check(p)
	}
	if err != nil {
		return progress{}, fmt.Errorf("the progress in %s is damaged: %w; remove that file to begin anew, or keep the progress in another folder with SOAK_DIR (-dir)", s.file(), err)
	}
	return p, nil
}

// check says what cannot be about progress that is to be of the series of s. The
// counts are of the histories that went well.
func (s *soak) check(p progress) error {
	well, last := p.Done-len(p.Failed), p.Seed+uint64(max(p.Done, 0))
	switch {
	case p.Program != s.program || p.Seed != s.series.First || p.Steps != s.series.Steps || p.Every != s.series.Every:
		return errors.New("it is of another program or series")
	case p.Done < 0 || well < 0 || last < p.Seed || p.Busy < 0:
		return fmt.Errorf("%d histories from seed %d on are done, %d of them failed, in %s", p.Done, p.Seed, len(p.Failed), p.Busy)
	case p.Stats.Histories != well:
		return fmt.Errorf("%d histories are done and %d of them failed, but %d are counted that went well", p.Done, len(p.Failed), p.Stats.Histories)
	}
	return nil
}

// save replaces the file, whole or not at all.
func (s *soak) save(p progress) error {
	raw, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		return err
	}
	next := s.file() + ".new"
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(next, raw, 0o644); err != nil {
		return err
	}
	return os.Rename(next, s.file())
}

// lineEvery is the time between two lines of progress.
const lineEvery = 10 * time.Second

// errFailed is returned when histories ended badly.
var errFailed = errors.New("histories ended badly")

// do runs what is left of the series. It returns the error of ctx when that
// ends first, and errFailed when histories ended badly, in this run or before.
func (s *soak) do(ctx context.Context) error {
	p, err := s.load()
	if err != nil {
		return err
	}
	last := s.series.First + uint64(s.number) - 1
	fmt.Fprintf(s.out, "histories of %d steps, seeds %d to %d, on %d processors; progress in %s\n", s.series.Steps, s.series.First, last, s.workers, s.file())
	switch {
	case p.Done > s.number:
		fmt.Fprintf(s.out, "%d are done already, more than the %d asked for: what follows is about all that are done\n", p.Done, s.number)
	case p.Done > 0:
		fmt.Fprintf(s.out, "going on after %d\n", p.Done)
	default:
		s.tellOfOthers()
	}
	began, from := s.now(), p
	lined := began
	for p.Done < s.number && len(p.Failed) < s.patience {
		to := min(p.Done+s.chunk, s.number)
		stats, bad, err := s.runChunk(ctx, p.Done, to)
		if err != nil {
			return err
		}
		p.Done = to
		p.Stats.Add(stats)
		p.Failed = append(p.Failed, bad...)
		now := s.now()
		p.Busy = from.Busy + now.Sub(began)
		if err := s.save(p); err != nil {
			return err
		}
		if now.Sub(lined) >= lineEvery {
			lined = now
			fmt.Fprintln(s.out, s.line(p, p.Done-from.Done, now.Sub(began)))
		}
	}
	return s.conclude(p)
}

// tellOfOthers says that what other programs have done of the series does not count.
func (s *soak) tellOfOthers() {
	if files, err := filepath.Glob(s.fileOf("*")); err == nil && len(files) > 0 {
		fmt.Fprintf(s.out, "beginning anew: what another program has done of this series does not count, and stays in %s\n", strings.Join(files, ", "))
	}
}

// runChunk runs the histories from up to, but not including, to. It tells of those
// that end badly, shortened, and returns what it told.
func (s *soak) runChunk(ctx context.Context, from, to int) (stats simulate.Stats, failed []string, err error) {
	var mu sync.Mutex
	var bad []*simulate.Failure
	stats, err = s.series.Run(ctx, func(ctx context.Context, c simulate.Config) (simulate.Stats, error) {
		stats, err := s.run(ctx, c)
		var f *simulate.Failure
		if errors.As(err, &f) {
			mu.Lock()
			defer mu.Unlock()
			bad, err = append(bad, f), nil
		}
		return stats, err
	}, from, to, s.workers)
	if err != nil {
		return stats, nil, err
	}
	slices.SortFunc(bad, func(a, b *simulate.Failure) int { return cmp.Compare(a.Config.Seed, b.Config.Seed) })
	for _, f := range bad {
		fmt.Fprintf(s.out, "%v\nshortened: %v\n", f, simulate.Shrink(ctx, f))
		failed = append(failed, f.Error())
	}
	return stats, failed, nil
}

// conclude tells how the series ended.
func (s *soak) conclude(p progress) error {
	for _, f := range p.Failed {
		fmt.Fprintln(s.out, "failed:", f)
	}
	fmt.Fprintf(s.out, "%d of %d histories of %d steps went well in %s\n%s", p.Done-len(p.Failed), p.Done, s.series.Steps, p.Busy.Round(time.Second), coverage(p.Stats))
	if len(p.Failed) > 0 {
		return fmt.Errorf("%d %w", len(p.Failed), errFailed)
	}
	if missing := p.Stats.Uncovered(); len(missing) > 0 {
		return fmt.Errorf("the histories did not reach enough: %s", strings.Join(missing, ", "))
	}
	return nil
}

// line says how far the series is, how fast it went since this run began, and
// what was seldom reached.
func (s *soak) line(p progress, done int, took time.Duration) string {
	rate := float64(done) / max(took.Seconds(), 1e-3)
	left := time.Duration(float64(s.number-p.Done) / max(rate, 1e-3) * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%d of %d (%.1f%%), %d failed, %.0f/s, %s left; %d writes, %d crashes; seldom: %s", p.Done, s.number,
		100*float64(p.Done)/float64(s.number), len(p.Failed), rate, left, p.Stats.Writes, p.Stats.Crashes, strings.Join(rarest(p.Stats.Journal, 3), ", "))
}

// rarest returns the n kinds that were reached least often, with how often.
func rarest(counts map[string]int, n int) []string {
	kinds := byCount(counts)
	out := make([]string, 0, n)
	for _, kind := range kinds[:min(n, len(kinds))] {
		out = append(out, fmt.Sprintf("%s %d", kind, counts[kind]))
	}
	return out
}

// byCount returns the keys, the smallest count first.
func byCount[K ~string](counts map[K]int) []K {
	kinds := make([]K, 0, len(counts))
	for kind := range counts {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b K) int {
		return cmp.Or(counts[a]-counts[b], cmp.Compare(a, b))
	})
	return kinds
}

// coverage lists what the histories reached.
func coverage(s simulate.Stats) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %d writes of clients, %d changes, %d crashes, %d writes of unknown outcome, at most %d rounds to agree\n",
		s.Writes, s.Changes, s.Crashes, s.Unknown, s.MaxRounds)
	for _, kind := range byCount(s.Journal) {
		fmt.Fprintf(&b, "  journal %-20s %d\n", kind, s.Journal[kind])
	}
	for _, rule := range byCount(s.Rules) {
		fmt.Fprintf(&b, "  rule    %-20s %d\n", rule, s.Rules[rule])
	}
	return b.String()
}
