package dit_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
)

// TestCircles merges entries that were added below one another in a circle, with
// others that lead into it, some of them deleted. No server makes such; they are
// withheld, the way up from each of them ends, and the order of arrival makes no
// difference.
func TestCircles(t *testing.T) {
	for _, shape := range []struct{ ring, tail int }{{2, 0}, {2, 1}, {3, 0}, {3, 2}, {4, 1}, {5, 0}, {5, 3}, {7, 4}, {9, 6}} {
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%d+%d/%d", shape.ring, shape.tail, seed), func(t *testing.T) {
				encircle(t, shape.ring, shape.tail, rand.New(rand.NewPCG(seed, 5)))
			})
		}
	}
}

// encircle merges a circle of entries and a row of others below its first.
func encircle(t *testing.T, ring, tail int, rng *rand.Rand) {
	rules := testRules(t)
	w := &world{t: t, rng: rng, rules: rules, replicas: []*replica{newReplica(99, rules)}, has: make([][]*changelog.Change, 1)}
	for range ring + tail {
		w.id()
	}
	for i, id := range w.ids {
		superior := w.ids[(i+1)%ring]
		if i >= ring {
			superior = w.ids[(i+1)%len(w.ids)]
		}
		c := w.next(&changelog.Change{Op: changelog.OpAdd, ID: id, Superior: superior, RDN: fmt.Sprintf("ou=%d", rng.IntN(2)), Mods: []changelog.Mod{
			{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"organizationalUnit"}},
		}})
		if rng.IntN(2) == 0 {
			w.next(&changelog.Change{Op: changelog.OpDelete, ID: id, Seen: changelog.Seqs{c.SID(): c.Seq}})
		}
	}
	w.anyOrder()
	// One that breaks the circle: all are shown below the suffix.
	root := w.id()
	w.next(&changelog.Change{Op: changelog.OpAdd, ID: root, RDN: "ou=t"})
	w.next(&changelog.Change{Op: changelog.OpModDN, ID: w.ids[rng.IntN(ring)], Moved: true, Superior: root})
	w.anyOrder()
}

// anyOrder delivers what has been made since to the first replica, and everything in
// another order and one transaction to one that has nothing: they are the same.
func (w *world) anyOrder() {
	w.t.Helper()
	for _, c := range shuffled(w.rng, w.changes[len(w.has[0]):]) {
		w.deliver(0, c)
	}
	again := newReplica(98, w.rules)
	one := dit.Open(again.kv, w.rules)
	for _, c := range shuffled(w.rng, w.changes) {
		if _, err := one.Merge(c); err != nil {
			w.t.Fatal(err)
		}
		for _, id := range w.ids { // what it remembers has to be forgotten with the next change
			if _, err := one.View(id); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	compareNaive(w.t, one, naive.New(w.rules, w.changes), w.ids)
	if d := cmp.Diff(dump(w.replicas[0].kv), dump(again.kv)); d != "" {
		w.t.Fatal(d)
	}
	w.rebuild(again, dump(again.kv))
}

func shuffled[T any](rng *rand.Rand, s []T) []T {
	s = slices.Clone(s)
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s
}

// next numbers a change of some server that nobody has received.
func (w *world) next(c *changelog.Change) *changelog.Change {
	c.Seq = uint64(len(w.changes) + 1)
	c.CSN = changelog.CSN{Time: epoch + int64(c.Seq), SID: changelog.SID(1 + w.rng.IntN(3))}
	w.changes = append(w.changes, c)
	return c
}
