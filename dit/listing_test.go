package dit_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// compareListing checks that what is listed in pages, by kind and by entry, is
// what the entries' records are.
func compareListing(t testing.TB, s *dit.State, records map[dit.ID][]dit.Record) {
	t.Helper()
	var want []dit.Record
	for _, rs := range records {
		want = append(want, rs...)
	}
	got := pages(t, s, dit.Listing{Limit: 2})
	if d := cmp.Diff(ids(want), ids(got)); d != "" {
		t.Fatalf("listing (-records +listed):\n%s", d)
	}
	for i := range got {
		if i > 0 && got[i-1].Time().Before(got[i].Time()) {
			t.Fatalf("listing is not newest first: %v, %v", got[i-1], got[i])
		}
	}
	if len(got) == 0 {
		return
	}
	one := got[len(got)/2]
	of := func(which func(dit.Record) bool) []string {
		return ids(slices.DeleteFunc(slices.Clone(want), func(r dit.Record) bool { return !which(r) }))
	}
	for name, q := range map[string]struct {
		dit.Listing
		which func(dit.Record) bool
	}{
		"entry": {dit.Listing{Entry: one.Entry, Limit: 1}, func(r dit.Record) bool { return r.Entry == one.Entry }},
		"kind":  {dit.Listing{Kinds: []dit.Kind{one.Kind}, Limit: 1}, func(r dit.Record) bool { return r.Kind == one.Kind }},
		"since": {dit.Listing{Since: one.Time().Time}, func(r dit.Record) bool { return r.Time().Time >= one.Time().Time }},
	} {
		if d := cmp.Diff(of(q.which), ids(pages(t, s, q.Listing))); d != "" {
			t.Fatalf("listing by %s (-records +listed):\n%s", name, d)
		}
	}
	for n := range len(one.ID()) {
		digits := one.ID()[:n+1]
		begins := of(func(r dit.Record) bool { return strings.HasPrefix(r.ID(), digits) })
		found, err := s.FindRecords(digits)
		if err != nil || len(found) != min(len(begins), 20) || len(begins) <= 20 && !slices.Contains(found, one) {
			t.Fatalf("%s: %d of %d are found: %v, %v", digits, len(found), len(begins), found, err)
		}
	}
}

// pages returns all pages of a listing as one.
func pages(t testing.TB, s *dit.State, q dit.Listing) []dit.Record {
	t.Helper()
	var out []dit.Record
	for {
		page, next, err := s.List(q)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, page...)
		if next == "" {
			return out
		}
		if q.After = next; len(page) != q.Limit {
			t.Fatalf("a page of %d, not %d", len(page), q.Limit)
		}
	}
}

func ids(records []dit.Record) []string {
	out := []string{}
	for _, r := range records {
		out = append(out, string(r.Kind)+" "+r.ID())
	}
	slices.Sort(out)
	return out
}

// crowd returns a state in which two servers wrote a description of each of
// some entries at once, below two containers.
func crowd(t testing.TB, n int) *dit.State {
	t.Helper()
	s := dit.Open(dit.NewMemory(), testRules(t))
	seq := map[changelog.SID]uint64{}
	merge := func(sid changelog.SID, c changelog.Change) {
		seq[sid]++
		c.Seq, c.CSN = seq[sid], changelog.CSN{Time: epoch + int64(seq[1]*10+uint64(sid)), SID: sid}
		if _, err := s.Merge(&c); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range people(n) {
		merge(1, *c)
	}
	for _, c := range people(n)[11:] {
		for sid := range changelog.SID(2) {
			merge(sid+2, changelog.Change{
				Op: changelog.OpModify, ID: c.ID, Seen: changelog.Seqs{1: seq[1]},
				Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "description", Values: []string{sid.String()}}},
			})
		}
	}
	return s
}

func TestListingBelow(t *testing.T) {
	s := crowd(t, 20)
	got := pages(t, s, dit.Listing{Below: testID("unit3"), Limit: 1})
	if len(got) != 2 || got[0].Entry == got[1].Entry {
		t.Errorf("below one of ten containers: %v", got)
	}
	if got := pages(t, s, dit.Listing{Below: testID("base")}); len(got) != 20 {
		t.Errorf("below the suffix: %d", len(got))
	}
}

func TestListingRefusesWhatIsNoPage(t *testing.T) {
	s := crowd(t, 1)
	for _, after := range []string{"x", "00", strings.Repeat("00", 1000)} {
		if _, _, err := s.List(dit.Listing{After: after}); !errors.Is(err, dit.ErrPage) {
			t.Errorf("%.10s: %v", after, err)
		}
	}
	for _, digits := range []string{"xy", "0", strings.Repeat("0", 100)} {
		if found, err := s.FindRecords(digits); len(found) > 0 || err != nil {
			t.Errorf("%.10s: %v, %v", digits, found, err)
		}
	}
}

// TestListingReadsItsPageOnly counts what is read of a journal of 20,000.
func TestListingReadsItsPageOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("builds 20,000 conflicts")
	}
	kv := &reading{KV: crowd(t, 20_000).Store()}
	s := dit.Open(kv, testRules(t))
	page, next, err := s.List(dit.Listing{Limit: 10})
	if err != nil || len(page) != 10 {
		t.Fatal(page, err)
	}
	if page, _, err = s.List(dit.Listing{Limit: 10, After: next, Kinds: []dit.Kind{dit.ValueSuperseded}}); err != nil || len(page) != 10 {
		t.Fatal(page, err)
	}
	if kv.reads > 500 {
		t.Errorf("%d reads for 20 of 20,000 records", kv.reads)
	}
}

// reading counts the keys that are read.
type reading struct {
	dit.KV
	reads int
}

func (c *reading) Get(key []byte) []byte {
	c.reads++
	return c.KV.Get(key)
}

func (c *reading) Scan(prefix, from []byte, fn func(key, value []byte) bool) {
	c.KV.Scan(prefix, from, func(k, v []byte) bool {
		c.reads++
		return fn(k, v)
	})
}

// TestRecordTime: a record is of the time at which what it tells of met.
func TestRecordTime(t *testing.T) {
	early, late := changelog.CSN{Time: epoch, SID: 1}, changelog.CSN{Time: epoch + 1, SID: 2}
	for _, tt := range []struct {
		kind            dit.Kind
		lost, won, want changelog.CSN
	}{
		{dit.ValueSuperseded, early, late, late},
		{dit.ChangeOnDeleted, late, early, late},
		{dit.MoveSkipped, early, late, early}, // it met what was there; where the entry went since came later
		{dit.MoveSkipped, late, early, late},
	} {
		if got := (dit.Record{Kind: tt.kind, Lost: dit.Side{CSN: tt.lost}, Won: dit.Side{CSN: tt.won}}).Time(); got != tt.want {
			t.Errorf("%s of %s and %s is of %s", tt.kind, tt.lost, tt.won, got)
		}
	}
}
