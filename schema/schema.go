// Package schema holds directory schemas (RFC 4512 section 4.1): attribute
// types and object classes as a directory publishes them, and the normal forms
// of values under their equality rules.
//
// It checks no values against their syntaxes and enforces no content rules;
// that is the directory's part. Syntaxes, matching rules, name forms and
// structure rules are not read.
package schema

import (
	"iter"
	"slices"

	"ldapsync/lookup"
)

// AttributeType is one attribute type description (RFC 4512 section 4.1.2),
// with what it inherits filled in.
type AttributeType struct {
	OID   string
	Names []string
	// Superior is the type it inherits from, as the definition names it, or "".
	Superior string
	// Equality and Syntax are the rule's name or OID and the syntax's OID, ""
	// where there is none.
	Equality    string
	Syntax      string
	SingleValue bool
	// Operational is true unless USAGE is userApplications.
	Operational bool
	// ReadOnly is NO-USER-MODIFICATION.
	ReadOnly bool
	// Definition is the description as it was published, without numbering.
	Definition string

	canonical string
	normal    rule // nil: the octets
}

// ClassKind is the kind of an object class.
type ClassKind uint8

// The kinds of object classes.
const (
	Structural ClassKind = iota
	Auxiliary
	Abstract
)

// String returns STRUCTURAL, AUXILIARY or ABSTRACT.
func (k ClassKind) String() string {
	switch k {
	case Auxiliary:
		return "AUXILIARY"
	case Abstract:
		return "ABSTRACT"
	}
	return "STRUCTURAL"
}

// ObjectClass is one object class description (RFC 4512 section 4.1.1). Must
// and May hold canonical attribute names, sorted, the superiors' included; what
// is in Must is not in May.
type ObjectClass struct {
	OID   string
	Names []string
	Kind  ClassKind
	// Superiors are the direct ones, as the definition names them.
	Superiors []string
	Must, May []string
	// Definition is the description as it was published, without numbering.
	Definition string

	canonical string
}

// Schema is a set of definitions. It is immutable and safe for concurrent use.
// It is a dn.Normaliser.
type Schema struct {
	types   []*AttributeType // by canonical name
	classes []*ObjectClass   // by canonical name
	digest  string

	typeIndex  index[*AttributeType]
	classIndex index[*ObjectClass]
	// oids gives the normal form of an object identifier value.
	oids index[string]
	// names are the normal forms of DNs that were asked for lately.
	names lookup.Recent[string]
}

// Attribute returns the type that desc, a name or OID in any case, options
// ignored, stands for; nil when unknown.
func (s *Schema) Attribute(desc string) *AttributeType {
	if t, ok := s.typeIndex.find(desc); ok {
		return t
	}
	base, _ := cutOptions(desc)
	t, _ := s.typeIndex.find(base)
	return t
}

// Class returns the class of that name or OID in any case; nil when unknown.
func (s *Schema) Class(name string) *ObjectClass {
	c, _ := s.classIndex.find(name)
	return c
}

// Canonical returns the one spelling of an attribute description: the first
// name of its type in lower case, or desc where the schema does not know it,
// and the options in lower case, sorted, without repetitions.
func (s *Schema) Canonical(desc string) string {
	if t, ok := s.typeIndex.find(desc); ok {
		return t.canonical
	}
	base, options := cutOptions(desc)
	return s.canonicalBase(base) + canonicalOptions(options)
}

func (s *Schema) canonicalBase(base string) string {
	if t, ok := s.typeIndex.find(base); ok {
		return t.canonical
	}
	return lowerASCII(base)
}

// HasEquality reports whether single values of attr can be told from one
// another, that is, the schema knows attr and its equality rule has a name.
func (s *Schema) HasEquality(attr string) bool {
	t := s.Attribute(attr)
	return t != nil && t.Equality != ""
}

// SingleValue reports whether the schema knows attr as SINGLE-VALUE.
func (s *Schema) SingleValue(attr string) bool {
	t := s.Attribute(attr)
	return t != nil && t.SingleValue
}

// Must returns the attributes that an entry of these classes must have:
// canonical names, sorted, superiors included. A class that the schema does not
// know adds nothing.
func (s *Schema) Must(classes []string) []string {
	var must []string
	for _, name := range classes {
		if c := s.Class(name); c != nil {
			must = append(must, c.Must...)
		}
	}
	slices.Sort(must)
	return slices.Compact(must)
}

// extensibleObject lets an entry have any attribute (RFC 4512 section 4.3).
const extensibleObject = "1.3.6.1.4.1.1466.101.120.111"

// Allows reports whether an entry of these classes may have attr: some class or
// a superior of one has it in MUST or MAY, or it is operational, or the entry is
// an extensibleObject. A class that the schema does not know may allow anything.
func (s *Schema) Allows(classes []string, attr string) bool {
	if t := s.Attribute(attr); t != nil && t.Operational {
		return true
	}
	base, _ := cutOptions(attr)
	base = s.canonicalBase(base)
	for _, name := range classes {
		c := s.Class(name)
		if c == nil || c.OID == extensibleObject || contains(c.Must, base) || contains(c.May, base) {
			return true
		}
	}
	return false
}

func contains(sorted []string, s string) bool {
	_, ok := slices.BinarySearch(sorted, s)
	return ok
}

// Digest identifies the definitions: two schemas have the same digest iff they
// say the same of every attribute and class, whatever the order of the
// definitions, their texts for people and their extensions.
func (s *Schema) Digest() string { return s.digest }

// AttributeTypes yields the types in the order of their canonical names.
func (s *Schema) AttributeTypes() iter.Seq[*AttributeType] { return slices.Values(s.types) }

// ObjectClasses yields the classes in the order of their canonical names.
func (s *Schema) ObjectClasses() iter.Seq[*ObjectClass] { return slices.Values(s.classes) }
