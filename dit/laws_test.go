package dit_test

import (
	"maps"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestUnionLaws promises that merging is the union of sets: it does not matter in
// which order changes come, how they are grouped, or how often.
func TestUnionLaws(t *testing.T) {
	rules := testRules(t)
	ids := []dit.ID{testID("a"), testID("b"), testID("c"), testID("d")}
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 5))
		var changes []*changelog.Change
		for i := range rapid.IntRange(1, 20).Draw(t, "changes") {
			if c := hostile(rng, uint64(i+1), ids); c.Check() == nil && c.ID != c.Superior {
				changes = append(changes, c)
			}
		}
		again := rapid.SliceOfN(rapid.IntRange(0, max(len(changes)-1, 0)), 0, 10).Draw(t, "again")
		once := merged(t, rules, changes)
		for _, i := range again {
			if i < len(changes) {
				changes = append(changes, changes[i])
			}
		}
		if shuffled := rapid.Permutation(changes).Draw(t, "order"); !maps.Equal(dump(once), dump(merged(t, rules, shuffled))) {
			t.Fatalf("another order gives another state")
		}
		for _, c := range changes {
			touched, err := dit.Open(once, rules).Merge(c)
			if err != nil || len(touched) > 0 {
				t.Fatalf("a change that is known touches %v (%v)", touched, err)
			}
		}
	})
}

func merged(t *rapid.T, rules dit.Rules, changes []*changelog.Change) *dit.Memory {
	kv := dit.NewMemory()
	for _, c := range changes {
		if _, err := dit.Open(kv, rules).Merge(c); err != nil {
			t.Fatal(err)
		}
	}
	return kv
}
