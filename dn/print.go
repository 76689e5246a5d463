package dn

// String prints d.
func (d DN) String() string { return "" }

// String prints r.
func (r RDN) String() string { return "" }
