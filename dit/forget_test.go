package dit_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
)

// forgetful is a world whose replicas forget what is stable, now and then.
type forgetful struct {
	*world
	records time.Duration
	// forgot counts how often something was dropped.
	forgot int
}

// forever keeps every record.
const forever = time.Duration(math.MaxInt64)

// stable returns what replica i knows every replica to have. Every change is as good
// as a heartbeat, since replicas apply what they merge.
func (w *forgetful) stable(i int) dit.Forgetting {
	r := w.replicas[i]
	var least changelog.Seqs
	before := int64(math.MaxInt64)
	for m := range w.replicas {
		beat := w.beat(r, changelog.SID(m+1))
		if beat == nil {
			return dit.Forgetting{Stable: func(changelog.CSN, uint64) bool { return false }}
		}
		has := maps.Clone(beat.Seen)
		has[beat.SID()] = beat.Seq
		if least == nil {
			least = has
		}
		for sid := range least {
			least[sid] = min(least[sid], has[sid])
		}
		before = min(before, beat.CSN.Time)
	}
	return dit.Forgetting{
		Stable:  func(csn changelog.CSN, seq uint64) bool { return csn.Time < before && seq <= least[csn.SID] },
		Before:  changelog.CSN{Time: before},
		Stored:  r.seen,
		Newest:  changelog.CSN{Time: r.last},
		Records: w.records,
	}
}

// beat returns the newest change of a server whose Seen r has, too.
func (w *forgetful) beat(r *replica, sid changelog.SID) (newest *changelog.Change) {
	for _, c := range w.changes {
		within := c.SID() == sid && c.Seq <= r.seen[sid]
		for other, seq := range c.Seen {
			within = within && seq <= r.seen[other]
		}
		if within {
			newest = c
		}
	}
	return newest
}

// forget lets one replica forget, and sees that it shows and records the same.
func (w *forgetful) forget(i int) {
	w.t.Helper()
	r := w.replicas[i]
	f := w.stable(i)
	before, size := w.views(r), r.kv.Len()
	records := journal(w.t, r.state())
	for more, err := true, error(nil); more; {
		if more, err = r.state().Forget(f, 1+w.rng.IntN(20)); err != nil {
			w.t.Fatal(err)
		}
	}
	if d := cmp.Diff(before, w.views(r)); d != "" {
		w.t.Fatalf("forgetting changed what is shown:\n%s", d)
	}
	if d := cmp.Diff(records, journal(w.t, r.state())); d != "" && w.records == forever {
		w.t.Fatalf("forgetting changed the journal:\n%s", d)
	}
	if r.kv.Len() < size {
		w.forgot++
	}
	w.check(i)
}

// check compares replica i with all that it was ever given.
func (w *forgetful) check(i int) {
	w.t.Helper()
	n := naive.New(w.rules, w.has[i])
	if d := cmp.Diff(n.Shown, w.views(w.replicas[i])); d != "" {
		w.t.Fatalf("replica %d shows (-what it was given +what it remembers):\n%s", i, d)
	}
	if w.records != forever {
		return
	}
	kept := map[dit.ID][]dit.Record{}
	for _, r := range journal(w.t, w.replicas[i].state()) {
		kept[r.Entry] = append(kept[r.Entry], r)
	}
	if d := cmp.Diff(sortRecords(n.Records), sortRecords(kept)); d != "" {
		w.t.Fatalf("replica %d records (-what it was given +what it remembers):\n%s", i, d)
	}
}

// step lets one replica write, forget, or take a change it has not.
func (w *forgetful) step() {
	i := w.rng.IntN(len(w.replicas))
	switch n := w.rng.IntN(20); {
	case n < 2:
		w.forget(i)
		return
	case n < 3:
		w.drop(i)
	case n < 11:
		w.write(i)
	default:
		if missing := w.missing(i); len(missing) > 0 {
			w.take(i, pick(w.rng, missing))
		}
	}
	w.check(i)
}

func (w *forgetful) take(i int, c *changelog.Change) {
	w.replicas[i].merge(w.t, c)
	w.has[i] = append(w.has[i], c)
}

// write is that of a world, but nobody restores what others may have forgotten.
func (w *forgetful) write(i int) {
	was := w.profile
	defer func() { w.profile = was }()
	w.profile.restore = 0
	w.world.write(i)
}

// TestForgetting lets replicas forget what is stable at different times: what they
// show and record, then and after whatever comes, is what it would have been.
func TestForgetting(t *testing.T) {
	forgetting(t, 5)
}

// TestForgettingSpilled is the same with nearly every value under its own key.
func TestForgettingSpilled(t *testing.T) {
	defer dit.SetSpill(1, 1<<10)()
	forgetting(t, 2)
}

