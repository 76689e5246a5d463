package dit_test

import (
	"os"
	"testing"

	"ldapsync/dit"
	"ldapsync/scenario"
	"ldapsync/schema"
)

// TestScenarios plays every written scenario in many orders of delivery.
func TestScenarios(t *testing.T) {
	in, err := os.Open("../scenario/testdata/scenarios.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	file, err := scenario.Parse("scenarios.yaml", in, schema.Standard())
	if err != nil {
		t.Fatal(err)
	}
	if len(file.Scenarios) != 53 {
		t.Errorf("%d scenarios, want 53", len(file.Scenarios))
	}
	for _, sc := range file.Scenarios {
		t.Run(sc.ID, func(t *testing.T) {
			r, err := sc.Run(scenario.Options{Shuffles: 500, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range r.Differences {
				t.Error(line)
			}
			for _, refused := range r.Refused {
				t.Error(refused)
			}
			for _, rec := range r.Outcome.Records {
				if rec.Kind == dit.MoveSuperseded || rec.Kind == dit.DeleteSuperseded {
					t.Errorf("no scenario asks for %s", rec)
				}
			}
		})
	}
}
