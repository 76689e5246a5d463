// Package naive is the model of package dit once more, written to be obvious
// rather than fast: it reads all changes there are and computes everything anew.
// Tests and the simulator hold dit against it; nothing else uses it.
package naive

import (
	"cmp"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
)

// Model is what a set of changes comes to.
type Model struct {
	// Shown holds the view of every entry that is shown, Records what was
	// decided about those with any record, in no order.
	Shown   map[dit.ID]*dit.Shown
	Records map[dit.ID][]dit.Record

	rules   dit.Rules
	entries map[dit.ID]*plain
	parent  map[dit.ID]dit.ID
	below   map[dit.ID][]*plain    // right below each, in no order
	skipped map[changelog.CSN]bool // by the CSNs of moves
	settled map[string]bool        // ids of records
}

// plain is the facts about one entry, each with the change it comes from.
type plain struct {
	id dit.ID
	// rdn is the last of names.
	rdn                         dn.RDN
	created, deleted, undeleted *changelog.Change
	parents, names              []*changelog.Change
	clears, adds, dels          []fact
	// content is what became of the values, found out once.
	content content
}

// fact is what was said last of an attribute, or of a value of one, in one spelling.
type fact struct {
	attr      string // canonical
	name, raw string // as spelled
	by        *changelog.Change
}

// with returns facts and what c says, in place of what was said before in that
// spelling.
func (n *Model) with(facts []fact, name, raw string, c *changelog.Change) []fact {
	for i, f := range facts {
		if f.name == name && f.raw == raw {
			facts[i].by = c
			return facts
		}
	}
	return append(facts, fact{n.rules.Schema.Canonical(name), name, raw, c})
}

var registers = []string{"createTimestamp", "creatorsName", "modifiersName", "modifyTimestamp"}

// register returns which of the registers an attribute is, -1 for none.
func register(attr string) int {
	return slices.IndexFunc(registers, func(r string) bool { return strings.EqualFold(r, attr) })
}

func isRegister(attr string) bool { return register(attr) >= 0 }

// isMark reports whether only the view gives entries such an attribute.
func isMark(attr string) bool {
	const prefix = "ldapsync"
	return len(attr) >= len(prefix) && strings.EqualFold(attr[:len(prefix)], prefix)
}

// New computes the model of some changes, in any order and repeated or not.
func New(rules dit.Rules, changes []*changelog.Change) *Model {
	n := &Model{
		rules: rules, entries: map[dit.ID]*plain{}, parent: map[dit.ID]dit.ID{}, below: map[dit.ID][]*plain{},
		skipped: map[changelog.CSN]bool{}, settled: map[string]bool{}, Shown: map[dit.ID]*dit.Shown{}, Records: map[dit.ID][]dit.Record{},
	}
	ordered := slices.Clone(changes)
	slices.SortFunc(ordered, func(a, b *changelog.Change) int { return a.CSN.Compare(b.CSN) })
	ordered = slices.CompactFunc(ordered, func(a, b *changelog.Change) bool { return a.CSN == b.CSN })
	for _, c := range ordered {
		n.add(c)
	}
	n.tree()
	n.names(dit.ID{}, []dit.ID{{}})
	for id, e := range n.entries {
		if e.created != nil {
			n.Records[id] = append(n.ownRecords(e), n.Records[id]...)
		}
	}
	n.outward()
	for id, records := range n.Records {
		n.Records[id] = slices.DeleteFunc(records, func(r dit.Record) bool { return n.settled[r.ID()] })
	}
	return n
}

// add adds the facts of c, which is later than all before.
func (n *Model) add(c *changelog.Change) {
	if !c.Op.Alters() && c.Op != changelog.OpSettle {
		return
	}
	e := n.entries[c.ID]
	if e == nil {
		e = &plain{id: c.ID, clears: make([]fact, 0, 8), adds: make([]fact, 0, 16)} // as a rule
	}
	if c.Op == changelog.OpSettle {
		for _, r := range c.Records {
			n.settled[r] = true
		}
		n.entries[c.ID] = e
		return
	}
	facts := c.Op != changelog.OpModify || c.Undelete
	set := func(to *[]fact, attr, value string) {
		*to, facts = n.with(*to, attr, value, c), true
	}
	if c.Op == changelog.OpAdd && e.created == nil {
		e.created = c
	}
	if c.Op == changelog.OpAdd || c.Op == changelog.OpModDN && c.Moved {
		e.parents = append(e.parents, c)
	}
	if (c.Op == changelog.OpAdd || c.Op == changelog.OpModDN) && c.RDN != "" {
		e.names, e.rdn = append(e.names, c), rdnOf(c)
	}
	if c.Op == changelog.OpDelete {
		e.deleted = c
	}
	if c.Undelete {
		e.undeleted = c
	}
	if c.Op == changelog.OpModDN && c.RDN != "" {
		for _, a := range e.rdn {
			set(&e.adds, a.Attr, a.Value)
		}
	}
	for _, m := range c.Mods {
		if isMark(m.Attr) {
			continue
		}
		attr := m.Attr
		if i := register(attr); i >= 0 {
			attr = registers[i]
			if !slices.ContainsFunc(e.clears, func(f fact) bool { return f.name == attr && f.by == c }) {
				e.adds = slices.DeleteFunc(e.adds, func(f fact) bool { return f.name == attr })
			}
			set(&e.clears, attr, "")
			if m.Op == changelog.ModDelete {
				continue
			}
		}
		if m.Op == changelog.ModReplace {
			set(&e.clears, attr, "")
		}
		for _, v := range m.Values {
			switch {
			case strings.EqualFold(attr, "objectClass") && strings.EqualFold(v, "ldapsyncConflict"):
			case m.Op == changelog.ModDelete:
				set(&e.dels, attr, v)
			default:
				set(&e.adds, attr, v)
			}
		}
	}
	if facts {
		n.entries[c.ID] = e
	}
}

