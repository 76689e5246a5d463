package scenario_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"ldapsync/scenario"
	"ldapsync/schema"
)

// good is a file with everything in it; tests spoil it in one place.
const good = `version: 1
base: ou=t,dc=x
scenarios:
- id: one
  title: a title
  source: somewhere
  initial:
  - dn: ou=p,ou=t,dc=x
    attrs: {objectClass: [organizationalUnit]}
  - dn: cn=c,ou=p,ou=t,dc=x
    attrs:
      objectClass: [inetOrgPerson]
      sn: [s]
      jpegPhoto: [!!binary AAEC]
  ops:
  - {time: 4, op: sync}
  - {time: 1, replica: A, op: add, dn: "cn=d,ou=t,dc=x", attrs: {objectClass: [inetOrgPerson], sn: [1]}}
  - time: 2
    replica: B
    op: modify
    dn: cn=c,ou=p,ou=t,dc=x
    mods:
    - {op: replace, attr: mail, values: [a@x, b@x]}
    - {op: delete, attr: sn, values: []}
  - {time: 3, replica: B, op: modrdn, dn: "cn=c,ou=p,ou=t,dc=x", newrdn: cn=e, deleteoldrdn: true, newsuperior: "ou=t,dc=x"}
  - {time: 5, replica: C, op: delete, dn: "ou=p,ou=t,dc=x"}
  expect:
    text: in words
    entries:
    - dn: cn=d+ldapsyncConflictId=A1,ou=t,dc=x
      attrs: {ldapsyncconflictof: [init2]}
    journal: []
    superseded:
    - {kind: value-superseded, entry: init2, attribute: mail, value: a@x, csn_time: 2}
`

func parse(text string) (*scenario.File, error) {
	return scenario.Parse("f.yaml", strings.NewReader(text), schema.Standard())
}

func TestParse(t *testing.T) {
	f, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	s := f.Scenarios[0]
	if len(s.Initial) != 2 || len(s.Ops) != 5 || s.Ops[0].ID() != "A1" || !s.Ops[3].Sync || s.Ops[1].Line != 18 {
		t.Errorf("parsed %+v", s)
	}
	if got := strings.Join(s.Replicas(), ""); got != "ABC" {
		t.Errorf("replicas %s", got)
	}
	if photo := s.Initial[1].Attrs[2].Values[0]; photo != "\x00\x01\x02" {
		t.Errorf("photo %q", photo)
	}
	if e := s.Expect; len(e.Entries) != 1 || !e.Journal || e.Records[0].Time != 2 {
		t.Errorf("expect %+v", e)
	}
}

