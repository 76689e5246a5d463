package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ldapsync/schema"
)

// Compare says in lines in what an outcome differs from what the file expects.
func (s *Scenario) Compare(got Outcome) []string {
	lines := s.compareEntries(got.Entries)
	if s.Expect.Journal {
		lines = append(lines, s.compareRecords(got.Records)...)
	}
	return lines
}

func (s *Scenario) compareEntries(got []Entry) (lines []string) {
	want := s.index(s.Expect.Entries)
	have := s.index(got)
	for _, e := range s.Expect.Entries {
		if _, there := have[s.key(e)]; !there {
			lines = append(lines, fmt.Sprintf("%s: expected, and not there", e.DN))
		}
	}
	for _, e := range got {
		expected, known := want[s.key(e)]
		if !known {
			lines = append(lines, fmt.Sprintf("%s: there, and not expected: %s", e.DN, s.describe(e)))
			continue
		}
		lines = append(lines, s.compareAttributes(expected, e)...)
	}
	return lines
}

func (s *Scenario) key(e Entry) string { return e.DN.Key(s.File.Schema) }

func (s *Scenario) index(list []Entry) map[string]Entry {
	out := map[string]Entry{}
	for _, e := range list {
		out[s.key(e)] = e
	}
	return out
}

// silent are attributes that are compared only where the file has them.
var silent = []string{"objectclass", strings.ToLower(schema.ConflictID)}

func (s *Scenario) compareAttributes(want, got Entry) (lines []string) {
	expected, there := s.values(want), s.values(got)
	for _, name := range silent {
		if _, named := expected[name]; !named {
			delete(there, name)
		}
	}
	if classes := expected["objectclass"]; classes != nil && !slices.Contains(classes, markClass) {
		there["objectclass"] = slices.DeleteFunc(there["objectclass"], func(v string) bool { return v == markClass })
	}
	for _, name := range slices.Sorted(maps.Keys(union(expected, there))) {
		if !slices.Equal(expected[name], there[name]) {
			lines = append(lines, fmt.Sprintf("%s: %s: expected %s, got %s", got.DN, name, quoted(expected[name]), quoted(there[name])))
		}
	}
	return lines
}

// markClass is the normal form of the class of what the view adds.
var markClass = schema.Standard().Normalise("objectClass", schema.ConflictClass)

// values returns the normal forms of the values of each attribute, sorted.
func (s *Scenario) values(e Entry) map[string][]string {
	out := map[string][]string{}
	for _, a := range e.Attrs {
		name := s.File.Schema.Canonical(a.Name)
		for _, v := range a.Values {
			out[name] = append(out[name], s.File.Schema.Normalise(name, v))
		}
		slices.Sort(out[name])
	}
	return out
}

func union(a, b map[string][]string) map[string][]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func quoted(values []string) string {
	if len(values) == 0 {
		return "nothing"
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = strconv.Quote(v)
	}
	return strings.Join(words, " ")
}

// describe shows an entry in one line.
func (s *Scenario) describe(e Entry) string {
	var words []string
	for _, a := range e.Attrs {
		words = append(words, a.Name+" "+quoted(slices.Sorted(slices.Values(a.Values))))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// compareRecords matches each record with one that is expected.
func (s *Scenario) compareRecords(got []Record) (lines []string) {
	missing := slices.Clone(s.Expect.Records)
	for _, r := range got {
		i := slices.IndexFunc(missing, func(w Record) bool { return s.matches(w, r) })
		k, known := kinds[r.Kind]
		switch {
		case i >= 0:
			missing = slices.Delete(missing, i, i+1)
		case k.exact || !known:
			lines = append(lines, "journal: there, and not expected: "+r.String())
		}
	}
	for _, w := range missing {
		lines = append(lines, "journal: expected, and not there: "+w.String())
	}
	return lines
}

// matches reports whether everything that want says is so.
func (s *Scenario) matches(want, got Record) bool {
	n := s.File.Schema
	return want.Kind == got.Kind && want.Entry == got.Entry &&
		(want.Attribute == "" || n.Canonical(want.Attribute) == n.Canonical(got.Attribute)) &&
		(want.Value == "" || n.Normalise(got.Attribute, want.Value) == n.Normalise(got.Attribute, got.Value)) &&
		(want.RDN == "" || strings.EqualFold(want.RDN, got.RDN)) &&
		(want.Winner == "" || want.Winner == got.Winner) &&
		(want.Time == 0 || want.Time == got.Time)
}

// String shows what is set, in the words of a file.
func (r Record) String() string {
	words := []string{string(r.Kind), r.Entry}
	add := func(set bool, format string, args ...any) {
		if set {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(r.Attribute != "", "%s", r.Attribute)
	add(r.Value != "", "value %q", r.Value)
	add(r.RDN != "", "rdn %q", r.RDN)
	add(r.Winner != "", "winner %s", r.Winner)
	add(r.Time != 0, "time %d", r.Time)
	return strings.Join(words, " ")
}
