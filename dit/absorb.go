package dit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dn"
)

// ErrRecord is wrapped by the errors about a record that no server exports.
var ErrRecord = errors.New("invalid record")

// Absorb adds the facts of a record that Export of any state returned, in any
// order and any number of times, as Merge adds those of the changes that they
// come from. It returns the entries whose view may have changed, each once. The
// error wraps ErrRecord when no server exports such a record; then nothing has
// been written.
func (s *State) Absorb(record []byte) ([]ID, error) {
	f, err := readRecord(record)
	if err != nil {
		return nil, err
	}
	found := newIDSet()
	var later []edge
	if len(f.edges) > 1 {
		f.edges, later = f.edges[:1:1], f.edges[1:]
	}
	s.mergeEntry(f, found)
	for _, g := range later {
		s.mergeEntry(&entry{id: f.id, edges: []edge{g}}, found)
	}
	for _, d := range f.settled {
		s.mergeSettle(&changelog.Change{CSN: d.at, ID: f.id, Records: []string{hex.EncodeToString(d.key[:])}})
	}
	s.flush()
	if err := s.caught(); err != nil {
		return nil, err
	}
	slices.SortFunc(found.order, ID.Compare)
	return found.order, nil
}

// mergeEntry adds the facts of f, which has at most one edge.
func (s *State) mergeEntry(f *entry, found *idSet) {
	e := s.load(f.id)
	if e == nil {
		e = &entry{id: f.id}
	}
	before, tomb := s.shapeIf(e, s.shapes(f)), tombOf(e)
	changed := e.merge(f)
	if changed = s.spillOver(e) || changed; !changed || s.err != nil {
		return
	}
	var at changelog.CSN
	if len(f.edges) > 0 {
		at = f.edges[0].at.csn
	}
	for _, id := range s.finish(e, at, before, s.pointMerged(e, f, tomb)) {
		found.add(id)
	}
}

// shapes reports whether the facts of f may change more than the values of its
// entry.
func (s *State) shapes(f *entry) bool {
	return f.created != nil || f.deleted != nil || f.undeleted != nil || len(f.edges)+len(f.names) > 0 ||
		slices.ContainsFunc(f.attrs, func(a *attribute) bool { return s.attrRule(a).name == s.objectClass })
}

// pointMerged is point for the facts of f, which e has just been given.
func (s *State) pointMerged(e, f *entry, before tomb) (others []ID) {
	others = s.bury(e, before)
	s.eachEverAdded(f, func(r *attrRule, raw string) { s.pointValue(e, r, raw) })
	others = append(others, s.referrers(e)...)
	unique := entry{id: e.id}
	for _, a := range e.attrs {
		if s.unique(s.attrRule(a)) {
			unique.attrs = append(unique.attrs, a)
		}
	}
	return append(others, s.rivals(&unique)...)
}

// merge adds the facts of f, none of them spilled, and reports whether any was
// new. What it adds to spilled attributes waits in them.
func (e *entry) merge(f *entry) bool {
	m := union{entry: e, stamps: map[changelog.CSN]*stamp{}}
	e.eachStamp(func(at *stamp) { m.stamps[at.csn] = at })
	if f.created != nil {
		m.at(f.created).create()
	}
	for _, r := range []struct {
		at *stamp
		to **stamp
	}{{f.deleted, &e.deleted}, {f.undeleted, &e.undeleted}} {
		if r.at != nil {
			m.at(r.at).latest(r.to)
		}
	}
	if e.deleted != nil && f.deleted != nil && e.deleted.csn == f.deleted.csn {
		e.lastDN = f.lastDN
	}
	for _, g := range f.edges {
		m.at(g.at).edge(g.parent)
	}
	for _, n := range f.names {
		m.at(n.at).nameAs(n.rdn, n.deleteOld)
	}
	for _, a := range f.attrs {
		m.attribute(a)
	}
	m.note()
	return m.changed
}

// union is one entry's facts on their way into another's.
type union struct {
	entry   *entry
	stamps  map[changelog.CSN]*stamp
	changed bool
	// last is the absorption in whose place the next is made.
	last absorption
}

