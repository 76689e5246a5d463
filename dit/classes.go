package dit

import (
	"slices"
	"strings"
)

// classRule is what a set of object classes means for the attributes.
type classRule struct {
	state   *State
	classes []string
	must    []string
	// known says that the schema has all the classes; of entries with others
	// nothing can be said.
	known bool
	// verdicts are the answers forbids has given.
	verdicts map[string]bool
}

// ruleOf returns the rule of some classes.
func (s *State) ruleOf(classes []string) *classRule {
	key := strings.Join(classes, "\x00")
	if r := s.classRules[key]; r != nil {
		return r
	}
	r := &classRule{state: s, classes: classes, must: s.rules.Schema.Must(classes), known: len(classes) > 0, verdicts: map[string]bool{}}
	for _, class := range classes {
		r.known = r.known && s.rules.Schema.Class(class) != nil
	}
	s.classRules[key] = r
	return r
}

// forbids reports whether the attribute is one that no class allows. Unknown and
// operational attributes are not forbidden.
func (r *classRule) forbids(canonical string) bool {
	forbidden, asked := r.verdicts[canonical]
	if !asked {
		t := r.state.rules.Schema.Attribute(canonical)
		forbidden = r.known && t != nil && !t.Operational &&
			canonical != r.state.objectClass && operationalName(canonical) == "" &&
			!r.state.rules.Schema.Allows(r.classes, canonical)
		r.verdicts[canonical] = forbidden
	}
	return forbidden
}

// isContainer reports whether the facts make e a container.
func (s *State) isContainer(e *entry) bool {
	g := attributeGroup{name: s.objectClass}
	for _, a := range e.attrs {
		if s.canonical(a.name) == s.objectClass {
			g.spelt = append(g.spelt, a)
		}
	}
	n := s.names(e)
	g.naming = slices.ContainsFunc(n.values, func(v namingValue) bool { return v.attr == s.objectClass })
	return slices.ContainsFunc(s.aspect(e, g, n).values, func(f fate) bool { return f.shown && s.containers[f.norm] })
}
