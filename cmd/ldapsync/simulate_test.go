package main

import (
	"strings"
	"testing"

	"ldapsync/simulate"
)

// TestFailedHistoryIsReplayable: what a history that fails prints names the line that
// runs it again. The failure is made up, so it cannot be shortened.
func TestFailedHistoryIsReplayable(t *testing.T) {
	var out strings.Builder
	err := shortened(&simulate.Failure{
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
