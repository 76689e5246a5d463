package dit

import (
	"slices"
	"strings"

	"ldapsync/dn"
)

// classRule is what a set of object classes means for the attributes.
type classRule struct {
	must []string
	// known says that the schema has all the classes; of entries with others
	// nothing can be said.
	known bool
	// any says that every attribute is allowed, else allowed are those that some
	// class allows, without options.
	any     bool
	allowed map[string]bool
}

// ruleOf returns the rule of some classes.
func (s *State) ruleOf(classes []string) *classRule {
	key := strings.Join(classes, "\x00")
	if r, known := s.memo.classes.get(key); known {
		return r
	}
	r := s.memo.ruleOf(classes)
	s.memo.classes.put(key, r)
	return r
}

// extensibleObject is the class that allows every attribute (RFC 4512 section 4.3).
const extensibleObject = "1.3.6.1.4.1.1466.101.120.111"

func (m *memo) ruleOf(classes []string) *classRule {
	r := &classRule{must: m.schema.Must(classes), known: len(classes) > 0, allowed: map[string]bool{}}
	for _, name := range classes {
		c := m.schema.Class(name)
		if c == nil {
			r.known = false
			continue
		}
		r.any = r.any || c.OID == extensibleObject
		for _, attr := range slices.Concat(c.Must, c.May) {
			r.allowed[attr] = true
		}
	}
	return r
}

// forbids reports whether the attribute is one that no class allows. Unknown and
// operational attributes are not forbidden.
func (r *classRule) forbids(a *attrRule) bool {
	return r.known && !r.any && !a.free && !r.allowed[a.base]
}

// isContainer reports whether the facts make e a container.
func (s *State) isContainer(e *entry) bool {
	g := attributeGroup{rule: s.memo.attr(s.objectClass), naming: true}
	for _, a := range e.attrs {
		if s.attrRule(a).name == s.objectClass {
			g.spelt = append(g.spelt, a)
		}
	}
	if !s.mayContain(e, g) {
		return false
	}
	return slices.ContainsFunc(s.aspect(e, g, s.names(e)).values, func(f fate) bool { return f.shown && s.isContainerClass(f.norm) })
}

// mayContain reports, cheaply, whether e was ever given the class of a container,
// among its classes g or by its name.
func (s *State) mayContain(e *entry, g attributeGroup) bool {
	given := func(v value) bool { return s.isContainerClass(g.rule.normalise(v.raw)) }
	return slices.ContainsFunc(s.rdnOf(e), func(a dn.AVA) bool { return s.canonical(a.Attr) == s.objectClass }) ||
		slices.ContainsFunc(g.spelt, func(a *attribute) bool { return a.spill != nil || slices.ContainsFunc(a.values, given) })
}

// isContainerClass reports whether a class, in normal form, is one of the
// containers.
func (s *State) isContainerClass(norm string) bool {
	return slices.Contains(s.memo.containersOf(s.rules.Containers), norm)
}
