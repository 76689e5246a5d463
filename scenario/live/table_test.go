package live_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/scenario/live"
)

func TestTable(t *testing.T) {
	rows := []*live.Row{
		{ID: "A01", Title: "all is well", Equal: true, Entries: true, Journal: true, Took: 1500 * time.Millisecond},
		{ID: "A02", Title: strings.Repeat("long ", 20), Equal: true, Entries: true, Journal: true, NoJournal: true},
		{ID: "A03", Title: "odd", Equal: false, Entries: false, Journal: false, Differences: []string{"ldap1: so and so"}, Refused: []string{"A at time 1: no"}},
		{ID: "rename", Title: "one person renamed on both sides", Equal: true, Entries: true, Journal: true, Took: 1200 * time.Millisecond},
		{ID: "D12", Title: "a replace", Equal: true, Entries: true, Journal: true, ByState: []string{"journal: not there"}},
	}
	table := func(markdown bool) string {
		var out strings.Builder
		table := live.Table{Out: &out, Markdown: markdown}
		table.Begin(3)
		for _, r := range rows {
			table.Add(r)
		}
		table.End()
		if table.Differ() != 1 || table.Scenarios() != 5 {
			t.Errorf("%d of %d differ", table.Differ(), table.Scenarios())
		}
		return regexp.MustCompile("^OpenLDAP .*, Prosody .*, 3").ReplaceAllString(out.String(), "3")
	}
	if d := cmp.Diff(`3 servers

id    title                                               slapd 1..3  entries      journal      verdict      s
A01   all is well                                         equal       as expected  as expected  ok         1.5
A02   long long long long long long long long long lo...  equal       as expected  -            ok         0.0
A03   odd                                                 differ      differ       differs      DIFFERS    0.0
rename one person renamed on both sides                    equal       as expected  as expected  ok         1.2
D12   a replace                                           equal       as expected  by state     ok         0.0

A03 odd
  ldap1: so and so
  A at time 1: no
D12 a replace
  by state: journal: not there
5 scenarios, 1 differ
`, table(false)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	markdown := table(true)
	for _, want := range []string{"|---|---|---|---|---|---|---|\n", "| A01 | all is well | equal | as expected | as expected | ok | 1.5 |\n", "\n```\nA03 odd\n", "\n```\n\n5 scenarios, 1 differ\n"} {
		if !strings.Contains(markdown, want) {
			t.Errorf("no %q in\n%s", want, markdown)
		}
	}
}

// TestStoppedTable: what was not played is not said to be as expected.
func TestStoppedTable(t *testing.T) {
	var out strings.Builder
	table := live.Table{Out: &out}
	table.Add(&live.Row{ID: "A01", Title: "all is well", Equal: true, Entries: true, Journal: true})
	table.Stop(3)
	if !strings.HasSuffix(out.String(), "\n\nstopped: 1 of 3 scenarios were played, 0 of them differ\n") {
		t.Error(out.String())
	}
}
