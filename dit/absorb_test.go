package dit_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// exported returns every record of a state, in pages of a budget.
func exported(t testing.TB, rules dit.Rules, kv dit.KV, budget int) (records [][]byte) {
	t.Helper()
	var at dit.Mark
	for more := true; more; {
		var page [][]byte
		var err error
		before := at
		if page, at, more, err = dit.Open(kv, rules).Export(at, budget); err != nil {
			t.Fatal(err)
		}
		if more && before.ID == at.ID && bytes.Equal(before.Within, at.Within) {
			t.Fatal("export stands still")
		}
		records = append(records, page...)
	}
	return records
}

func absorb(t testing.TB, rules dit.Rules, kv dit.KV, records ...[]byte) []dit.ID {
	t.Helper()
	var all []dit.ID
	for _, r := range records {
		touched, err := dit.Open(kv, rules).Absorb(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, touched...)
	}
	return all
}

func mergeAll(t testing.TB, rules dit.Rules, kv dit.KV, changes []*changelog.Change) {
	t.Helper()
	for _, c := range changes {
		if _, err := dit.Open(kv, rules).Merge(c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExportedIsAbsorbed promises that records mean what the changes mean that
// they come from: into nothing, into a state that has some of the changes, in any
// order, repeatedly, and while the exporting state goes on.
func TestExportedIsAbsorbed(t *testing.T) {
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, p, 11)
			for range 60 {
				w.step()
			}
			for _, spill := range []int{0, 2, 256} {
				reset := dit.SetSpill(spill, 1<<10)
				exportAndAbsorb(t, w, uint64(spill))
				reset()
			}
		})
	}
}

func exportAndAbsorb(t *testing.T, w *world, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 9))
	from := dit.NewMemory()
	mergeAll(t, w.rules, from, w.has[1])
	records := exported(t, w.rules, from, 1+rng.IntN(200))

	empty := dit.NewMemory()
	views := map[dit.ID]*dit.Shown{}
	for _, r := range records {
		touched := absorb(t, w.rules, empty, r)
		for _, id := range w.ids {
			now, err := dit.Open(empty, w.rules).View(id)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(touched, id) && !cmp.Equal(views[id], now) {
				t.Fatalf("the view of %s changed and was not touched", id)
			}
			views[id] = now
		}
	}
	if d := cmp.Diff(dump(from), dump(empty)); d != "" {
		t.Fatalf("absorbed by nothing:\n%s", d)
	}
	if touched := absorb(t, w.rules, empty, records...); len(touched) > 0 {
		t.Fatalf("what is known touches %v", touched)
	}

	some := dit.NewMemory()
	mergeAll(t, w.rules, some, w.has[0])
	rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	absorb(t, w.rules, some, append(records, records[:rng.IntN(len(records))]...)...)
	union := dit.NewMemory()
	mergeAll(t, w.rules, union, append(slices.Clone(w.has[0]), w.has[1]...))
	if d := cmp.Diff(dump(union), dump(some)); d != "" {
		t.Fatalf("absorbed by another:\n%s", d)
	}
	exportWhileMerging(t, w, rng, union)
}

// exportWhileMerging lets the exporting state take in the other changes between
// the pages; what is absorbed lacks nothing of what was there at the first page.
func exportWhileMerging(t *testing.T, w *world, rng *rand.Rand, union *dit.Memory) {
	from, to := dit.NewMemory(), dit.NewMemory()
	mergeAll(t, w.rules, from, w.has[0])
	late := w.has[1]
	var at dit.Mark
	for more := true; more; {
		var page [][]byte
		var err error
		if page, at, more, err = dit.Open(from, w.rules).Export(at, 1+rng.IntN(100)); err != nil {
			t.Fatal(err)
		}
		absorb(t, w.rules, to, page...)
		n := min(len(late), rng.IntN(4))
		mergeAll(t, w.rules, from, late[:n])
		late = late[n:]
	}
	mergeAll(t, w.rules, to, w.has[1])
	if !maps.Equal(dump(union), dump(to)) {
		t.Fatalf("a state that moved was not exported whole:\n%s", cmp.Diff(dump(union), dump(to)))
	}
}

