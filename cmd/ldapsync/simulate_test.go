package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"ldapsync/simulate"
)

// TestFailedHistoryIsReplayable: what a history that fails prints names the line that
// runs it again. The failure is made up, so it cannot be shortened.
func TestFailedHistoryIsReplayable(t *testing.T) {
	var out strings.Builder
	err := shortened(t.Context(), &simulate.Failure{
		Config: simulate.Config{Seed: 7, Profile: simulate.Tree, Steps: 9, Every: 2, Keep: []int{1, 4}}, Rule: "made up", What: "this and that",
	}, &out)
	if err == nil || err.Error() != "history 7 of profile tree: made up" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{
		"found:     --seed 7 --profile tree --steps 9 --every 2 --keep 1,4\n",
		"shortened: made up: this and that\n",
		"replay:    ldapsync simulate --seed 7 --profile tree --steps 9 --every 2 --keep 1,4 --trace\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestInterruptedSimulation: whatever it is at, it says that it was interrupted, and
// not by what means.
func TestInterruptedSimulation(t *testing.T) {
	file := filepath.Join("..", "..", "scenario", "testdata", "scenarios.yaml")
	for _, args := range [][]string{{"--seed", "1"}, {file}, {"--shuffles", "1000000", file}} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		root := newRootCommand()
		root.SetArgs(append([]string{"simulate"}, args...))
		root.SetOut(io.Discard)
		if err := root.ExecuteContext(ctx); err == nil || err.Error() != "simulate: interrupted" || exitCode(err) != exitFailed {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestProfileThatIsNone: what is no profile is refused with all that would do, of the
// flag's own, too.
func TestProfileThatIsNone(t *testing.T) {
	root := newRootCommand()
	root.SetArgs([]string{"simulate", "--seed", "1", "--profile", "some"})
	err := root.ExecuteContext(t.Context())
	if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), string(simulate.Tree)) || !strings.Contains(err.Error(), `"all"`) {
		t.Error(err)
	}
}
