package dit

import (
	"strings"
	"sync"
	"sync/atomic"

	"ldapsync/dn"
	"ldapsync/lookup"
	"ldapsync/schema"
)

// memo keeps what follows from the rules, and what they make of the entries read
// last, for every State opened with the same rules. It is safe for concurrent use.
type memo struct {
	schema  *schema.Schema
	suffix  dn.DN
	attrs   *shelf[*attrRule]
	classes *shelf[*classRule]
	uniques atomic.Pointer[forms]
	// objectClass is the canonical name, containers are the normal forms of the
	// classes of that list.
	objectClass atomic.Pointer[string]
	containers  atomic.Pointer[forms]
	rdns        *lookup.Recent[*rdnForm]
	known       knowing
}

func newMemo(r Rules) *memo {
	return &memo{schema: r.Schema, suffix: r.Suffix, attrs: new(shelf[*attrRule]), classes: new(shelf[*classRule]), rdns: new(lookup.Recent[*rdnForm])}
}

// fits reports whether m is for these rules.
func (m *memo) fits(r Rules) bool {
	return m.schema == r.Schema && len(m.suffix) == len(r.Suffix) && (len(m.suffix) == 0 || &m.suffix[0] == &r.Suffix[0])
}

// Apart returns the same rules, to be used for other entries: States share what
// they remember of entries as far as their rules are copies of one another.
func (r Rules) Apart() Rules {
	if m := r.memo; m != nil && m.fits(r) {
		r.memo = &memo{schema: m.schema, suffix: m.suffix, attrs: m.attrs, classes: m.classes, rdns: m.rdns}
	} else {
		r.memo = newMemo(r)
	}
	return r
}

// attrRule is what the schema says of an attribute description.
type attrRule struct {
	// name is the canonical description, base that without options.
	name, base string
	// normalise returns the normal form of a value.
	normalise func(string) string
	// register says that all values change together, see Rules.isRegister.
	single, register bool
	// operational is set for those of operationalName.
	operational bool
	// free says that no class need allow the attribute: it is unknown or
	// operational, or tells the classes.
	free bool
	// reference says that values are names of entries.
	reference bool
}

// forms are the normal forms of a list of names.
type forms struct{ given, names []string }

// normalised returns the normal forms of names, as a rule always of the same list,
// for which kept remembers them.
func normalised(kept *atomic.Pointer[forms], list []string, normal func(string) string) []string {
	if u := kept.Load(); u != nil && len(u.given) == len(list) && (len(list) == 0 || &u.given[0] == &list[0]) {
		return u.names
	}
	u := &forms{given: list}
	for _, name := range list {
		u.names = append(u.names, normal(name))
	}
	kept.Store(u)
	return u.names
}

// canonicals returns the canonical names of the attributes that are to be unique.
func (m *memo) canonicals(attrs []string) []string {
	return normalised(&m.uniques, attrs, func(a string) string { return m.attr(a).name })
}

// containersOf returns the normal forms of the classes of containers.
func (m *memo) containersOf(classes []string) []string {
	return normalised(&m.containers, classes, func(c string) string { return m.schema.Normalise(m.class(), c) })
}

// class returns the canonical name of objectClass.
func (m *memo) class() string {
	if c := m.objectClass.Load(); c != nil {
		return *c
	}
	c := m.attr(objectClass).name
	m.objectClass.Store(&c)
	return c
}

// The syntaxes of names (RFC 4517 sections 3.3.9 and 3.3.21).
const (
	syntaxDN      = "1.3.6.1.4.1.1466.115.121.1.12"
	syntaxNameUID = "1.3.6.1.4.1.1466.115.121.1.34"
)

// attr returns the rule of an attribute description.
func (m *memo) attr(desc string) *attrRule {
	if r, known := m.attrs.get(desc); known {
		return r
	}
	r := &attrRule{name: m.schema.Canonical(desc)}
	r.normalise = m.schema.Normaliser(r.name)
	plain, _, _ := strings.Cut(r.name, ";")
	r.base = m.schema.Canonical(plain)
	r.single = m.schema.SingleValue(r.name)
	r.register = r.single || !m.schema.HasEquality(r.name)
	r.operational = operationalName(r.name) != ""
	t := m.schema.Attribute(r.name)
	r.free = t == nil || t.Operational || r.operational || r.name == m.schema.Canonical(objectClass)
	r.reference = t != nil && !t.Operational && !r.operational && t.Equality != "" && (t.Syntax == syntaxDN || t.Syntax == syntaxNameUID)
	m.attrs.put(desc, r)
	return r
}

// The bounds of a shelf.
const (
	shelfSize = 512
	shelfKey  = 512
)

// shelf is a map that is read from far more often than it grows, and that stops
// growing. Its zero value is ready for use, and safe for concurrent use.
type shelf[T any] struct {
	mu   sync.Mutex
	have atomic.Pointer[lookup.Table[T]]
}

func (s *shelf[T]) get(key string) (v T, ok bool) {
	if have := s.have.Load(); have != nil {
		v, ok = have.Get(key)
	}
	return v, ok
}

func (s *shelf[T]) put(key string, v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := new(lookup.Table[T])
	if have := s.have.Load(); have != nil {
		if have.Len() >= shelfSize || len(key) > shelfKey {
			return
		}
		next = have.Clone()
	}
	next.Put(strings.Clone(key), v)
	s.have.Store(next)
}
