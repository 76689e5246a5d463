package dit_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/schema"
)

// The format of scenario files.
type (
	scenarioFile struct {
		Version   int
		Base      string
		Scenarios []scenario
	}
	scenario struct {
		ID, Title, Source string
		Initial           []scenarioEntry
		Ops               []scenarioOp
		Expect            struct {
			Text                string
			Entries             []scenarioEntry
			Journal, Superseded *[]scenarioRecord
		}
	}
	scenarioEntry struct {
		DN    string
		Attrs map[string][]string
	}
	scenarioOp struct {
		Time        int64
		Replica, Op string
		DN          string
		Attrs       map[string][]string
		Mods        []struct {
			Op, Attr string
			Values   []string
		}
		NewRDN       string
		DeleteOldRDN bool
		NewSuperior  string
	}
	scenarioRecord struct {
		Kind, Entry, Attribute, Value, RDN, Winner string
		CSNTime                                    int64 `yaml:"csn_time"`
	}
)

func loadScenarios(t *testing.T) scenarioFile {
	t.Helper()
	raw, err := os.ReadFile("testdata/scenarios/scenarios.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file scenarioFile
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestScenarios(t *testing.T) {
	file := loadScenarios(t)
	if len(file.Scenarios) != 53 {
		t.Errorf("%d scenarios, want 53", len(file.Scenarios))
	}
	for _, sc := range file.Scenarios {
		t.Run(sc.ID, func(t *testing.T) { sc.run(t, file.Base) })
	}
}

// operation returns what the client of a scenario asks for.
func (o scenarioOp) operation(t *testing.T) dit.Operation {
	op := dit.Operation{DN: parseDN(t, o.DN), Attrs: attributes(o.Attrs)}
	switch o.Op {
	case "add":
		op.Op = changelog.OpAdd
	case "delete":
		op.Op = changelog.OpDelete
	case "modify":
		op.Op = changelog.OpModify
		kinds := map[string]dit.ModificationOp{"add": dit.AddValues, "delete": dit.DeleteValues, "replace": dit.ReplaceValues}
		for _, m := range o.Mods {
			kind, ok := kinds[m.Op]
			if !ok {
				t.Fatalf("modification %q", m.Op)
			}
			op.Modifications = append(op.Modifications, dit.Modification{Op: kind, Attr: m.Attr, Values: m.Values})
		}
	case "modrdn":
		op.Op, op.DeleteOldRDN = changelog.OpModDN, o.DeleteOldRDN
		op.NewRDN = parseDN(t, o.NewRDN)[0]
		if o.NewSuperior != "" {
			op.NewSuperior = parseDN(t, o.NewSuperior)
		}
	default:
		t.Fatalf("operation %q", o.Op)
	}
	return op
}

func attributes(attrs map[string][]string) []dit.Attribute {
	var out []dit.Attribute
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		out = append(out, dit.Attribute{Name: name, Values: attrs[name]})
	}
	return out
}

// play returns the changes of a scenario, the number of those that make the
// initial entries, and the names of the ids.
func (sc scenario) play(t *testing.T, base string) (changes []*changelog.Change, initial int, ids map[dit.ID]string) {
	rules := testRules(t)
	replicas := map[string]*replica{}
	for i, name := range []string{"A", "B", "C", "D"} {
		replicas[name] = newReplica(changelog.SID(i+1), rules)
	}
	ids = map[dit.ID]string{}
	id := func(name string) dit.ID {
		ids[testID(name)] = name
		return testID(name)
	}
	do := func(r string, op dit.Operation, name string, at int64) {
		c, err := replicas[r].do(t, op, id(name), at*1000)
		if err != nil {
			t.Fatalf("%s at %s: %v", op.DN, r, err)
		}
		if c != nil {
			changes = append(changes, c)
		}
	}
	sync := func() {
		for _, r := range replicas {
			for _, c := range changes {
				r.merge(t, c)
			}
		}
	}
	do("A", dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, base), Attrs: []dit.Attribute{{Name: "objectClass", Values: []string{"organizationalUnit"}}}}, "base", 0)
	for i, e := range sc.Initial {
		do("A", dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, e.DN), Attrs: attributes(e.Attrs)}, fmt.Sprintf("init%d", i+1), 0)
	}
	sync()
	initial = len(changes)
	for _, o := range sc.Ops {
		if o.Op == "sync" {
			sync()
			continue
		}
		do(o.Replica, o.operation(t), fmt.Sprintf("%s%d", o.Replica, o.Time), o.Time)
	}
	return changes, initial, ids
}