// at returns an absorption of what change at says.
func (m *union) at(at *stamp) *absorption {
	m.note()
	m.last = absorption{entry: m.entry, at: m.stamp(at)}
	return &m.last
}

// note takes over whether the last absorption changed anything.
func (m *union) note() { m.changed = m.changed || m.last.changed }

// stamp returns the stamp by which the entry knows a change.
func (m *union) stamp(at *stamp) *stamp {
	if at == nil {
		return nil
	}
	if m.stamps[at.csn] == nil {
		m.stamps[at.csn] = at
	}
	return m.stamps[at.csn]
}

// attribute adds what is known of one attribute.
func (m *union) attribute(a *attribute) {
	to := m.entry.grow(a.name)
	if a.clear != nil {
		set := m.at(a.clear)
		if operationalName(a.name) != "" {
			if to = set.renew(a.name); to == nil {
				return
			}
		} else {
			set.latest(&to.clear)
		}
	}
	m.note()
	m.last = absorption{entry: m.entry}
	for _, v := range a.values {
		m.last.setValue(to, v.raw, m.stamp(v.add), m.stamp(v.del))
	}
}

// readRecord reads a record without trust.
func readRecord(record []byte) (*entry, error) {
	f := new(entry)
	if len(record) > len(f.id) {
		copy(f.id[:], record)
	}
	if f.id.IsZero() {
		return nil, fmt.Errorf("%w: no entry", ErrRecord)
	}
	if err := f.readFacts(string(record[len(f.id):])); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if fault := f.foreign(); fault != "" {
		return nil, fmt.Errorf("%w: entry %s: %s", ErrRecord, f.id, fault)
	}
	return f, nil
}

// foreign returns what no server exports in f, "" for nothing.
func (e *entry) foreign() (fault string) {
	e.eachStamp(func(at *stamp) {
		if why := at.foreign(); why != "" {
			fault = why
		}
	})
	if fault != "" {
		return fault
	}
	if slices.ContainsFunc(e.edges, func(g edge) bool { return g.parent == e.id }) {
		return "below itself"
	}
	for _, n := range e.names {
		rdn, err := dn.ParseRDN(n.rdn)
		if err != nil || len(withoutMarks(rdn)) != len(rdn) || rdn.String() != n.rdn {
			return "name"
		}
	}
	for _, d := range e.settled {
		if !possible(d.at) {
			return "time of what is settled"
		}
	}
	for _, a := range e.attrs {
		if why := a.foreign(); why != "" {
			return "attribute " + why
		}
	}
	return ""
}

// possible reports whether a server can have issued a CSN.
func possible(at changelog.CSN) bool {
	_, err := changelog.CSNFromKey(at.AppendKey(nil))
	return err == nil && at.SID.Valid()
}

func (s *stamp) foreign() string {
	if !possible(s.csn) || s.seq == 0 {
		return "stamp"
	}
	last := uint64(0)
	for rest := s.seen; rest != ""; {
		sid, n := uvarint(rest)
		seq, m := uvarint(rest[n:])
		if n == 0 || m == 0 || sid <= last || sid > uint64(changelog.MaxSID) || seq == 0 || !shortest(rest[:n]) || !shortest(rest[n:n+m]) {
			return "seen"
		}
		last, rest = sid, rest[n+m:]
	}
	return ""
}

func (a *attribute) foreign() string {
	operational := operationalName(a.name)
	switch {
	case a.name == "" || isMark(a.name) || strings.ContainsRune(a.name, 0):
		return "that is none"
	case a.spill != nil:
		return "spilled"
	case operational != "" && (operational != a.name || a.clear == nil):
		return "of the server's own"
	}
	for _, v := range a.values {
		switch {
		case isMarkClass(a.name, v.raw):
			return "with the class of marks"
		case operational != "" && (v.add != a.clear || v.del != nil):
			return "of the server's own"
		}
	}
	return ""
}

// shortest reports whether a uvarint is written as short as it can be.
func shortest(v string) bool { return len(v) == 1 || v[len(v)-1] != 0 }
