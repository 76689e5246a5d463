package dit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/dit"
	"ldapsync/dit/naive"
	"ldapsync/schema"
)

// reached counts the records of each kind that were compared.
var reached = map[dit.Kind]int{}

// compareNaive compares a state with the obvious computation.
func compareNaive(t testing.TB, s *dit.State, n *naive.Model, ids []dit.ID) {
	t.Helper()
	shown, records := map[dit.ID]*dit.Shown{}, map[dit.ID][]dit.Record{}
	for _, id := range ids {
		v, err := s.View(id)
		if err != nil {
			t.Fatal(err)
		}
		if v != nil {
			shown[id] = v
		}
		rs, err := s.Records(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) > 0 {
			records[id] = rs
		}
	}
	if d := cmp.Diff(n.Shown, shown); d != "" {
		t.Fatalf("views (-naive +state):\n%s", d)
	}
	listed := map[dit.ID][]dit.Record{}
	for _, r := range journal(t, s) {
		listed[r.Entry] = append(listed[r.Entry], r)
	}
	if d := cmp.Diff(records, listed); d != "" {
		t.Fatalf("journal (-records +listed):\n%s", d)
	}
	compareListing(t, s, records)
	for _, rs := range records {
		for _, r := range rs {
			reached[r.Kind]++
		}
	}
	if d := cmp.Diff(sortRecords(n.Records), sortRecords(records)); d != "" {
		t.Fatalf("records (-naive +state):\n%s", d)
	}
	held, err := s.Withheld()
	if err != nil || held != n.Withheld() {
		t.Fatalf("withheld %d (%v), naive %d", held, err, n.Withheld())
	}
	counts, err := s.Counts()
	if want := n.Counts(); err != nil || counts != want {
		t.Fatalf("counts %+v (%v), naive %+v", counts, err, want)
	}
}

func sortRecords(in map[dit.ID][]dit.Record) map[dit.ID][]string {
	out := map[dit.ID][]string{}
	for id, rs := range in {
		for _, r := range rs {
			out[id] = append(out[id], fmt.Sprintf("%+v", r))
		}
		slices.Sort(out[id])
	}
	return out
}

// rebuild checks that a state which is derived anew is as it was, and that what is
// derived by other rules is what merging by them would have given.
func (w *world) rebuild(r *replica, want map[string]string) {
	same, other := r.kv.Clone(), r.kv.Clone()
	if err := dit.Open(same, w.rules).Rebuild(); err != nil {
		w.t.Fatal(err)
	}
	if d := cmp.Diff(want, dump(same)); d != "" {
		w.t.Fatalf("rebuilt (-merged +rebuilt):\n%s", d)
	}
	rules := otherRules(w.t)
	if err := dit.Open(other, rules).Rebuild(); err != nil {
		w.t.Fatal(err)
	}
	merged := dit.NewMemory()
	for _, c := range w.changes {
		if _, err := dit.Open(merged, rules).Merge(c); err != nil {
			w.t.Fatal(err)
		}
	}
	if d := cmp.Diff(dump(merged), dump(other)); d != "" {
		w.t.Fatalf("rebuilt by other rules (-merged +rebuilt):\n%s", d)
	}
	compareNaive(w.t, dit.Open(other, rules), naive.New(rules, w.changes), w.ids)
	if d := cmp.Diff(digest(w.t, dit.Open(same, w.rules)), digest(w.t, dit.Open(other, rules))); d != "" {
		w.t.Fatalf("the digest depends on the rules: %s", d)
	}
}

func digest(t testing.TB, s *dit.State) []byte {
	t.Helper()
	d, err := s.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// otherRules are those of a schema that tells other values apart.
func otherRules(t testing.TB) dit.Rules {
	t.Helper()
	var types, classes []string
	for a := range schema.Standard().AttributeTypes() {
		d := a.Definition
		switch {
		case slices.Contains(a.Names, "description"):
			d = strings.Replace(d, "caseIgnoreMatch", "caseExactMatch", 1)
		case slices.Contains(a.Names, "employeeNumber"):
			d = strings.Replace(d, "SINGLE-VALUE", "", 1)
		case slices.Contains(a.Names, "sn"):
			d = strings.TrimSuffix(strings.TrimSpace(d), ")") + " SINGLE-VALUE )"
		case slices.Contains(a.Names, "uidNumber"):
			continue
		}
		types = append(types, d)
	}
	for c := range schema.Standard().ObjectClasses() {
		classes = append(classes, c.Definition)
	}
	sch, err := schema.Parse(types, classes)
	if err != nil {
		t.Fatal(err)
	}
	if sch.Digest() == schema.Standard().Digest() {
		t.Fatal("the other schema is the same")
	}
	rules := testRules(t)
	rules.Schema = sch
	rules.Containers = []string{"inetOrgPerson"}
	rules.Unique = []string{"description"}
	return rules
}
