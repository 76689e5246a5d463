package dit

import (
	"slices"
	"strings"

	"ldapsync/changelog"
)

// entry is what is known of one entry: its facts, compacted to what can still
// matter, and what the indexes hold of it. The facts do not depend on the rules.
type entry struct {
	id   ID
	node node
	// known is set of an entry that is not changed any more.
	known *known
	// frozen is the content of an entry that is not changed for a while.
	frozen *content
	// created is the oldest creation; deleted and undeleted are the newest.
	created, deleted, undeleted *stamp
	// lastDN is the name that the author of the newest deletion gave.
	lastDN string
	// edges are all parents the entry was given, oldest first, one per change.
	edges []edge
	// names are all RDNs it was given, oldest first, one per change.
	names []naming
	// attrs are sorted by name, which is as the authors spelled it.
	attrs []*attribute
	// settled are the records that an administrator has dropped, ascending.
	settled []settled
	// stamped is how many stamps the record has that e was read from or written to.
	stamped int
	// copied is how often it was copied since it was read.
	copied int
}

// edge is one parent an entry was given. The oldest edge of an entry is in force
// from the beginning; the others are moves.
type edge struct {
	at     *stamp
	parent ID
}

// naming is one RDN that an entry was given.
type naming struct {
	at        *stamp
	rdn       string
	deleteOld bool
}

// attribute holds the facts about one attribute description, as spelled.
type attribute struct {
	name string
	// rule is that of the name, nil as long as the entry is neither read from a
	// record nor written to one.
	rule *attrRule
	// clear is the newest removal of all values.
	clear *stamp
	// values are sorted by their octets.
	values []value
	// spill is set when the values stand under keys of their own.
	spill *spill
}

// value holds the newest addition and the newest removal of one value.
type value struct {
	raw      string
	add, del *stamp
}

// live reports whether the newest that was decided about the entry's life is
// not its deletion.
func (e *entry) live() bool { return !e.undeleted.before(e.deleted) }

// name returns the newest RDN; there is one once the entry is created.
func (e *entry) name() naming { return e.names[len(e.names)-1] }

func (e *entry) find(name string) (int, bool) {
	return slices.BinarySearchFunc(e.attrs, name, func(a *attribute, name string) int { return strings.Compare(a.name, name) })
}

// usualAttrs is how many attributes most entries have at most.
const usualAttrs = 12

// grow returns the facts about the attribute of that spelling, added when there
// were none.
func (e *entry) grow(name string) *attribute {
	i, found := e.find(name)
	if !found {
		if e.attrs == nil {
			e.attrs = make([]*attribute, 0, usualAttrs)
		}
		e.attrs = slices.Insert(e.attrs, i, &attribute{name: name})
	}
	return e.attrs[i]
}

// stamps returns the stamps that the facts in e itself refer to, each once, in
// ascending order. It sets their index.
func (e *entry) stamps() []*stamp {
	all := make([]*stamp, 0, 8)
	e.eachStamp(func(s *stamp) {
		if s.index >= len(all) || all[s.index] != s {
			s.index = len(all)
			all = append(all, s)
		}
	})
	slices.SortFunc(all, func(a, b *stamp) int { return a.csn.Compare(b.csn) })
	for i, s := range all {
		s.index = i
	}
	e.stamped = len(all)
	return all
}

// eachStamp calls fn for the stamp of every fact in e itself, repeatedly for
// those that several facts share.
func (e *entry) eachStamp(fn func(*stamp)) {
	for _, s := range [...]*stamp{e.created, e.deleted, e.undeleted} {
		if s != nil {
			fn(s)
		}
	}
	for _, g := range e.edges {
		fn(g.at)
	}
	for _, n := range e.names {
		fn(n.at)
	}
	for _, a := range e.attrs {
		if a.clear != nil {
			fn(a.clear)
		}
		for i := range a.values {
			v := &a.values[i]
			if v.add != nil {
				fn(v.add)
			}
			if v.del != nil {
				fn(v.del)
			}
		}
	}
}

// stampOf returns the stamp of change c for use in e: the one that e's facts
// share when there is one, so that no two stamps of an entry have one CSN.
func (e *entry) stampOf(c *changelog.Change) *stamp {
	var known *stamp
	e.eachStamp(func(s *stamp) {
		if s.csn == c.CSN {
			known = s
		}
	})
	if known != nil {
		return known
	}
	return &stamp{csn: c.CSN, seq: c.Seq, seen: packSeen(c.Seen)}
}