func forgetting(t *testing.T, seeds int) {
	forgot := 0
	for name, p := range profiles {
		for _, records := range []time.Duration{0, forever} {
			for seed := range seeds {
				t.Run(fmt.Sprintf("%s/%d/%d", name, min(records, 1), seed), func(t *testing.T) {
					w := &forgetful{world: newWorld(t, p, uint64(seed)+1000), records: records}
					w.quiet = true
					for range 80 {
						w.step()
					}
					w.settle()
					forgot += w.forgot
				})
			}
		}
	}
	if forgot == 0 {
		t.Error("nothing was ever forgotten")
	}
}

// settle delivers everything, forgets everything, and sees that all agree.
func (w *forgetful) settle() {
	for i := range w.replicas {
		for missing := w.missing(i); len(missing) > 0; missing = w.missing(i) {
			w.take(i, pick(w.rng, missing))
		}
		w.check(i)
	}
	for i := range w.replicas {
		w.publish(i, &changelog.Change{Op: changelog.OpHeartbeat})
	}
	for i, r := range w.replicas {
		for missing := w.missing(i); len(missing) > 0; missing = w.missing(i) {
			w.take(i, pick(w.rng, missing))
		}
		w.forget(i)
		if err := dit.Open(r.kv, w.rules).Rebuild(); err != nil {
			w.t.Fatal(err)
		}
		r.open = nil
		w.check(i)
	}
	if !slices.ContainsFunc(w.replicas, func(r *replica) bool { return r.kv.Len() > 0 }) {
		w.t.Error("nothing is left")
	}
}

// TestMakeWay promises that an entry which is added again by a server that had
// forgotten its deletion is the same to who still remembers.
func TestMakeWay(t *testing.T) {
	makesWay(t)
	t.Run("spilled", func(t *testing.T) {
		defer dit.SetSpill(0, 0)()
		makesWay(t)
	})
}

func makesWay(t *testing.T) {
	rules := testRules(t)
	change := func(sid changelog.SID, seq uint64, at int64, c changelog.Change) *changelog.Change {
		c.CSN, c.Seq, c.ID, c.DN = changelog.CSN{Time: at, SID: sid}, seq, dit.ID{7}, "cn=a,dc=x"
		return &c
	}
	mod := func(attr string, values ...string) changelog.Mod {
		return changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: values}
	}
	suffix := change(1, 1, 1, changelog.Change{Op: changelog.OpAdd, RDN: "dc=x", Mods: []changelog.Mod{mod("objectClass", "domain"), mod("dc", "x")}})
	suffix.ID = dit.ID{1}
	person := func(c changelog.Change, sn string) changelog.Change {
		c.Op, c.RDN, c.Superior = changelog.OpAdd, "cn=a", suffix.ID
		c.Mods = []changelog.Mod{mod("objectClass", "person"), mod("cn", "a"), mod("sn", sn)}
		return c
	}
	first := change(1, 2, 2, person(changelog.Change{}, "old"))
	described := change(2, 1, 3, changelog.Change{Op: changelog.OpModify, Seen: changelog.Seqs{1: 2}, Mods: []changelog.Mod{mod("description", "d")}})
	deleted := change(1, 3, 4, changelog.Change{Op: changelog.OpDelete, Seen: changelog.Seqs{2: 1}})
	again := change(3, 1, 9, person(changelog.Change{Seen: changelog.Seqs{1: 3, 2: 1}}, "new"))
	before := change(3, 1, 9, person(changelog.Change{Seen: changelog.Seqs{1: 3}}, "new"))

	merge := func(makeWay bool, changes ...*changelog.Change) string {
		s := dit.Open(dit.NewMemory(), rules)
		for _, c := range changes {
			if makeWay {
				if err := s.MakeWay(c); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Merge(c); err != nil {
				t.Fatal(err)
			}
		}
		shown, err := s.View(first.ID)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if shown == nil {
			return fmt.Sprintf("nothing, %x", digest)
		}
		return fmt.Sprintf("%+v, %x", *shown, digest)
	}
	want := merge(false, suffix, again)
	if diff := cmp.Diff(want, merge(true, suffix, first, described, deleted, again, again)); diff != "" {
		t.Error(diff)
	}
	if got := merge(false, suffix, first, described, deleted, again); got == want {
		t.Error("nothing had to make way")
	}
	for name, list := range map[string][]*changelog.Change{
		"not deleted":             {suffix, first, described, again},
		"not all of it was known": {suffix, first, described, deleted, before},
		"in another order":        {suffix, first, described, again, deleted},
		"not created yet":         {suffix, described, deleted, again, first},
	} {
		if diff := cmp.Diff(merge(false, list...), merge(true, list...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
