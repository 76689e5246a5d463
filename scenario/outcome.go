package scenario

import (
	"cmp"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/schema"
)

// Outcome is what a server holds below the base, and its journal, in the words
// of a file: with ids of the file in the place of entryUUIDs. Entries are
// sorted, superiors first.
type Outcome struct {
	Entries []Entry
	Records []Record
}

// Names are what a file calls entries.
type Names map[dit.ID]string

// name returns what the file calls an entry, or its entryUUID.
func (n Names) name(id dit.ID) string {
	if id.IsZero() {
		return ""
	}
	return cmp.Or(n[id], id.String())
}

// of is name for an entryUUID that may be none.
func (n Names) of(text string) string {
	id, err := changelog.ParseID(text)
	if err != nil {
		return text
	}
	return n.name(id)
}

// isMark reports whether the attribute holds an entryUUID that the view put
// there.
func isMark(attr string) bool {
	return strings.EqualFold(attr, schema.ConflictID) || strings.EqualFold(attr, schema.ConflictOf)
}

// Named returns a name with, in the place of ids of the file, the entryUUIDs that
// id knows.
func Named(name dn.DN, id func(string) (dit.ID, bool)) dn.DN {
	out := slices.Clone(name)
	for i, rdn := range out {
		out[i] = slices.Clone(rdn)
		for j, a := range rdn {
			if real, known := id(a.Value); known && strings.EqualFold(a.Attr, schema.ConflictID) {
				out[i][j].Value = real.String()
			}
		}
	}
	return out
}

// Entry returns an entry of a directory in the words of the file.
func (n Names) Entry(e Entry) Entry {
	out := Entry{DN: slices.Clone(e.DN)}
	for i, rdn := range out.DN {
		out.DN[i] = slices.Clone(rdn)
		for j, a := range rdn {
			if isMark(a.Attr) {
				out.DN[i][j].Value = n.of(a.Value)
			}
		}
	}
	for _, a := range e.Attrs {
		if isMark(a.Name) {
			a.Values = slices.Clone(a.Values)
			for i, v := range a.Values {
				a.Values[i] = n.of(v)
			}
		}
		out.Attrs = append(out.Attrs, a)
	}
	return out
}

// Record returns a record in the words of the file. Time says when, in the
// scenario, a change was made.
func (n Names) Record(r dit.Record, time func(changelog.CSN) int64) Record {
	out := Record{Kind: r.Kind, Entry: n.name(r.Entry), Attribute: r.Attribute, Winner: n.name(r.Winner), Value: r.Lost.Value}
	if r.Kind == dit.RenameSuperseded {
		out.RDN, out.Value = r.Lost.Value, ""
	}
	if r.Lost.CSN != (changelog.CSN{}) {
		out.Time = time(r.Lost.CSN)
	}
	if r.Won.CSN != (changelog.CSN{}) {
		out.Won = time(r.Won.CSN)
	}
	return out
}

// NewOutcome returns entries and records in a fixed order.
func NewOutcome(entries []Entry, records []Record) Outcome {
	slices.SortFunc(entries, func(a, b Entry) int { return compareNames(a.DN, b.DN) })
	slices.SortStableFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Entry, b.Entry), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Value+a.RDN, b.Value+b.RDN))
	})
	return Outcome{Entries: entries, Records: records}
}

// compareNames puts superiors first and siblings together.
func compareNames(a, b dn.DN) int {
	for i := 1; i <= min(len(a), len(b)); i++ {
		if c := strings.Compare(a[len(a)-i].String(), b[len(b)-i].String()); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}
