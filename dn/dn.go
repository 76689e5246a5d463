// Package dn reads, prints and normalises distinguished names (RFC 4514).
package dn

// AVA is one attribute type and value of an RDN; Value is raw octets.
type AVA struct{ Attr, Value string }

// RDN is a relative distinguished name: one AVA or more.
type RDN []AVA

// DN is a distinguished name, the entry's own RDN first. The empty DN is the
// root.
type DN []RDN

// Normaliser knows the schema: the one name of an attribute and the normal
// form of its values. Two values match under the attribute's equality rule iff
// their normal forms are equal.
type Normaliser interface {
	// Canonical returns the one spelling of an attribute description.
	Canonical(attr string) string
	// Normalise returns the normal form of a value of attr.
	Normalise(attr, value string) string
}