func rdnOf(c *changelog.Change) dn.RDN {
	rdn, err := dn.ParseRDN(c.RDN)
	if err != nil {
		panic(err)
	}
	return slices.DeleteFunc(rdn, func(a dn.AVA) bool { return strings.EqualFold(a.Attr, "ldapsyncConflictId") })
}

// after returns the later of two changes; nil is before all.
func after(a, b *changelog.Change) *changelog.Change {
	if a == nil || b != nil && a.CSN.Before(b.CSN) {
		return b
	}
	return a
}

func before(a, b *changelog.Change) bool { return b != nil && (a == nil || a.CSN.Before(b.CSN)) }

// knew reports whether the author of c had o.
func knew(c, o *changelog.Change) bool {
	if c.SID() == o.SID() {
		return o.Seq <= c.Seq
	}
	return c.Seen.Covers(o.SID(), o.Seq)
}

func (e *plain) live() bool { return !before(e.undeleted, e.deleted) }

// tree makes all moves in order.
func (n *Model) tree() {
	type move struct {
		e *plain
		c *changelog.Change
	}
	var moves []move
	for id, e := range n.entries {
		for i, c := range e.parents {
			if i == 0 {
				n.parent[id] = c.Superior
			} else {
				moves = append(moves, move{e, c})
			}
		}
	}
	slices.SortFunc(moves, func(a, b move) int { return a.c.CSN.Compare(b.c.CSN) })
	for _, m := range moves {
		if n.isAbove(m.e.id, m.c.Superior) {
			n.skipped[m.c.CSN] = true
		} else {
			n.parent[m.e.id] = m.c.Superior
		}
	}
	for id, up := range n.parent {
		n.below[up] = append(n.below[up], n.entries[id])
	}
}

// Skipped reports whether c is a move that was left out, as it would have closed a
// circle.
func (n *Model) Skipped(c *changelog.Change) bool { return n.skipped[c.CSN] }

// isAbove reports whether the way up from id meets top.
func (n *Model) isAbove(top, id dit.ID) bool {
	for seen := map[dit.ID]bool{}; !seen[id]; {
		if id == top {
			return true
		}
		seen[id] = true
		up, known := n.parent[id]
		if !known {
			return false
		}
		id = up
	}
	return false
}

// wanted reports whether e, which is below some others, is to be shown for itself or
// for what is below it.
func (n *Model) wanted(e *plain, above []*plain) bool {
	if e.created == nil || slices.Contains(above, e) {
		return false
	}
	if e.live() {
		return true
	}
	above = append(above, e)
	return slices.ContainsFunc(n.below[e.id], func(child *plain) bool { return n.wanted(child, above) })
}

// arrived reports whether e and all above it were created.
func (n *Model) arrived(id dit.ID) bool {
	for seen := map[dit.ID]bool{}; !id.IsZero(); id = n.parent[id] {
		if e := n.entries[id]; e == nil || e.created == nil || seen[id] {
			return false
		}
		seen[id] = true
	}
	return true
}

func (n *Model) key(e *plain) string { return e.rdn.Key(n.rules.Schema) }

// since returns when e took its name in its place.
func (n *Model) since(e *plain) changelog.CSN {
	var last changelog.CSN
	key := ""
	for _, c := range e.names {
		if k := rdnOf(c).Key(n.rules.Schema); k != key {
			key, last = k, c.CSN
		}
	}
	up := e.parents[0].Superior
	moved := e.parents[0].CSN
	for _, c := range e.parents[1:] {
		if !n.skipped[c.CSN] && c.Superior != up {
			up, moved = c.Superior, c.CSN
		}
	}
	if last.Before(moved) {
		return moved
	}
	return last
}

func (n *Model) container(e *plain) bool {
	for _, class := range n.value(e, "objectclass") {
		for _, c := range n.rules.Containers {
			if class.alive && n.rules.Schema.Normalise("objectclass", c) == class.norm {
				return true
			}
		}
	}
	return false
}

