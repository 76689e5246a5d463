package integration_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"ldapsync/scenario"
	"ldapsync/scenario/live"
	"ldapsync/schema"
)

// representative are scenarios of every kind; `make scenarios` plays them all.
var representative = []string{"A02", "A16", "A18", "B03", "B05", "B13", "C04", "D01", "D07", "D10", "D12", "D16", "E14"}

// TestScenariosOnRealServers plays scenarios with slapds, daemons and a Prosody
// whose links are cut, and compares what every server holds with the files.
func TestScenariosOnRealServers(t *testing.T) {
	needServers(t)
	all := slices.Concat(readScenarios(t, "scenarios.yaml"), readScenarios(t, "references.yaml"))
	site, err := live.Start(t.Context(), live.Options{Exe: exe, Dir: t.TempDir(), Servers: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	}()
	played := 0
	for _, s := range all {
		if !slices.Contains(representative, s.ID) {
			continue
		}
		played++
		row, err := site.Play(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range slices.Concat(row.Differences, row.Refused) {
			t.Errorf("%s: %s", s.ID, line)
		}
		// slapd reports states, so of a replace that keeps a value only the values
		// that it added and deleted are known: nothing was lost that could be recorded.
		if byState := strings.Join(row.ByState, "\n"); (byState != "") != (s.ID == "D12") {
			t.Errorf("%s: by state %s", s.ID, byState)
		}
	}
	if played != len(representative) {
		t.Errorf("%d scenarios played, want %d", played, len(representative))
	}
	wrong := *all[slices.IndexFunc(all, func(s *scenario.Scenario) bool { return s.ID == "A02" })]
	wrong.Expect = &scenario.Expect{Journal: true}
	row, err := site.Play(t.Context(), &wrong)
	if err != nil || row.Entries || row.Journal || !row.Equal || !row.Differs() {
		t.Errorf("a wrong expectation was met: %+v %v", row, err)
	}
}

func readScenarios(t *testing.T, name string) []*scenario.Scenario {
	t.Helper()
	in, err := os.Open("../scenario/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	file, err := scenario.Parse(name, in, schema.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return file.Scenarios
}
