package naive

import (
	"slices"
	"strings"

	"ldapsync/dit"
	"ldapsync/dn"
)

// held is a value that a living entry shows, as far as its own facts say. Attr is
// canonical.
type held struct {
	entry *plain
	attr  string
	outcome
}

// outward records what depends on several entries.
func (n *Model) outward() {
	var unique []held // values that no two entries should have
	for _, e := range n.entries {
		if e.created == nil || !e.live() {
			continue
		}
		content := n.content(e)
		classes := classesOf(content)
		for _, a := range content {
			if isRegister(a.name) || n.hidden(e, classes, a.name) {
				continue
			}
			for _, v := range a.values {
				if !v.alive {
					continue
				}
				n.dangling(held{e, a.name, v})
				if n.isUnique(a.name) {
					unique = append(unique, held{e, a.name, v})
				}
			}
		}
	}
	for _, h := range unique {
		n.violation(h, unique)
	}
}

func (n *Model) record(r dit.Record, h held) {
	r.Entry, r.Attribute, r.Lost = h.entry.id, h.attr, dit.Side{CSN: h.add.CSN, Value: h.raw}
	n.Records[r.Entry] = append(n.Records[r.Entry], r)
}

func (n *Model) dangling(h held) {
	t := n.rules.Schema.Attribute(h.attr)
	const syntaxes = "1.3.6.1.4.1.1466.115.121.1."
	if t == nil || t.Operational || t.Equality == "" || t.Syntax != syntaxes+"12" && t.Syntax != syntaxes+"34" {
		return
	}
	for id, x := range n.entries {
		if x.created == nil || x.live() || knew(h.add, x.deleted) || knew(x.deleted, h.add) {
			continue
		}
		if name, err := dn.Parse(x.deleted.DN); err == nil && len(name) > 0 && name.Key(n.rules.Schema) == h.norm {
			n.record(dit.Record{Kind: dit.DanglingReference, Winner: id, Won: dit.Side{CSN: x.deleted.CSN}}, h)
		}
	}
}

// isUnique reports whether no two entries should have a value of an attribute.
func (n *Model) isUnique(attr string) bool {
	sch := n.rules.Schema
	base, _, _ := strings.Cut(attr, ";")
	return slices.ContainsFunc(n.rules.Unique, func(u string) bool { return sch.Canonical(u) == sch.Canonical(base) })
}

func (n *Model) violation(h held, all []held) {
	var first *held
	for i, o := range all {
		if o.entry == h.entry || o.attr != h.attr || o.norm != h.norm || !before(o.add, h.add) || knew(h.add, o.add) {
			continue
		}
		if first == nil || before(o.add, first.add) {
			first = &all[i]
		}
	}
	if first != nil {
		n.record(dit.Record{Kind: dit.UniquenessViolation, Winner: first.entry.id, Won: dit.Side{CSN: first.add.CSN, Value: first.raw}}, h)
	}
}
