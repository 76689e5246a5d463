// Package schema holds directory schemas (RFC 4512 section 4.1): attribute
// types and object classes as a directory publishes them, and the normal forms
// of values under their equality rules.
package schema

// AttributeType is one attribute type description (RFC 4512 section 4.1.2),
// with what it inherits filled in.
type AttributeType struct {
	OID   string
	Names []string
	// Equality and Syntax are the rule's name or OID and the syntax's OID, ""
	// where there is none.
	Equality    string
	Syntax      string
	SingleValue bool
	// Operational is true unless USAGE is userApplications.
	Operational bool
	// ReadOnly is NO-USER-MODIFICATION.
	ReadOnly bool
}

// ClassKind is the kind of an object class.
type ClassKind uint8

// The kinds of object classes.
const (
	Structural ClassKind = iota
	Auxiliary
	Abstract
)

// ObjectClass is one object class description (RFC 4512 section 4.1.1). Must
// and May hold canonical attribute names, the superiors' included.
type ObjectClass struct {
	OID       string
	Names     []string
	Kind      ClassKind
	Superiors []string
	Must, May []string
}

// Schema is a set of definitions. It is immutable and safe for concurrent use.
type Schema struct {
	_ struct{}
}
