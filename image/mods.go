package image

import (
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// Mods returns the modifications that turn from into to, octet for octet.
func (t Terms) Mods(from, to []directory.Attribute) []changelog.Mod {
	old, next := t.byName(from), t.byName(to)
	var out []changelog.Mod
	for _, a := range to {
		name := t.Schema.Canonical(a.Name)
		if len(a.Values) == 0 || slices.Equal(old.get(name), next.get(name)) && !slices.Contains(stamps, name) {
			continue
		}
		out = append(out, t.attrMods(a, old.get(name))...)
	}
	for _, a := range from {
		if name := t.Schema.Canonical(a.Name); len(a.Values) > 0 && len(next.get(name)) == 0 {
			out = append(out, changelog.Mod{Op: changelog.ModReplace, Attr: a.Name})
		}
	}
	return out
}

// attrMods turns the old values of an attribute into those of a: value by
// value where some stay and the attribute's values can be compared.
func (t Terms) attrMods(a directory.Attribute, old []string) []changelog.Mod {
	var add, del []string
	for _, v := range a.Values {
		if !slices.Contains(old, v) {
			add = append(add, v)
		}
	}
	for _, v := range old {
		if !slices.Contains(a.Values, v) {
			del = append(del, v)
		}
	}
	s := t.Schema
	if len(del) == len(old) || !s.HasEquality(a.Name) || s.SingleValue(a.Name) {
		return []changelog.Mod{{Op: changelog.ModReplace, Attr: a.Name, Values: a.Values}}
	}
	var out []changelog.Mod
	if len(del) > 0 {
		out = append(out, changelog.Mod{Op: changelog.ModDelete, Attr: a.Name, Values: del})
	}
	if len(add) > 0 {
		out = append(out, changelog.Mod{Op: changelog.ModAdd, Attr: a.Name, Values: add})
	}
	return out
}
