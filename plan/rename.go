package plan

import (
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/schema"
)

// rename fills in the write that gives the entry a name and superior, or first
// the one that lets it have that name. It leaves the directory's own stamps, and the
// rest of the entry as it was, for a later batch.
func (u *Unit) rename(l *layout, parent changelog.ID, rdn dn.RDN, deleteOld bool) error {
	image := *u.Have
	image.Loose = true
	if u.Want != nil {
		image.Newest = u.Want.Newest // what a client does now goes on from some of it
	}
	u.Leaves = &image
	defer u.guard()
	name := l.name(u.ID).String()
	if mods := l.preparation(u, rdn); len(mods) > 0 {
		u.Write = directory.Write{Op: directory.Modify, DN: name, Mods: mods}
		image.Attrs = withAdded(image.Attrs, mods)
		return nil
	}
	if mods := l.outdone(u.OldRDN, rdn, image.Attrs); len(mods) > 0 {
		u.Write = directory.Write{Op: directory.Modify, DN: name, Mods: mods}
		image.Attrs = replaced(image.Attrs, mods)
		return nil
	}
	u.name = l.below(parent, rdn).String()
	u.Write = directory.Write{Op: directory.ModDN, DN: name, NewRDN: rdn.String(), DeleteOldRDN: deleteOld}
	if image.Parent != parent {
		u.Below = l.name(parent).String()
		u.Write.NewSuperior = u.Below
	}
	var err error
	if image.Attrs, err = l.Renamed(image.Attrs, image.RDN, u.Write.NewRDN, deleteOld); err != nil {
		return err
	}
	image.Parent, image.RDN, image.RDNKey = parent, l.Spelling(rdn), rdn.Key(l.Schema)
	return nil
}

// outdone returns what makes room for the values of a new name: an attribute that
// can have only one, and has another that is not in the old name, has to change
// before the name does.
func (b Base) outdone(old, new dn.RDN, attrs []directory.Attribute) (mods []changelog.Mod) {
	s := b.Schema
	for _, ava := range new {
		if !s.SingleValue(ava.Attr) {
			continue
		}
		name, key := s.Canonical(ava.Attr), s.Normalise(ava.Attr, ava.Value)
		for _, a := range attrs {
			if s.Canonical(a.Name) != name || len(a.Values) != 1 {
				continue
			}
			if has := s.Normalise(a.Name, a.Values[0]); has != key && !b.IsNaming(old, name, has) {
				mods = append(mods, changelog.Mod{Op: changelog.ModReplace, Attr: a.Name, Values: []string{ava.Value}})
			}
		}
	}
	return mods
}

// replaced returns attrs with the values that mods put in place of others.
func replaced(attrs []directory.Attribute, mods []changelog.Mod) []directory.Attribute {
	out := slices.Clone(attrs)
	for i, a := range out {
		for _, m := range mods {
			if m.Attr == a.Name {
				out[i].Values = m.Values
			}
		}
	}
	return out
}

// replaces reports whether a new name has another value of an attribute of the
// old one that can have only one. Else the old values stay until the entry is
// modified: without them it may lack what its classes demand.
func (b Base) replaces(old, new dn.RDN) bool {
	s := b.Schema
	return slices.ContainsFunc(old, func(v dn.AVA) bool {
		return s.SingleValue(v.Attr) && slices.ContainsFunc(new, func(o dn.AVA) bool { return s.Canonical(o.Attr) == s.Canonical(v.Attr) })
	})
}

// share reports whether two names have a value in common. OpenLDAP 2.5.13 then
// deletes it with the old name, and the entry has not even its new one.
func (b Base) share(one, other dn.RDN) bool {
	return slices.ContainsFunc(one, func(v dn.AVA) bool {
		return b.IsNaming(other, b.Schema.Canonical(v.Attr), b.Schema.Normalise(v.Attr, v.Value))
	})
}

// apart returns a temporary name for an entry that shares with no other name what it
// need not share with its own: the entry's id stands for the values of attributes
// that can have several. False when that changes nothing.
func (b Base) apart(rdn dn.RDN, id changelog.ID) (dn.RDN, bool) {
	out, changed := slices.Clone(rdn), false
	for i, ava := range out {
		if text := id.String(); !b.Schema.SingleValue(ava.Attr) && ava.Value != text {
			out[i].Value, changed = text, true
		}
	}
	return out, changed
}

// preparation returns what an entry has to be given before it can have a name:
// the classes that allow its attributes, from those that its view has, and what
// these classes demand. What its view has not is removed when it has the name.
func (b Base) preparation(u *Unit, rdn dn.RDN) []changelog.Mod {
	s := b.Schema
	have := b.Values(u.Have, "objectClass")
	var add []string
	for _, ava := range rdn {
		has := slices.Concat(have, add)
		switch {
		case strings.EqualFold(ava.Attr, schema.ConflictID):
			add = append(add, lacking(has, []string{schema.ConflictClass})...)
		case !s.Allows(has, ava.Attr):
			add = append(add, lacking(has, b.Values(u.Want, "objectClass"))...)
		}
	}
	if len(add) == 0 {
		return nil
	}
	mods := []changelog.Mod{{Op: changelog.ModAdd, Attr: "objectClass", Values: add}}
	for _, must := range s.Must(add) {
		if values := b.Values(u.Want, must); len(b.Values(u.Have, must)) == 0 && len(values) > 0 {
			mods = append(mods, changelog.Mod{Op: changelog.ModAdd, Attr: must, Values: values})
		}
	}
	return mods
}

// lacking returns the classes of want that are not among have.
func lacking(have, want []string) (out []string) {
	for _, class := range want {
		if !slices.ContainsFunc(have, func(c string) bool { return strings.EqualFold(c, class) }) {
			out = append(out, class)
		}
	}
	return out
}

// withAdded returns attrs with what mods add.
func withAdded(attrs []directory.Attribute, mods []changelog.Mod) []directory.Attribute {
	out := slices.Clone(attrs)
	for _, m := range mods {
		i := slices.IndexFunc(out, func(a directory.Attribute) bool { return strings.EqualFold(a.Name, m.Attr) })
		if i < 0 {
			out = append(out, directory.Attribute{Name: m.Attr, Values: m.Values})
			continue
		}
		out[i].Values = slices.Concat(out[i].Values, m.Values)
	}
	return out
}
