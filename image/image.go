// Package image compares states of an entry as a directory holds them: whether two
// show the same, what leads from one to the other, and which of two writes left a
// third. It is pure: it decides nothing about what is to be done, and reads nothing
// but what it is given and a schema.
package image

import (
	"slices"

	"ldapsync/directory"
	"ldapsync/schema"
	"ldapsync/store"
)

// Terms are what names and values are compared in: those of a schema.
type Terms struct{ Schema *schema.Schema }

// Same reports whether two images show the same: place, name and, octet for
// octet but in any order, the attributes; where one is Loose, without the
// stamps. Nil and Gone are the same.
func (t Terms) Same(a, b *store.Image) bool {
	aGone, bGone := a == nil || a.Gone, b == nil || b.Gone
	if aGone || bGone {
		return aGone == bGone
	}
	return a.Parent == b.Parent && a.RDN == b.RDN && t.SameAttrs(a, b)
}

// SameAttrs is Same of the attributes alone.
func (t Terms) SameAttrs(a, b *store.Image) bool {
	if permuted(a.Attrs, b.Attrs) {
		return true
	}
	am, bm := t.byName(a.Attrs), t.byName(b.Attrs)
	if a.Loose || b.Loose {
		stamp := func(v values) bool { return slices.Contains(stamps, v.name) }
		am, bm = slices.DeleteFunc(am, stamp), slices.DeleteFunc(bm, stamp)
	}
	return slices.EqualFunc(am, bm, func(a, b values) bool { return a.name == b.name && slices.Equal(a.values, b.values) })
}

// Values returns the values of an attribute of an image, which may be nil; they are
// shared and must not be changed.
func (t Terms) Values(m *store.Image, attr string) []string {
	if m == nil {
		return nil
	}
	name := t.Schema.Canonical(attr)
	for _, a := range m.Attrs {
		if t.Schema.Canonical(a.Name) == name {
			return a.Values
		}
	}
	return nil
}

// permuted reports whether two short lists hold the same attributes, spelled alike, in
// whatever order.
func permuted(a, b []directory.Attribute) bool {
	if len(a) != len(b) || len(a) > 64 {
		return false
	}
	var taken uint64
	for i := range a {
		n, j := 0, i // as a rule they are in one order, or nearly so
		for n < len(b) && (taken>>j&1 == 1 || !a[i].Equal(b[j])) {
			n, j = n+1, (j+1)%len(b)
		}
		if n == len(b) {
			return false
		}
		taken |= 1 << j
	}
	return true
}

// Alike is Same without the attributes by which a directory notes who wrote an
// entry and when.
func (t Terms) Alike(a, b *store.Image) bool {
	if a == nil || b == nil || a.Gone || b.Gone {
		return t.Same(a, b)
	}
	return t.Same(t.Unstamped(a), t.Unstamped(b))
}

// Unstamped returns m without the attributes by which a directory notes who made and
// who wrote an entry, and when.
func (t Terms) Unstamped(m *store.Image) *store.Image {
	out := *m
	out.Attrs = nil
	for _, a := range m.Attrs {
		if !IsNote(t.Schema.Canonical(a.Name)) {
			out.Attrs = append(out.Attrs, a)
		}
	}
	return &out
}

// IsNote reports whether an attribute, by its canonical name, is one by which a directory
// notes who made and who wrote an entry, and when.
func IsNote(canonical string) bool {
	switch canonical {
	case "createtimestamp", "creatorsname", ModifiersName, "modifytimestamp":
		return true
	}
	return false
}

// ModifiersName is the canonical name of the attribute that says who wrote last.
const ModifiersName = "modifiersname"

// stamps are the attributes that a directory sets by itself at every write.
var stamps = []string{ModifiersName, "modifytimestamp"}

// WithoutStamps returns attrs without those that a directory sets by itself at every
// write.
func (t Terms) WithoutStamps(attrs []directory.Attribute) []directory.Attribute {
	return slices.DeleteFunc(slices.Clone(attrs), func(a directory.Attribute) bool {
		return slices.Contains(stamps, t.Schema.Canonical(a.Name))
	})
}

// Value returns the normal form of the only value of an attribute of an image, ""
// where there is none or more than one.
func (t Terms) Value(m *store.Image, canonical string) string {
	if values := t.Values(m, canonical); len(values) == 1 {
		return t.Schema.Normalise(canonical, values[0])
	}
	return ""
}
