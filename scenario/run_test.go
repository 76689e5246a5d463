package scenario_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/dit"
	"ldapsync/scenario"
	"ldapsync/schema"
)

func load(t *testing.T) *scenario.File {
	t.Helper()
	in, err := os.Open("testdata/scenarios.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, err := scenario.Parse("scenarios.yaml", in, schema.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func find(t *testing.T, f *scenario.File, id string) *scenario.Scenario {
	t.Helper()
	for _, s := range f.Scenarios {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no scenario %s", id)
	return nil
}

// TestWrongExpectationsDiffer changes what scenarios expect, each in one way.
func TestWrongExpectationsDiffer(t *testing.T) {
	for _, c := range []struct {
		id    string
		spoil func(*scenario.Expect)
		want  string
	}{
		{"A01", func(e *scenario.Expect) { e.Entries[0].Attrs[0].Values[0] = "other" }, `cn=x,ou=t,dc=x: sn: expected "other", got "s"`},
		{"A01", func(e *scenario.Expect) { e.Entries = nil }, `cn=x,ou=t,dc=x: there, and not expected: cn "x", mail "b@x", objectClass "inetOrgPerson", sn "s", telephoneNumber "1"`},
		{"B01", func(e *scenario.Expect) { e.Records = nil }, "journal: there, and not expected: change-on-deleted init1 time 2"},
		{"B01", func(e *scenario.Expect) { e.Records[0].Time = 1 }, "journal: there, and not expected: change-on-deleted init1 time 2\njournal: expected, and not there: change-on-deleted init1 time 1"},
		{"D01", func(e *scenario.Expect) { e.Records = e.Records[:1]; e.Records[0].RDN = "cn=b" }, `journal: there, and not expected: rename-superseded init1 rdn "cn=a" time 1` + "\n" +
			`journal: there, and not expected: value-superseded init1 cn value "a" time 1` + "\n" + `journal: expected, and not there: rename-superseded init1 rdn "cn=b"`},
		{"B05", func(e *scenario.Expect) { e.Records[0].Winner = "B2" }, "journal: there, and not expected: name-conflict B2 winner A1 time 2\njournal: expected, and not there: name-conflict B2 winner B2"},
		{"A02", func(e *scenario.Expect) { e.Journal = false; e.Records = nil }, ""},
		{"A01", func(e *scenario.Expect) {
			e.Entries[0].Attrs = append(e.Entries[0].Attrs, attr("objectClass", "INETORGPERSON"))
		}, ""},
		{"B05", func(e *scenario.Expect) {
			e.Entries[0].Attrs = append(e.Entries[0].Attrs, attr("objectClass", "inetOrgPerson"))
		}, ""},
		{"A01", func(e *scenario.Expect) {
			e.Entries[0].Attrs = append(e.Entries[0].Attrs, attr("objectClass", "person"))
		}, `cn=x,ou=t,dc=x: objectclass: expected "person", got "inetorgperson"`},
	} {
		s := find(t, load(t), c.id)
		c.spoil(s.Expect)
		r, err := s.Run(t.Context(), scenario.Options{Shuffles: 10})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, strings.Join(r.Differences, "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.id, d)
		}
	}
}

const whatIf = `base: ou=people,dc=example,dc=org
scenarios:
- id: rename
  title: two people get one name
  initial:
  - dn: uid=ann,ou=people,dc=example,dc=org
    attrs: {objectClass: [inetOrgPerson], cn: [Ann], sn: [Lee], mail: [ann@example.org]}
  ops:
  - {time: 1, replica: A, op: modrdn, dn: "uid=ann,ou=people,dc=example,dc=org", newrdn: uid=anna, deleteoldrdn: true}
  - {time: 2, replica: B, op: add, dn: "uid=anna,ou=people,dc=example,dc=org", attrs: {objectClass: [inetOrgPerson], cn: [Anna], sn: [Kay]}}
  - time: 3
    replica: B
    op: modify
    dn: uid=ann,ou=people,dc=example,dc=org
    mods:
    - {op: replace, attr: mail, values: [lee@example.org]}
  - time: 4
    replica: A
    op: modify
    dn: uid=anna,ou=people,dc=example,dc=org
    mods:
    - {op: replace, attr: mail, values: [anna@example.org]}
  - {time: 5, replica: A, op: delete, dn: "uid=ann,ou=people,dc=example,dc=org"}
`

const whatHappens = `rename two people get one name
  A at time 5: delete of uid=ann,ou=people,dc=example,dc=org is refused, result 32: no entry uid=ann,ou=people,dc=example,dc=org
# on A, B alike, for each of 720 orders of delivery
dn: uid=anna,ou=people,dc=example,dc=org
cn: Ann
mail: anna@example.org
objectClass: inetOrgPerson
sn: Lee
uid: anna

dn: uid=anna+ldapsyncConflictId=B2,ou=people,dc=example,dc=org
cn: Anna
ldapsyncConflictId: B2
ldapsyncConflictOf: init1
objectClass: inetOrgPerson
objectClass: ldapsyncConflict
sn: Kay
uid: anna

# journal: name-conflict: B2 (added as uid=anna,ou=people,dc=example,dc=org): another entry has the name; made by B at time 2; gave way to A at time 1; the name is that of init1 (uid=ann,ou=people,dc=example,dc=org)
# journal: value-superseded: init1 (uid=ann,ou=people,dc=example,dc=org): a value gave way to one written without knowing of it; lost: mail: "lee@example.org"; made by B at time 3; gave way to A at time 4
1 scenarios, 0 differ
`

func TestWhatWouldHappenIf(t *testing.T) {
	f, err := parse(whatIf)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Scenarios[0].Run(t.Context(), scenario.Options{Shuffles: 10})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	report := scenario.Report{Out: &out}
	if err := report.Add(r); err != nil {
		t.Fatal(err)
	}
	if err := report.End(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(whatHappens, out.String()); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
}

func attr(name string, values ...string) dit.Attribute {
	return dit.Attribute{Name: name, Values: values}
}

func TestEveryKindCanBeNamed(t *testing.T) {
	for _, kind := range dit.Kinds() {
		if _, err := parse(strings.Replace(good, "kind: value-superseded", "kind: "+string(kind), 1)); err != nil {
			t.Error(err)
		}
	}
}

// TestByStateRecordsWhatTheStatesTell: a replace that keeps a value is seen as what it
// added, so that a value added elsewhere is not superseded.
func TestByStateRecordsWhatTheStatesTell(t *testing.T) {
	f := load(t)
	for _, id := range []string{"A01", "A06", "A07", "A18", "A22", "D01", "D12"} {
		s := find(t, f, id)
		r, err := s.Run(t.Context(), scenario.Options{Shuffles: 20, ByState: true})
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if s.ID == "D12" {
			want = `journal: expected, and not there: value-superseded init1 cn value "a"`
		}
		if got := strings.Join(r.Differences, "\n"); got != want {
			t.Errorf("%s: %s", s.ID, got)
		}
	}
}

// TestRunEndsWithItsContext: however many orders are asked for.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	s := find(t, load(t), "A01")
	many := make([]scenario.Op, 0, 50)
	for i := range 50 {
		o := s.Ops[0]
		o.Time = int64(i + 1)
		many = append(many, o)
	}
	s.Ops = many
	if _, err := s.Run(ctx, scenario.Options{Shuffles: 100_000_000}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
