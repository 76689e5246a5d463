package dit_test

import (
	"os"
	"slices"
	"testing"

	"ldapsync/scenario"
	"ldapsync/schema"
)

// TestScenarios plays every written scenario in many orders of delivery.
func TestScenarios(t *testing.T) {
	for name, number := range map[string]int{"scenarios.yaml": 53, "references.yaml": 3, "journal.yaml": 7} {
		in, err := os.Open("../scenario/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		file, err := scenario.Parse(name, in, schema.Standard())
		if err != nil {
			t.Fatal(err)
		}
		if len(file.Scenarios) != number {
			t.Errorf("%s: %d scenarios, want %d", name, len(file.Scenarios), number)
		}
		playAll(t, file)
	}
}

func playAll(t *testing.T, file *scenario.File) {
	for _, sc := range file.Scenarios {
		t.Run(sc.ID, func(t *testing.T) {
			r, err := sc.Run(t.Context(), scenario.Options{Shuffles: 500, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range r.Differences {
				t.Error(line)
			}
			for _, refused := range r.Refused {
				t.Error(refused)
			}
			if !sc.Expect.Journal {
				return
			}
			for _, rec := range r.Outcome.Records {
				expected := func(w scenario.Record) bool { return w.Kind == rec.Kind && w.Entry == rec.Entry }
				if !slices.ContainsFunc(sc.Expect.Records, expected) {
					t.Errorf("nothing asks for %s", rec)
				}
			}
		})
	}
}
