package schema

import "iter"

// Parse reads definitions.
func Parse(attributeTypes, objectClasses []string) (*Schema, error) { return &Schema{}, nil }

// Standard returns the built-in schema.
func Standard() *Schema { return &Schema{} }

// Attribute returns the type of a description, nil when unknown.
func (s *Schema) Attribute(desc string) *AttributeType { return nil }

// Class returns the class of that name or OID, nil when unknown.
func (s *Schema) Class(name string) *ObjectClass { return nil }

// Canonical returns the one spelling of an attribute description.
func (s *Schema) Canonical(desc string) string { return desc }

// Normalise returns the normal form of a value of attr.
func (s *Schema) Normalise(attr, value string) string { return value }

// HasEquality reports whether attr has an equality rule.
func (s *Schema) HasEquality(attr string) bool { return false }

// SingleValue reports whether attr is SINGLE-VALUE.
func (s *Schema) SingleValue(attr string) bool { return false }

// Must returns what entries of these classes must have.
func (s *Schema) Must(classes []string) []string { return nil }

// Allows reports whether entries of these classes may have attr.
func (s *Schema) Allows(classes []string, attr string) bool { return true }

// Digest identifies the definitions.
func (s *Schema) Digest() string { return "" }

// AttributeTypes yields the types, sorted by OID.
func (s *Schema) AttributeTypes() iter.Seq[*AttributeType] {
	return func(func(*AttributeType) bool) {}
}

// ObjectClasses yields the classes, sorted by OID.
func (s *Schema) ObjectClasses() iter.Seq[*ObjectClass] { return func(func(*ObjectClass) bool) {} }
