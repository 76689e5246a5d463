package dit

import (
	"slices"

	"ldapsync/changelog"
)

// untouched reports whether e was created and that is all that is known of it,
// with values that stand in its record.
func (e *entry) untouched() bool {
	same := e.created != nil && e.node.live && len(e.edges)+len(e.names) == 2
	if !same {
		return false
	}
	e.eachStamp(func(at *stamp) { same = same && at == e.created })
	return same && !e.spilled()
}

// uneventful reports, cheaply and of most entries, that there are no records
// about e, since it was created and that is all.
func (s *State) uneventful(e *entry) bool {
	if !e.untouched() {
		return false
	}
	var classes []string
	for _, a := range e.attrs {
		if s.attrRule(a).name == s.objectClass {
			for _, v := range a.values {
				classes = append(classes, v.raw)
			}
		}
	}
	rule := s.ruleOf(classes)
	for _, a := range e.attrs {
		if rule.forbids(s.attrRule(a)) {
			return false
		}
	}
	return !s.place(e).conflict
}

// records returns what was decided about e, without what has been settled.
func (s *State) records(e *entry) []Record {
	out := append(s.decisions(e), s.outward(e)...)
	return slices.DeleteFunc(out, func(r Record) bool { return e.isSettled(r.key()) })
}

// decisions returns what was decided about e, but for what outward returns.
func (s *State) decisions(e *entry) []Record {
	var out []Record
	if e.created == nil {
		return nil
	}
	c := s.content(e)
	for _, a := range c.aspects {
		if !a.rule.operational {
			out = a.records(out, e.node.live)
		}
	}
	out = s.nameRecords(out, e)
	out = s.moveRecords(out, e)
	out = s.lifeRecords(out, e)
	out = s.placeRecords(out, e)
	for i := range out {
		out[i].Entry = e.id
	}
	return out
}

func (a *aspect) records(out []Record, live bool) []Record {
	for _, f := range a.values {
		if f.lost() {
			by := f.by()
			out = append(out, Record{
				Kind: ValueSuperseded, Attribute: a.name,
				Lost: Side{CSN: f.add.csn, Value: f.raw},
				Won:  Side{CSN: by.csn, Value: a.addedBy(by)},
			})
		}
	}
	if a.repaired && live {
		for _, f := range a.values {
			if f.shown {
				out = append(out, Record{
					Kind: MustRepaired, Attribute: a.name,
					Lost: Side{CSN: f.killer.csn}, Won: Side{CSN: f.add.csn, Value: f.raw},
				})
			}
		}
	}
	if a.hidden && live {
		for _, f := range a.values {
			if f.shown {
				out = append(out, Record{Kind: HiddenNoClass, Attribute: a.name, Lost: Side{CSN: f.add.csn, Value: f.raw}})
			}
		}
	}
	return out
}

// addedBy returns a value that a change added and that is shown, "" when there
// is none.
func (a *aspect) addedBy(at *stamp) string {
	for _, f := range a.values {
		if f.shown && f.add.csn == at.csn {
			return f.raw
		}
	}
	return ""
}

func (s *State) nameRecords(out []Record, e *entry) []Record {
	last := e.name()
	for _, n := range e.names[:len(e.names)-1] {
		if !last.at.covers(n.at) {
			out = append(out, Record{
				Kind: RenameSuperseded,
				Lost: Side{CSN: n.at.csn, Value: n.rdn}, Won: Side{CSN: last.at.csn, Value: last.rdn},
			})
		}
	}
	return out
}

func (s *State) moveRecords(out []Record, e *entry) []Record {
	if len(e.edges) == 1 {
		return out
	}
	skipped := make([]bool, len(e.edges))
	last := 0
	for i, g := range e.edges[1:] {
		if skipped[i+1] = s.skipped(g, e.id); !skipped[i+1] {
			last = i + 1
		}
	}
	for i, g := range e.edges {
		if r, lost := moveRecord(g, e.edges[last], skipped[i]); lost {
			out = append(out, r)
		}
	}
	return out
}

// moveRecord returns what is recorded of a parent of an entry where another won,
// unless it was moved there by who knew of it, or it is that one.
func moveRecord(g, won edge, skipped bool) (r Record, lost bool) {
	r = Record{Lost: Side{CSN: g.at.csn, Parent: g.parent}, Won: Side{CSN: won.at.csn, Parent: won.parent}}
	switch {
	case won.at.covers(g.at):
		return r, false
	case skipped:
		r.Kind = MoveSkipped
	case g.parent != won.parent:
		r.Kind = MoveSuperseded
	default:
		return r, false
	}
	return r, true
}

func (s *State) lifeRecords(out []Record, e *entry) []Record {
	if e.node.live {
		if e.deleted != nil && !e.undeleted.covers(e.deleted) {
			out = append(out, Record{Kind: DeleteSuperseded, Lost: Side{CSN: e.deleted.csn}, Won: Side{CSN: e.undeleted.csn}})
		}
		return out
	}
	lost := map[changelog.CSN]bool{}
	s.eachChange(e, func(at *stamp) {
		if !e.deleted.covers(at) {
			lost[at.csn] = true
		}
	})
	for _, csn := range sortedCSNs(lost) {
		out = append(out, Record{Kind: ChangeOnDeleted, Lost: Side{CSN: csn}, Won: Side{CSN: e.deleted.csn}})
	}
	return out
}

// placeRecords tells of what can be seen in the tree.
func (s *State) placeRecords(out []Record, e *entry) []Record {
	if !e.node.placed {
		return out
	}
	p := s.place(e)
	if p.conflict {
		r := Record{Kind: NameConflict, Winner: p.winner, Lost: Side{CSN: s.nameSince(e)}, Won: Side{Value: e.name().rdn}}
		if winner := s.load(p.winner); winner != nil {
			r.Won.CSN = s.nameSince(winner)
		}
		out = append(out, r)
	}
	if p.shown && !e.node.live {
		out = append(out, Record{Kind: GlueShown, Lost: Side{CSN: e.deleted.csn}, Won: Side{Value: e.name().rdn}})
	}
	return out
}

// eachChange calls fn for the stamp of every fact that a user made, repeatedly for
// those that several facts share.
func (s *State) eachChange(e *entry, fn func(*stamp)) {
	users := *e
	users.attrs = nil
	for _, a := range e.attrs {
		if !s.attrRule(a).operational {
			users.attrs = append(users.attrs, a)
		}
	}
	users.eachStamp(fn)
	for _, a := range e.attrs {
		if a.spill == nil {
			continue
		}
		s.eachGroup(e, a, func(_ string, _ bool, values []value) {
			for _, v := range values {
				for _, at := range []*stamp{v.add, v.del} {
					if at != nil {
						fn(at)
					}
				}
			}
		})
	}
}

func sortedCSNs(set map[changelog.CSN]bool) []changelog.CSN {
	out := make([]changelog.CSN, 0, len(set))
	for c := range set {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b changelog.CSN) int { return a.Compare(b) })
	return out
}
