package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/schema"
	"ldapsync/store"
)

// snapshot is the state of an entry without what only the view puts there.
type snapshot struct {
	gone   bool
	parent changelog.ID
	rdn    dn.RDN
	// attrs holds the values by their normal forms, by canonical attribute.
	attrs map[string]map[string]string
}

var standard = schema.Standard()

// snapshot returns the state of an entry in the directory.
func (nd *node) snapshot(id changelog.ID) snapshot {
	e := nd.server.Entry(id)
	if e == nil {
		return snapshot{gone: true}
	}
	return snapshotOf(e, nd.server.Parent(id))
}

func snapshotOf(e *directory.Entry, parent changelog.ID) snapshot {
	s := snapshot{parent: parent, rdn: unmarked(rdnOf(e)), attrs: map[string]map[string]string{}}
	for _, a := range e.Attrs {
		s.add(a.Name, a.Values)
	}
	return s
}

func snapshotOfImage(m *store.Image) snapshot {
	if m.Gone {
		return snapshot{gone: true}
	}
	s := snapshot{parent: m.Parent, rdn: unmarked(mustRDN(m.RDN)), attrs: map[string]map[string]string{}}
	for _, a := range m.Attrs {
		s.add(a.Name, a.Values)
	}
	return s
}

func isMark(attr string) bool {
	return strings.EqualFold(attr, schema.ConflictID) || strings.EqualFold(attr, schema.ConflictOf) || strings.EqualFold(attr, schema.Glue)
}

func unmarked(rdn dn.RDN) dn.RDN {
	return slices.DeleteFunc(slices.Clone(rdn), func(a dn.AVA) bool { return isMark(a.Attr) })
}

func (s *snapshot) add(attr string, values []string) {
	if isMark(attr) {
		return
	}
	key := standard.Canonical(attr)
	for _, v := range values {
		if key == "objectclass" && strings.EqualFold(v, schema.ConflictClass) {
			continue
		}
		if s.attrs[key] == nil {
			s.attrs[key] = map[string]string{}
		}
		s.attrs[key][standard.Normalise(key, v)] = v
	}
}

func (s *snapshot) drop(attr string, values []string) {
	key := standard.Canonical(attr)
	for _, v := range values {
		delete(s.attrs[key], standard.Normalise(key, v))
	}
	if len(s.attrs[key]) == 0 {
		delete(s.attrs, key)
	}
}

// after returns the state that a change leaves, as RFC 4511 has it.
func (s snapshot) after(c *changelog.Change) snapshot {
	next := snapshot{parent: s.parent, rdn: s.rdn, attrs: map[string]map[string]string{}}
	for name, values := range s.attrs {
		next.attrs[name] = maps.Clone(values)
	}
	switch c.Op {
	case changelog.OpDelete:
		return snapshot{gone: true}
	case changelog.OpAdd:
		next.parent, next.rdn = c.Superior, unmarked(mustRDN(c.RDN))
	case changelog.OpModDN:
		next.moddn(c)
	}
	for _, m := range c.Mods {
		switch m.Op {
		case changelog.ModReplace:
			delete(next.attrs, standard.Canonical(m.Attr))
			next.add(m.Attr, m.Values)
		case changelog.ModAdd:
			next.add(m.Attr, m.Values)
		case changelog.ModDelete:
			next.drop(m.Attr, m.Values)
		}
	}
	return next
}

func (s *snapshot) moddn(c *changelog.Change) {
	if c.Moved {
		s.parent = c.Superior
	}
	if c.RDN == "" {
		return
	}
	rdn := unmarked(mustRDN(c.RDN))
	if c.DeleteOldRDN {
		for _, a := range s.rdn {
			s.drop(a.Attr, []string{a.Value})
		}
	}
	for _, a := range rdn {
		key := standard.Canonical(a.Attr)
		if _, there := s.attrs[key][standard.Normalise(key, a.Value)]; !there {
			s.add(a.Attr, []string{a.Value})
		}
	}
	s.rdn = rdn
}

func mustRDN(text string) dn.RDN {
	rdn, err := dn.ParseRDN(text)
	if err != nil {
		fail("change", "RDN %q: %v", text, err)
	}
	return rdn
}

// differs says in what two states differ, "" when they are the same.
func (s snapshot) differs(o snapshot) string {
	switch {
	case s.gone && o.gone:
		return ""
	case s.gone != o.gone:
		return fmt.Sprintf("gone %v and %v", s.gone, o.gone)
	case s.parent != o.parent:
		return fmt.Sprintf("below %s and %s", s.parent, o.parent)
	case s.rdn.String() != o.rdn.String():
		return fmt.Sprintf("called %s and %s", s.rdn, o.rdn)
	}
	for _, name := range slices.Sorted(maps.Keys(merged(s.attrs, o.attrs))) {
		if !maps.Equal(s.attrs[name], o.attrs[name]) {
			return fmt.Sprintf("%s is %q and %q", name, s.attrs[name], o.attrs[name])
		}
	}
	return ""
}

// unstamped returns the state without the stamps of the last modification.
func (s snapshot) unstamped() snapshot {
	s.attrs = maps.Clone(s.attrs)
	delete(s.attrs, "modifiersname")
	delete(s.attrs, "modifytimestamp")
	return s
}

func merged[V any](a, b map[string]V) map[string]V {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]V{}
	}
	maps.Copy(m, b)
	return m
}