// names shows what is below some entries whose children are shown under the
// first, which is shown itself as display.
func (n *Model) names(display dit.ID, parents []dit.ID) {
	groups := map[string][]*plain{}
	for _, up := range parents {
		for _, e := range n.below[up] {
			if !n.wanted(e, nil) {
				continue
			}
			key := ""
			if !display.IsZero() {
				key = n.key(e)
			}
			groups[key] = append(groups[key], e)
		}
	}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b *plain) int {
			if a.live() != b.live() {
				if a.live() {
					return -1
				}
				return 1
			}
			return cmp.Or(n.since(a).Compare(n.since(b)), a.id.Compare(b.id))
		})
		first := g[0]
		merged := []dit.ID{first.id}
		for i, e := range g {
			together := i > 0 && (display.IsZero() || n.container(e) && n.container(first))
			if together {
				merged = append(merged, e.id)
			}
			if together && !e.live() {
				continue
			}
			if i > 0 {
				n.Records[e.id] = append(n.Records[e.id], dit.Record{
					Kind: dit.NameConflict, Entry: e.id, Winner: first.id, Lost: dit.Side{CSN: n.since(e)},
					Won: dit.Side{CSN: n.since(first), Value: e.rdn.String()},
				})
			}
			if i > 0 && display.IsZero() {
				continue
			}
			var winner dit.ID
			if i > 0 {
				winner = first.id
			}
			n.show(e, display, winner)
			if i > 0 && !together {
				n.names(e.id, []dit.ID{e.id})
			}
		}
		n.names(first.id, merged)
	}
}

func (n *Model) show(e *plain, display, winner dit.ID) {
	out := &dit.Shown{ID: e.id, Parent: display, RDN: n.rdn(e), ConflictOf: winner, Glue: !e.live()}
	content := slices.Clone(n.content(e))
	classes := classesOf(content)
	content = slices.DeleteFunc(content, func(a attribute) bool { return n.hidden(e, classes, a.name) })
	if out.Glue {
		content = n.glue(e, content)
		content.set("ldapsyncglue", append(content.of("ldapsyncglue"), outcome{raw: "TRUE", name: "ldapsyncGlue", alive: true}))
		n.Records[e.id] = append(n.Records[e.id], dit.Record{Kind: dit.GlueShown, Entry: e.id,
			Lost: dit.Side{CSN: e.deleted.CSN}, Won: dit.Side{Value: e.rdn.String()}})
	}
	if !winner.IsZero() {
		out.RDN = append(slices.Clone(out.RDN), dn.AVA{Attr: "ldapsyncConflictId", Value: e.id.String()})
		content.set("ldapsyncconflictid", outcomes{{raw: e.id.String(), name: "ldapsyncConflictId", alive: true}})
		content.set("ldapsyncconflictof", outcomes{{raw: winner.String(), name: "ldapsyncConflictOf", alive: true}})
	}
	if out.Glue || !winner.IsZero() {
		class := outcome{raw: "ldapsyncConflict", norm: n.rules.Schema.Normalise("objectclass", "ldapsyncConflict"), name: "objectClass", alive: true}
		classes := append(slices.Clone(content.of("objectclass")), class)
		slices.SortFunc(classes, func(a, b outcome) int { return strings.Compare(a.norm, b.norm) })
		content.set("objectclass", classes)
	}
	out.Attrs = make([]dit.Attribute, 0, len(content))
	for _, shown := range content {
		a := dit.Attribute{Values: make([]string, 0, len(shown.values))}
		var newest *changelog.Change
		for _, v := range shown.values {
			if !v.alive {
				continue
			}
			a.Values = append(a.Values, v.raw)
			if a.Name == "" || !before(v.add, newest) && v.add != nil {
				a.Name, newest = v.name, v.add
			}
		}
		if len(a.Values) > 0 {
			out.Attrs = append(out.Attrs, a)
		}
	}
	n.Shown[e.id] = out
}

// Withheld counts the entries that wait for something.
func (n *Model) Withheld() int {
	count := 0
	for id, e := range n.entries {
		if e.created == nil {
			if e.live() {
				count++
			}
			continue
		}
		if !n.wanted(e, nil) || n.arrived(id) {
			continue
		}
		// Those that only hang in a circle wait for nothing.
		for seen := map[dit.ID]bool{}; !seen[id]; id = n.parent[id] {
			seen[id] = true
			if up := n.entries[id]; up == nil || up.created == nil {
				count++
				break
			}
		}
	}
	return count
}

// Counts returns what dit.State.Counts has to.
func (n *Model) Counts() (c dit.Counts) {
	for id, e := range n.entries {
		switch {
		case e.created == nil:
			c.Unknown++
		case e.live():
			c.Live++
		default:
			c.Dead++
		}
		if len(n.Records[id]) > 0 {
			c.Recorded++
		}
		for _, r := range n.Records[id] {
			c.Records[slices.Index(dit.Kinds(), r.Kind)]++
		}
	}
	return c
}