// TestParseRefuses spoils a good file in one place; the error names the line.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"version: 1", "version: 2", `f.yaml:1: version "2": only 1 is known`},
		{"base: ou=t,dc=x", "bose: ou=t,dc=x", `f.yaml:2: unknown key "bose"`},
		{"base: ou=t,dc=x", "", "f.yaml:1: base is missing"},
		{"base: ou=t,dc=x", `base: ""`, "f.yaml:2: base: want the name of an entry"},
		{"base: ou=t,dc=x", "base: [x]", "f.yaml:2: want a single value, not a list"},
		{"- id: one", "- id: [one]", "f.yaml:4: want a single value, not a list"},
		{"- id: one", "- id: ''", "f.yaml:4: id is empty"},
		{"  title: a title", "  titel: a title", `f.yaml:5: unknown key "titel"`},
		{"  title: a title", "  id: two", "f.yaml:5: id is there twice"},
		{"  title: a title", "  title: &a x", ""},
		{"  title: a title\n  source: somewhere", "  title: &a x\n  source: *a", "f.yaml:6: want a single value, not an alias"},
		{"  title: a title", "  title:", "f.yaml:5: want a value, not !!null"},
		{"dn: ou=p,ou=t,dc=x\n    attrs", "dn: ou\n    attrs", "f.yaml:8: invalid DN"},
		{"dn: ou=p,ou=t,dc=x\n    attrs", "dn: ou=p,dc=x\n    attrs", "f.yaml:8: ou=p,dc=x is not below the base ou=t,dc=x"},
		{"dn: ou=p,ou=t,dc=x\n    attrs", "dn: ou=p,ou=q,ou=t,dc=x\n    attrs", "f.yaml:8: ou=p,ou=q,ou=t,dc=x: its superior does not stand before it"},
		{"dn: ou=p,ou=t,dc=x\n    attrs", "dn: ldapsyncConflictId=p,ou=t,dc=x\n    attrs", "f.yaml:8: ldapsyncConflictId=p,ou=t,dc=x: an entry cannot begin with"},
		{"dn: cn=c,ou=p,ou=t,dc=x\n    attrs", "dn: OU=P,ou=t,dc=x\n    attrs", "f.yaml:10: OU=P,ou=t,dc=x is there already"},
		{"dn: cn=c,ou=p,ou=t,dc=x\n    attrs", "dn: nope=c,ou=p,ou=t,dc=x\n    attrs", `f.yaml:10: attribute type "nope" is not in the schema`},
		{"objectClass: [inetOrgPerson]\n", "objectClass: [inetOrgPersona]\n", `f.yaml:12: object class "inetOrgPersona" is not in the schema`},
		{"sn: [s]", "sn: s", "f.yaml:13: sn: want a list, not a single value"},
		{"sn: [s]", "sn: [s, S]", `f.yaml:13: sn: value "S" is there twice`},
		{"sn: [s]", "objectclass: [person]", "f.yaml:13: objectclass is there twice"},
		{"sn: [s]", "sn: [~]", "f.yaml:13: want a value, not !!null"},
		{"AAEC", "A", "f.yaml:14: not in base64"},
		{"op: sync", "op: sink", `f.yaml:16: unknown operation "sink": known are add, delete, modify, modrdn, sync`},
		{"op: sync", "op: sync, replica: A", `f.yaml:16: unknown key "replica"`},
		{"{time: 4, op: sync}", "{time: 4}", "f.yaml:16: op is missing"},
		{"{time: 4, op: sync}", "[]", "f.yaml:16: want keys and values, not a list"},
		{"time: 1, replica: A", "time: x, replica: A", `f.yaml:17: time "x": want a whole number`},
		{"time: 1, replica: A", "time: 0, replica: A", "f.yaml:17: time 0 is when the initial entries were made"},
		{"time: 1, replica: A", "time: -1, replica: A", `f.yaml:17: time "-1"`},
		{"time: 1, replica: A", "replica: A", "f.yaml:17: time is missing"},
		{"time: 1, replica: A", "time: 1, replica: AA", `f.yaml:17: replica "AA": want a letter from A to Z`},
		{"time: 1, replica: A", "time: 1", "f.yaml:17: replica is missing"},
		{"time: 1, replica: A", "time: 2, replica: B", "f.yaml:18: B does two things at time 2, the first in line 17"},
		{`op: add, dn: "cn=d,ou=t,dc=x"`, `op: add, dn: "cn=d,dc=x"`, "f.yaml:17: cn=d,dc=x is not below the base"},
		{`op: add, dn`, `op: delete, dn`, `f.yaml:17: unknown key "attrs": known are time, op, replica, dn`},
		{"op: replace, attr", "op: replaced, attr", `f.yaml:23: unknown modification "replaced"`},
		{"attr: mail", "attr: maill", `f.yaml:23: attribute type "maill" is not in the schema`},
		{"{op: delete, attr: sn, values: []}", "{op: add, attr: sn, values: []}", "f.yaml:24: add of sn without a value"},
		{"newrdn: cn=e", "newrdn: e", "f.yaml:25: invalid DN"},
		{"deleteoldrdn: true", "deleteoldrdn: 1", `f.yaml:25: deleteoldrdn "1": want true or false`},
		{`newsuperior: "ou=t,dc=x"`, `newsuperior: "dc=x"`, "f.yaml:25: dc=x is not below the base"},
		{"    entries:\n    - dn", "    entry:\n    - dn", `f.yaml:29: unknown key "entry"`},
		{"ldapsyncConflictId=A1", "ldapsyncConflictId=B2", `f.yaml:30: id "B2": no entry is called so; known are A1, init1, init2`},
		{"ldapsyncconflictof: [init2]", "ldapsyncconflictof: [init3]", `f.yaml:30: id "init3"`},
		{"kind: value-superseded", "kind: value", `f.yaml:34: unknown kind "value": known are change-on-deleted,`},
		{"entry: init2, attribute", "entry: init0, attribute", `f.yaml:34: id "init0"`},
		{"attribute: mail, value", "attribute: e-mail, value", `f.yaml:34: attribute type "e-mail"`},
		{"csn_time: 2", "csn_time: 4", "f.yaml:34: csn_time 4: nobody does anything then"},
		{"    journal: []", "    journal: {}", "f.yaml:32: journal: want a list, not keys and values"},
		{good, good + "---\n" + good, "f.yaml:35: a second document: a file holds one"},
		{good, "", "f.yaml: the file is empty"},
		{good, "[1, 2]", "f.yaml:1: want keys and values, not a list"},
		{good, "a: [1", "f.yaml:1: did not find expected ',' or ']'"},
		{good, "a: b: c", "f.yaml:1: mapping values are not allowed in this context"},
		{"title: a title", "title: *other", "f.yaml:5: unknown anchor 'other' referenced"},
		{"title: a title", "title: \"a \x01\"", "f.yaml:5: control characters are not allowed"},
		{"title: a title", "title: \xff", "f.yaml:5: invalid leading UTF-8 octet"},
		{good, "base: dc=x\nscenarios: []", "f.yaml:2: scenarios: there is none"},
		{good, good + strings.TrimPrefix(good[strings.Index(good, "- id"):], "\n"), "f.yaml:35: scenario one: the id is taken, in line 4"},
	} {
		_, err := parse(strings.Replace(good, c.old, c.new, 1))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q for %q: %v", c.new, c.old, err)
		case c.want != "" && err == nil:
			t.Errorf("%q for %q: no error, want %s", c.new, c.old, c.want)
		case c.want != "" && !strings.Contains(err.Error(), c.want):
			t.Errorf("%q for %q:\n%v, want\n%s", c.new, c.old, err, c.want)
		}
	}
}