// TestExportIsBounded promises that a record is as large as its budget, or one
// value.
func TestExportIsBounded(t *testing.T) {
	const budget = 64 << 10
	many, one := dit.NewMemory(), dit.NewMemory()
	group(t, many, 20_000)
	photo := string(bytes.Repeat([]byte{7, 1, 9}, 3<<20))
	s, next := group(t, one, 1000)
	if _, err := s.Merge(next(changelog.Mod{Op: changelog.ModReplace, Attr: "jpegPhoto", Values: []string{photo}})); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kv    *dit.Memory
		large int
	}{{many, 0}, {one, 1}} {
		records := exported(t, testRules(t), c.kv, budget)
		large := 0
		for _, r := range records {
			if len(r) > 2*budget {
				large++
			}
		}
		if large != c.large {
			t.Errorf("%d of %d records are large, want %d", large, len(records), c.large)
		}
		to := dit.NewMemory()
		absorb(t, testRules(t), to, records...)
		if !maps.Equal(dump(c.kv), dump(to)) {
			t.Error("another state")
		}
	}
}

// TestExportGoesOnUnderAnotherSchema promises that nothing is left out where the
// order of an entry's values is another than when the export began.
func TestExportGoesOnUnderAnotherSchema(t *testing.T) {
	kv := dit.NewMemory()
	s, _ := group(t, kv, 1000)
	page, at, more, err := s.Export(dit.Mark{}, 20_000)
	if err != nil || !more || len(at.Within) == 0 {
		t.Fatalf("%d records, %+v, %v", len(page), at, err)
	}
	other := bytes.Clone(at.Within)
	other[1] ^= 1 // in the digest of the schema
	again, _, _, err := s.Export(dit.Mark{ID: at.ID, Within: other}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	to := dit.NewMemory()
	absorb(t, testRules(t), to, append(page, again...)...)
	if !maps.Equal(dump(kv), dump(to)) {
		t.Error("another state")
	}
}

// FuzzAbsorb absorbs any bytes: what is refused leaves no trace, what is not can
// be exported and means the same there.
func FuzzAbsorb(f *testing.F) {
	kv, _ := eventful(f)
	rules := newWorld(f, profiles["life"], 1).rules
	defer dit.SetSpill(3, 1<<10)()
	records := exported(f, rules, kv, 100)
	for _, r := range records {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		to := kv.Clone()
		_, err := dit.Open(to, rules).Absorb(record)
		if err != nil {
			if !errors.Is(err, dit.ErrRecord) {
				t.Fatalf("unexpected error: %v", err)
			}
			if !maps.Equal(dump(kv), dump(to)) {
				t.Fatal("a refused record was written")
			}
			return
		}
		again := dit.NewMemory()
		absorb(t, rules, again, exported(t, rules, to, 1000)...)
		if d := cmp.Diff(dump(to), dump(again)); d != "" {
			t.Fatalf("exported and absorbed:\n%s", d)
		}
	})
}

// FuzzExport goes on from any place.
func FuzzExport(f *testing.F) {
	kv, ids := eventful(f)
	rules := newWorld(f, profiles["life"], 1).rules
	defer dit.SetSpill(3, 1<<10)()
	var at dit.Mark
	for more := true; more; {
		_, at, more, _ = dit.Open(kv, rules).Export(at, 50)
		f.Add(at.ID[:], at.Within)
	}
	f.Add(ids[0][:], []byte{0, 1})
	f.Fuzz(func(t *testing.T, id, within []byte) {
		var at dit.Mark
		copy(at.ID[:], id)
		at.Within = within
		if _, _, _, err := dit.Open(kv, rules).Export(at, 1000); err != nil {
			t.Fatal(err)
		}
	})
}
