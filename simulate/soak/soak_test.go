package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/simulate"
	"ldapsync/simulate/series"
)

// newSoak returns a soak of short histories, on a clock that goes by a minute
// whenever it is looked at.
func newSoak(t *testing.T, out *bytes.Buffer) *soak {
	now := time.Unix(0, 0)
	return &soak{
		series: series.Series{First: 50, Steps: 6}, number: 30, chunk: 10, workers: 2, patience: 2, program: "p", out: out,
		dir: filepath.Join(t.TempDir(), "deep"), run: simulate.Run,
		now: func() time.Time { now = now.Add(time.Minute); return now },
	}
}

func (s *soak) mustLoad(t *testing.T) progress {
	t.Helper()
	p, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGoesOnWhereItWasStopped(t *testing.T) {
	var out bytes.Buffer
	whole := newSoak(t, &out)
	if err := whole.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := newSoak(t, &out)
	ctx, cancel := context.WithCancel(context.Background())
	begun := map[uint64]bool{}
	s.workers = 1
	s.run = func(ctx context.Context, c simulate.Config) (simulate.Stats, error) {
		if begun[c.Seed] = true; len(begun) == 15 {
			cancel()
		}
		return simulate.Run(ctx, c)
	}
	if err := s.do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if p := s.mustLoad(t); p.Done != 10 {
		t.Fatalf("%d done before it was stopped", p.Done)
	}
	again := map[uint64]bool{}
	s.run = func(ctx context.Context, c simulate.Config) (simulate.Stats, error) {
		again[c.Seed] = true
		return simulate.Run(ctx, c)
	}
	out.Reset()
	if err := s.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(again) != 20 || again[50] {
		t.Errorf("%d histories after it was stopped: %v", len(again), again)
	}
	if diff := cmp.Diff(whole.mustLoad(t).Stats, s.mustLoad(t).Stats); diff != "" {
		t.Error("counted otherwise than without a stop: ", diff)
	}
	for _, want := range []string{"seeds 50 to 79", "going on after 10", "20 of 30 (66.7%), 0 failed, 0/s, 1m0s left", "30 of 30 histories of 6 steps went well"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestDoneIsDone(t *testing.T) {
	var out bytes.Buffer
	s := newSoak(t, &out)
	if err := s.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.run = func(ctx context.Context, c simulate.Config) (simulate.Stats, error) {
		t.Error("run again: ", c)
		return simulate.Stats{}, nil
	}
	if err := s.do(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherSeriesHasProgressOfItsOwn(t *testing.T) {
	for name, change := range map[string]func(*soak){
		"program": func(s *soak) { s.program = "q" },
		"seed":    func(s *soak) { s.series.First++ },
		"steps":   func(s *soak) { s.series.Steps++ },
		"every":   func(s *soak) { s.series.Every++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSoak(t, new(bytes.Buffer))
			s.mustSave(t, 12)
			if got := s.mustLoad(t); got.Done != 12 {
				t.Fatalf("%d done", got.Done)
			}
			other := *s
			change(&other)
			if got := other.mustLoad(t); got.Done != 0 {
				t.Errorf("%d done", got.Done)
			}
			other.mustSave(t, 3)
			if got := s.mustLoad(t); got.Done != 12 {
				t.Errorf("%d done after the other has saved", got.Done)
			}
		})
	}
}

func TestProgressOfAnotherProgramIsToldOf(t *testing.T) {
	var out bytes.Buffer
	s := newSoak(t, &out)
	s.mustSave(t, 12)
	file := s.file()
	s.program = "q"
	if err := s.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := "beginning anew: what another program has done of this series does not count, and stays in " + file + "\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

// mustSave saves that n histories went well.
func (s *soak) mustSave(t *testing.T, n int) {
	t.Helper()
	p := s.fresh()
	p.Done, p.Stats.Histories = n, n
	if err := s.save(p); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedProgressIsAnError(t *testing.T) {
	s := newSoak(t, new(bytes.Buffer))
	s.mustSave(t, 0)
	for _, raw := range []string{
		"", "{", "{}", `{"program":"q","seed":50,"steps":6}`,
		`{"program":"p","seed":50,"steps":6,"done":-1}`,
		`{"program":"p","seed":50,"steps":6,"done":1000000000}`,
		`{"program":"p","seed":50,"steps":6,"done":10,"stats":{"Histories":10},"failed":["one"]}`,
		`{"program":"p","seed":50,"steps":6,"done":1,"stats":{"Histories":-1},"failed":["one","two"]}`,
	} {
		if err := os.WriteFile(s.file(), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.do(context.Background())
		if err == nil {
			t.Errorf("%q is taken", raw)
			continue
		}
		for _, want := range []string{s.file(), "remove that file", "SOAK_DIR"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in %v", want, err)
			}
		}
	}
}

func TestMoreThanAskedForIsSaid(t *testing.T) {
	var out bytes.Buffer
	s := newSoak(t, &out)
	s.mustSave(t, 40)
	if err := s.do(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"40 are done already, more than the 30 asked for", "40 of 40 histories"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// failing returns a runner in which the histories of some seeds end badly. It
// notes what it ran.
func failing(ran map[uint64]bool, seeds ...uint64) series.Runner {
	var mu sync.Mutex
	return func(ctx context.Context, c simulate.Config) (simulate.Stats, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[c.Seed] = true
		if slices.Contains(seeds, c.Seed) {
			return simulate.Stats{}, &simulate.Failure{Config: simulate.Config{Seed: c.Seed, Profile: simulate.Tree, Steps: 1}, Rule: "rule", What: "what"}
		}
		return simulate.Stats{Histories: 1}, nil
	}
}

func TestTheOthersGoOnAfterAFailure(t *testing.T) {
	var out, errOut bytes.Buffer
	s := newSoak(t, &out)
	for _, want := range []string{"shortened: step", "failed: step"} {
		ran := map[uint64]bool{}
		s.run = failing(ran, 61)
		if code := s.exit(s.do(context.Background()), &errOut); code != 1 {
			t.Errorf("exit code %d", code)
		}
		if p := s.mustLoad(t); p.Done != 30 || p.Stats.Histories != 29 || len(p.Failed) != 1 {
			t.Errorf("%+v", p)
		}
		for _, want := range []string{want, "-profile tree -seed 61 -steps 1", "29 of 30 histories"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, &out)
			}
		}
		if ran[61] == (want == "failed: step") {
			t.Error("done, and run again: ", ran)
		}
		out.Reset()
	}
}

func TestGivesUpWhenTooManyFail(t *testing.T) {
	s := newSoak(t, new(bytes.Buffer))
	ran := map[uint64]bool{}
	s.run = failing(ran, 52, 53, 62)
	for range 2 {
		if err := s.do(context.Background()); !errors.Is(err, errFailed) {
			t.Error(err)
		}
	}
	if p := s.mustLoad(t); p.Done != 10 || len(p.Failed) != 2 || ran[62] {
		t.Errorf("%d done, %q", p.Done, p.Failed)
	}
}

func TestAnErrorOfTheRunnerEndsTheSeries(t *testing.T) {
	s := newSoak(t, new(bytes.Buffer))
	bad := errors.New("bad")
	s.run = func(context.Context, simulate.Config) (simulate.Stats, error) { return simulate.Stats{}, bad }
	var errOut bytes.Buffer
	if code := s.exit(s.do(context.Background()), &errOut); code != 2 || !strings.Contains(errOut.String(), "bad") {
		t.Errorf("exit code %d: %s", code, &errOut)
	}
}

func TestCommand(t *testing.T) {
	var out, errOut bytes.Buffer
	args := []string{"-histories", "3", "-steps", "2", "-dir", t.TempDir()}
	if code := command(context.Background(), args, &out, &errOut); code != 0 || errOut.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &errOut)
	}
	if code := command(context.Background(), []string{"-histories", "0"}, &out, &errOut); code != 2 || errOut.Len() == 0 {
		t.Errorf("exit code %d for no histories", code)
	}
	if code := command(context.Background(), []string{"-every", "-1"}, &out, &errOut); code != 2 {
		t.Errorf("exit code %d for looking after -1 steps", code)
	}
	if code := command(context.Background(), []string{"-patience", "0"}, &out, &errOut); code != 2 {
		t.Errorf("exit code %d for no patience", code)
	}
}
