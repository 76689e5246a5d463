package image

import (
	"cmp"
	"slices"
	"strings"

	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/store"
)

// Spelling prints a name so that two servers print it alike: its parts in the
// order of their types, each type by its first name in the schema.
func (t Terms) Spelling(rdn dn.RDN) string {
	out := slices.Clone(rdn)
	for i, ava := range out {
		if a := t.Schema.Attribute(ava.Attr); a != nil && len(a.Names) > 0 {
			out[i].Attr = a.Names[0]
		}
	}
	slices.SortFunc(out, func(a, b dn.AVA) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Attr), strings.ToLower(b.Attr)), strings.Compare(a.Value, b.Value))
	})
	return out.String()
}

// KeepsName reports whether the naming values of base are still there in
// now, which may have another name.
func (t Terms) KeepsName(base, now *store.Image) bool {
	old, err := dn.ParseRDN(base.RDN)
	if err != nil {
		return false
	}
	attrs := t.ByKey(now.Attrs)
	current, err := dn.ParseRDN(now.RDN)
	if err != nil {
		return false
	}
	for _, ava := range old {
		name, key := t.Schema.Canonical(ava.Attr), t.Schema.Normalise(ava.Attr, ava.Value)
		if t.IsNaming(current, name, key) {
			continue
		}
		if !slices.Contains(attrs[name], key) {
			return false
		}
	}
	return true
}

// IsNaming reports whether a value, by the canonical name of its attribute and its
// normal form, is in a name.
func (t Terms) IsNaming(rdn dn.RDN, name, key string) bool {
	return slices.ContainsFunc(rdn, func(a dn.AVA) bool {
		return t.Schema.Canonical(a.Attr) == name && t.Schema.Normalise(a.Attr, a.Value) == key
	})
}

// Renamed returns what a rename leaves of an entry's attributes (RFC 4511
// section 4.9): the new naming values are there, and with deleteOld the old
// ones are not.
func (t Terms) Renamed(attrs []directory.Attribute, oldName, newName string, deleteOld bool) ([]directory.Attribute, error) {
	oldRDN, err := dn.ParseRDN(oldName)
	if err != nil {
		return nil, err
	}
	next, err := dn.ParseRDN(newName)
	if err != nil {
		return nil, err
	}
	out := make([]directory.Attribute, 0, len(attrs)+len(next))
	for _, a := range attrs {
		if deleteOld {
			a.Values = t.withoutOld(a, oldRDN, next)
		}
		out = append(out, a)
	}
	for _, ava := range next {
		out = t.withValue(out, ava)
	}
	return slices.DeleteFunc(out, func(a directory.Attribute) bool { return len(a.Values) == 0 }), nil
}

// withoutOld returns the values of an attribute but for those that are in an old name
// and not in the next.
func (t Terms) withoutOld(a directory.Attribute, old, next dn.RDN) []string {
	name := t.Schema.Canonical(a.Name)
	if !slices.ContainsFunc(old, func(ava dn.AVA) bool { return t.Schema.Canonical(ava.Attr) == name }) {
		return a.Values
	}
	return slices.DeleteFunc(slices.Clone(a.Values), func(v string) bool {
		key := t.Schema.Normalise(a.Name, v)
		return t.IsNaming(old, name, key) && !t.IsNaming(next, name, key)
	})
}

// withValue returns attrs with a naming value, if it is not among them.
func (t Terms) withValue(attrs []directory.Attribute, ava dn.AVA) []directory.Attribute {
	s := t.Schema
	name, key := s.Canonical(ava.Attr), s.Normalise(ava.Attr, ava.Value)
	for i, a := range attrs {
		if s.Canonical(a.Name) != name {
			continue
		}
		for _, v := range a.Values {
			if s.Normalise(a.Name, v) == key {
				return attrs
			}
		}
		attrs[i].Values = append(slices.Clone(a.Values), ava.Value)
		return attrs
	}
	return append(attrs, directory.Attribute{Name: ava.Attr, Values: []string{ava.Value}})
}
