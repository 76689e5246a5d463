package scenario

import (
	"encoding/json"
	"io"
	"strings"
)

// Document is what a Report prints as JSON. Keys are only ever added to it. Lists are
// never null.
type Document struct {
	Scenarios []Verdict `json:"scenarios"`
	// Differ is how many of them differ.
	Differ int `json:"differ"`
}

// Verdict is what became of one scenario.
type Verdict struct {
	File    string `json:"file"`
	ID      string `json:"id"`
	Title   string `json:"title"`
	Differs bool   `json:"differs"`
	// Differences say in lines what is not as expected.
	Differences []string `json:"differences"`
	// Refused are operations that a directory would not have made, in words.
	Refused []string `json:"refused"`
	// Orders is the number of orders of delivery that were tried.
	Orders int `json:"orders"`
	// LDIF is everything below the base, Journal the records in words.
	LDIF    string   `json:"ldif"`
	Journal []string `json:"journal"`
}

// verdict returns a result as it is printed.
func (r *Result) verdict() (Verdict, error) {
	v := Verdict{
		File: r.Scenario.File.Name, ID: r.Scenario.ID, Title: r.Scenario.Title, Differs: r.Differs(),
		Differences: append([]string{}, r.Differences...), Refused: []string{}, Orders: r.Orders, Journal: []string{},
	}
	for _, refused := range r.Refused {
		v.Refused = append(v.Refused, refused.String())
	}
	for _, rec := range r.Outcome.Records {
		v.Journal = append(v.Journal, r.Scenario.words(rec))
	}
	var text strings.Builder
	err := r.writeLDIF(&text)
	v.LDIF = text.String()
	return v, err
}

func (d *Document) print(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}
