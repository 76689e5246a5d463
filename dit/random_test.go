package dit_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"ldapsync/dit"
)

// TestRandom lets random clients write at replicas that hear of each other late,
// and compares with the naive computation after every step.
func TestRandom(t *testing.T) {
	randomly(t, 15)
	for _, kind := range []dit.Kind{
		dit.ValueSuperseded, dit.RenameSuperseded, dit.MoveSuperseded, dit.MoveSkipped, dit.ChangeOnDeleted,
		dit.DeleteSuperseded, dit.NameConflict, dit.GlueShown, dit.MustRepaired, dit.HiddenNoClass,
		dit.DanglingReference, dit.UniquenessViolation,
	} {
		if reached[kind] == 0 && !testing.Short() {
			t.Errorf("no record of kind %s was ever compared", kind)
		}
	}
}

// TestRandomSpilled is TestRandom with nearly every value under a key of its own.
func TestRandomSpilled(t *testing.T) {
	for _, count := range []int{0, 2} {
		defer dit.SetSpill(count, 1<<10)()
		randomly(t, 5)
	}
}

func randomly(t *testing.T, seeds int) {
	if testing.Short() {
		seeds = 5
	}
	if more, err := strconv.Atoi(os.Getenv("DIT_SEEDS")); err == nil {
		seeds = more
	}
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					w := newWorld(t, p, uint64(seed))
					for range 60 {
						w.step()
					}
					w.settle()
				})
			}
		})
	}
}
