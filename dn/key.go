package dn

import (
	"cmp"
	"slices"
	"strings"
)

// Key returns what all spellings of one name have in common and no two names
// share: the name printed with canonical attributes and normal forms of the
// values, those of one RDN sorted. It can be shown, and Parse reads it.
func (d DN) Key(n Normaliser) string {
	if len(d) == 1 {
		return d[0].Key(n)
	}
	var b strings.Builder
	b.Grow(d.sizeHint())
	for i, r := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		if len(r) == 1 {
			b.WriteString(n.Canonical(r[0].Attr))
			b.WriteByte('=')
			printValue(&b, n.Normalise(r[0].Attr, r[0].Value))
			continue
		}
		r.normal(n).print(&b)
	}
	return b.String()
}

// sizeHint is about how many octets d takes in print.
func (d DN) sizeHint() (n int) {
	for _, r := range d {
		for _, a := range r {
			n += len(a.Attr) + len(a.Value) + 2
		}
	}
	return n
}

// Key is to r what DN.Key is to a DN.
func (r RDN) Key(n Normaliser) string {
	if len(r) == 1 {
		return (AVA{n.Canonical(r[0].Attr), n.Normalise(r[0].Attr, r[0].Value)}).String()
	}
	return r.normal(n).String()
}

// normal returns the RDN that all spellings of r have in common.
func (r RDN) normal(n Normaliser) RDN {
	normal := make(RDN, len(r))
	for i, a := range r {
		normal[i] = AVA{n.Canonical(a.Attr), n.Normalise(a.Attr, a.Value)}
	}
	slices.SortFunc(normal, func(a, b AVA) int {
		return cmp.Or(strings.Compare(a.Attr, b.Attr), strings.Compare(a.Value, b.Value))
	})
	return normal
}

// Parent returns the name of the superior entry; nil for the root and for the
// names directly below it. It shares memory with d.
func (d DN) Parent() DN {
	if len(d) < 2 {
		return nil
	}
	return d[1:]
}

// IsBelow reports whether d is a descendant of base. No name is below itself;
// every name but the root is below the root.
func (d DN) IsBelow(base DN, n Normaliser) bool {
	return len(d) > len(base) && d[len(d)-len(base):].Equal(base, n)
}

// Equal reports whether d and o are the same name.
func (d DN) Equal(o DN, n Normaliser) bool {
	return slices.EqualFunc(d, o, func(a, b RDN) bool { return a.Equal(b, n) })
}

// Equal reports whether r and o are the same relative name.
func (r RDN) Equal(o RDN, n Normaliser) bool {
	return len(r) == len(o) && slices.Equal(r.normal(n), o.normal(n))
}