func TestParseTellsEverythingWrong(t *testing.T) {
	spoilt := strings.NewReplacer("op: sync", "op: sink", "kind: value", "kind: velue", "title", "titel").Replace(good)
	_, err := parse(spoilt)
	var e *scenario.Error
	if !errors.As(err, &e) || len(e.Problems) != 3 || e.Problems[0].Line != 5 || e.Problems[2].Line != 34 {
		t.Errorf("%v", err)
	}
}

func TestParseIsBounded(t *testing.T) {
	if _, err := parse(good + "# " + strings.Repeat("x", scenario.MaxSize)); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("too large: %v", err)
	}
	many := strings.Repeat(", v", scenario.MaxOps)
	if _, err := parse(strings.Replace(good, "values: [a@x", "values: [a@x"+many, 1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("too many values: %.80v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("base: dc=x\nscenarios: [{id: 1, ops: [{time: 1, op: sync}]}]"))
	f.Add([]byte("base: dc=x\nscenarios: [{id: 1, initial: [{dn: 'cn=a,dc=x', attrs: {sn: [a]}}],\n" +
		"  ops: [{time: 1, replica: A, op: modrdn, dn: 'cn=a,dc=x', newrdn: cn=b, deleteoldrdn: false}, {time: 2, replica: B, op: delete, dn: 'cn=a,dc=x'}]}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := scenario.Parse("f", bytes.NewReader(b), schema.Standard())
		if err != nil {
			return
		}
		for _, s := range file.Scenarios {
			if len(s.Ops)+len(s.Initial) > 4 {
				continue
			}
			if r, err := s.Run(t.Context(), scenario.Options{Shuffles: 1}); err != nil || r.Orders == 0 {
				t.Errorf("%d orders of delivery, %v", r.Orders, err)
			}
		}
	})
}

// TestSystemScenariosAreRefused: files for people, with operations that only a test
// can make, are no scenarios.
func TestSystemScenariosAreRefused(t *testing.T) {
	b, err := os.ReadFile("testdata/system.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = scenario.Parse("system.yaml", bytes.NewReader(b), schema.Standard())
	if err == nil || !strings.Contains(err.Error(), `system.yaml:9: unknown operation "clock"`) {
		t.Errorf("%v", err)
	}
}
