// Package dn reads, prints and normalises distinguished names (RFC 4514).
//
// It knows nothing of attribute types and matching rules: what makes two names
// equal is asked of a Normaliser. Values are raw octets throughout, so that
// names with octets that are no UTF-8 stay apart.
package dn

import "errors"

// ErrSyntax is wrapped by every error of Parse and ParseRDN.
var ErrSyntax = errors.New("invalid DN")

// Limits of Parse and ParseRDN, far beyond what any directory serves.
const (
	// MaxLen is the length of the longest name in octets.
	MaxLen = 64 << 10
	// MaxAVAs is the greatest number of attribute values in a name.
	MaxAVAs = 1024
)

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
