package simulate

import (
	"fmt"
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
	// values are sorted by attribute and normal form, of which each stands once.
	values []held
}

// held is a value of an entry.
type held struct {
	attr, norm string // canonical, normal
	raw        string
}

func (h held) compare(o held) int {
	if c := strings.Compare(h.attr, o.attr); c != 0 {
		return c
	}
	return strings.Compare(h.norm, o.norm)
}

var standard = schema.Standard()

// snapshot returns the state of an entry in the directory.
func (nd *node) snapshot(id changelog.ID) snapshot {
	e := nd.server.Entry(id)
	if e == nil {
		return snapshot{gone: true}
	}
	return snapshot{parent: nd.server.Parent(id), rdn: unmarked(nd.server.RDN(id)), values: valuesIn(e.Attrs)}
}

func snapshotOfImage(m *store.Image) snapshot {
	if m.Gone {
		return snapshot{gone: true}
	}
	return snapshot{parent: m.Parent, rdn: unmarked(mustRDN(m.RDN)), values: valuesIn(m.Attrs)}
}

func valuesIn(attrs []directory.Attribute) []held {
	n := 0
	for _, a := range attrs {
		n += len(a.Values)
	}
	list := make([]held, 0, n)
	for _, a := range attrs {
		list = appendHeld(list, a.Name, a.Values)
	}
	slices.SortStableFunc(list, held.compare)
	return slices.CompactFunc(list, func(a, b held) bool { return a.compare(b) == 0 })
}

// appendHeld appends the values of an attribute, without marks.
func appendHeld(list []held, attr string, values []string) []held {
	if isMark(attr) {
		return list
	}
	key := standard.Canonical(attr)
	for _, v := range values {
		if key != "objectclass" || !strings.EqualFold(v, schema.ConflictClass) {
			list = append(list, held{key, standard.Normalise(key, v), v})
		}
	}
	return list
}

func isMark(attr string) bool {
	return strings.EqualFold(attr, schema.ConflictID) || strings.EqualFold(attr, schema.ConflictOf) || strings.EqualFold(attr, schema.Glue)
}

func unmarked(rdn dn.RDN) dn.RDN {
	return slices.DeleteFunc(slices.Clone(rdn), func(a dn.AVA) bool { return isMark(a.Attr) })
}

func (s *snapshot) add(attr string, values []string) {
	for _, v := range appendHeld(nil, attr, values) {
		if i, found := slices.BinarySearchFunc(s.values, v, held.compare); found {
			s.values[i] = v
		} else {
			s.values = slices.Insert(s.values, i, v)
		}
	}
}

func (s *snapshot) drop(attr string, values []string) {
	for _, v := range appendHeld(nil, attr, values) {
		if i, found := slices.BinarySearchFunc(s.values, v, held.compare); found {
			s.values = slices.Delete(s.values, i, i+1)
		}
	}
}

// clear drops all values of an attribute.
func (s *snapshot) clear(attr string) {
	key := standard.Canonical(attr)
	s.values = slices.DeleteFunc(s.values, func(h held) bool { return h.attr == key })
}

// after returns the state that a change leaves, as RFC 4511 has it.
func (s snapshot) after(c *changelog.Change) snapshot {
	room := make([]held, 0, len(s.values)+2*len(c.Mods)) // as a rule
	next := snapshot{parent: s.parent, rdn: s.rdn, values: append(room, s.values...)}
	switch c.Op {
	case changelog.OpDelete:
		return snapshot{gone: true}
	case changelog.OpAdd:
		next = snapshot{parent: c.Superior, rdn: unmarked(mustRDN(c.RDN)), values: room}
	case changelog.OpModDN:
		next.moddn(c)
	}
	for _, m := range c.Mods {
		switch m.Op {
		case changelog.ModReplace:
			next.clear(m.Attr)
			next.add(m.Attr, m.Values)
		case changelog.ModAdd:
			next.add(m.Attr, m.Values)
		case changelog.ModDelete:
			next.drop(m.Attr, m.Values)
		}
	}
	return next
}

// afterAll returns the state that changes leave.
func (s snapshot) afterAll(changes []*changelog.Change) snapshot {
	for _, c := range changes {
		s = s.after(c)
	}
	return s
}

// moddn renames and moves. A value of the old name that is in the new one, too, is
// not deleted with the old (X.511), and thus stays as it was spelt: a client can
// keep it when it changes the case of one part of a name and removes another.
func (s *snapshot) moddn(c *changelog.Change) {
	if c.Moved {
		s.parent = c.Superior
	}
	if c.RDN == "" {
		return
	}
	var old snapshot
	if c.DeleteOldRDN {
		old = valuesOfName(s.rdn)
	}
	s.rdn = unmarked(mustRDN(c.RDN))
	next := valuesOfName(s.rdn)
	for _, v := range old.values {
		if !next.has(v) {
			s.drop(v.attr, []string{v.raw})
		}
	}
	for _, v := range next.values {
		if !s.has(v) {
			s.add(v.attr, []string{v.raw})
		}
	}
}

// valuesOfName returns the values that a name demands.
func valuesOfName(rdn dn.RDN) (s snapshot) {
	for _, a := range rdn {
		s.add(a.Attr, []string{a.Value})
	}
	return s
}

// has reports whether a value is there, however spelt.
func (s *snapshot) has(v held) bool {
	_, there := slices.BinarySearchFunc(s.values, v, held.compare)
	return there
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
	case !slices.Equal(s.rdn, o.rdn):
		return fmt.Sprintf("called %s and %s", s.rdn, o.rdn)
	case slices.Equal(s.values, o.values):
		return ""
	}
	i := 0
	for i < min(len(s.values), len(o.values)) && s.values[i] == o.values[i] {
		i++
	}
	return fmt.Sprintf("values are %q and %q", s.values[i:], o.values[i:])
}

// at returns the state below another entry: names change hands, and a write leads to
// where the superior's is then.
func (s snapshot) at(parent changelog.ID) snapshot {
	if !s.gone {
		s.parent = parent
	}
	return s
}

// unstamped returns the state without the stamps of the last modification.
func (s snapshot) unstamped() snapshot {
	s.values = slices.DeleteFunc(slices.Clone(s.values), func(h held) bool { return h.attr == "modifiersname" || h.attr == "modifytimestamp" })
	return s
}

// stampedThen reports whether the time of the last modification of an entry is that of
// its entryCSN, in seconds.
func (nd *node) stampedThen(id changelog.ID) bool {
	e := nd.server.Entry(id)
	return e != nil && slices.ContainsFunc(e.Attrs, func(a directory.Attribute) bool {
		return a.Name == "modifyTimestamp" && slices.Equal(a.Values, []string{e.CSN.When().UTC().Format("20060102150405Z")})
	})
}
