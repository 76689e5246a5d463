package dn

// Key returns the comparison key of d.
func (d DN) Key(n Normaliser) string { return "" }

// Key returns the comparison key of r.
func (r RDN) Key(n Normaliser) string { return "" }

// Parent returns the name of the superior entry; nil for the root.
func (d DN) Parent() DN { return nil }

// IsBelow reports whether d is a descendant of base; base itself is not below
// base.
func (d DN) IsBelow(base DN, n Normaliser) bool { return false }

// Equal reports whether d and o name the same entry.
func (d DN) Equal(o DN, n Normaliser) bool { return false }

// Equal reports whether r and o are the same relative name.
func (r RDN) Equal(o RDN, n Normaliser) bool { return false }