func (sc scenario) run(t *testing.T, base string) {
	changes, initial, ids := sc.play(t, base)
	rules := testRules(t)
	var first map[string]string
	deliver := func(order []*changelog.Change) {
		r := newReplica(100, rules)
		for _, c := range order {
			r.merge(t, c)
		}
		if first == nil {
			first = dump(r.kv)
			sc.check(t, r.state(), ids)
		} else if got := dump(r.kv); !maps.Equal(first, got) {
			t.Fatalf("another order of delivery gives another state: %s", cmp.Diff(first, got))
		}
	}
	deliver(changes)
	if len(changes)-initial <= 6 {
		permute(changes[initial:], func(order []*changelog.Change) {
			deliver(append(slices.Clone(changes[:initial]), order...))
		})
	}
	if len(changes) <= 6 {
		permute(changes, deliver)
		return
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(changes))))
	for range 500 {
		order := append(slices.Clone(changes), changes...)
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		deliver(order)
	}
}

// permute calls fn with every order of s.
func permute[T any](s []T, fn func([]T)) {
	var rec func(int)
	rec = func(n int) {
		if n == len(s) {
			fn(s)
			return
		}
		for i := n; i < len(s); i++ {
			s[n], s[i] = s[i], s[n]
			rec(n + 1)
			s[n], s[i] = s[i], s[n]
		}
	}
	s = slices.Clone(s)
	rec(0)
}

func (sc scenario) check(t *testing.T, s *dit.State, ids map[dit.ID]string) {
	got := map[string]map[string][]string{}
	for _, shown := range all(t, s, slices.Collect(maps.Keys(ids))) {
		if shown.Parent.IsZero() {
			continue
		}
		name, _, err := s.DN(shown.ID)
		if err != nil {
			t.Fatal(err)
		}
		key := name.Key(schema.Standard())
		got[key] = map[string][]string{}
		for _, a := range shown.Attrs {
			switch lower := strings.ToLower(a.Name); lower {
			case "objectclass", "ldapsyncconflictid":
			case "ldapsyncconflictof":
				got[key][lower] = []string{ids[shown.ConflictOf]}
			default:
				got[key][lower] = normal(lower, a.Values)
			}
		}
	}
	want := map[string]map[string][]string{}
	for _, e := range sc.Expect.Entries {
		key := e.DN
		for id, name := range ids {
			key = strings.Replace(key, "ldapsyncConflictId="+name+",", "ldapsyncConflictId="+id.String()+",", 1)
		}
		key = parseDN(t, key).Key(schema.Standard())
		want[key] = map[string][]string{}
		for name, values := range e.Attrs {
			switch name {
			case "objectclass", "objectClass":
			case "ldapsyncconflictof":
				want[key][name] = values
			default:
				want[key][name] = normal(name, values)
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
	sc.checkJournal(t, journal(t, s), ids)
}

// normal returns the normal forms of values, sorted.
func normal(attr string, values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, schema.Standard().Normalise(attr, v))
	}
	slices.Sort(out)
	return out
}

// checkJournal compares the records that a scenario speaks of; those it leaves
// unsaid are taken over from what is there.
func (sc scenario) checkJournal(t *testing.T, records []dit.Record, ids map[dit.ID]string) {
	if sc.Expect.Journal == nil && sc.Expect.Superseded == nil {
		return
	}
	var want []scenarioRecord
	for _, list := range []*[]scenarioRecord{sc.Expect.Journal, sc.Expect.Superseded} {
		if list != nil {
			want = append(want, *list...)
		}
	}
	for _, r := range records {
		got := scenarioRecord{
			Kind: string(r.Kind), Entry: ids[r.Entry], Attribute: r.Attribute, Value: r.Lost.Value, RDN: r.Lost.Value,
			Winner: ids[r.Winner], CSNTime: (r.Lost.CSN.Time - epoch) / 1000,
		}
		i := slices.IndexFunc(want, func(w scenarioRecord) bool { return w.matches(got) })
		if i < 0 {
			t.Errorf("unexpected record %+v", got)
			continue
		}
		want = slices.Delete(want, i, i+1)
	}
	for _, w := range want {
		t.Errorf("no record %+v", w)
	}
}

// matches reports whether what w says is so.
func (w scenarioRecord) matches(got scenarioRecord) bool {
	same := func(want, got string) bool { return want == "" || strings.EqualFold(want, got) }
	return w.Kind == got.Kind && same(w.Entry, got.Entry) && same(w.Attribute, got.Attribute) && same(w.Value, got.Value) &&
		same(w.RDN, got.RDN) && same(w.Winner, got.Winner) && (w.CSNTime == 0 || w.CSNTime == got.CSNTime)
}
