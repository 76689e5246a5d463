package schema

import (
	"errors"
	"fmt"
	"strings"
)

// ErrDefinition is wrapped by every error of Parse.
var ErrDefinition = errors.New("invalid schema")

// Limits of Parse, far beyond the schemas of any directory.
const (
	maxDefinition  = 64 << 10 // octets
	maxDefinitions = 20_000
	maxContent     = 1_000_000 // attributes in all classes, superiors' included
)

// Parse reads descriptions as a subschema subentry publishes them (RFC 4512
// sections 4.1.1 and 4.1.2) or cn=config holds them, which numbers them: {3}(
// ... ). Extensions (X-...) are passed over. Of two definitions of one name or
// OID the first counts. A superior that is not defined is taken for one that
// has nothing to inherit. The error names the definition and wraps
// ErrDefinition.
func Parse(attributeTypes, objectClasses []string) (*Schema, error) {
	if n := len(attributeTypes) + len(objectClasses); n > maxDefinitions {
		return nil, fmt.Errorf("%w: %d definitions, more than %d", ErrDefinition, n, maxDefinitions)
	}
	types := make([]*AttributeType, len(attributeTypes))
	for i, text := range attributeTypes {
		t, err := parseType(text)
		if err != nil {
			return nil, fmt.Errorf("%w: attribute type %s: %w", ErrDefinition, excerpt(text), err)
		}
		types[i] = t
	}
	classes := make([]*ObjectClass, len(objectClasses))
	for i, text := range objectClasses {
		c, err := parseClass(text)
		if err != nil {
			return nil, fmt.Errorf("%w: object class %s: %w", ErrDefinition, excerpt(text), err)
		}
		classes[i] = c
	}
	return build(types, classes)
}

func parseType(text string) (*AttributeType, error) {
	t := &AttributeType{Definition: unnumbered(text)}
	err := parseFields(t.Definition, &t.OID, func(l *lexer, field string) (err error) {
		switch field {
		case "NAME":
			t.Names, err = l.words()
		case "SUP":
			t.Superior, err = l.word()
		case "EQUALITY":
			t.Equality, err = l.word()
		case "SYNTAX":
			t.Syntax, err = l.word()
			t.Syntax, _, _ = strings.Cut(t.Syntax, "{")
		case "SINGLE-VALUE":
			t.SingleValue = true
		case "NO-USER-MODIFICATION":
			t.ReadOnly = true
		case "USAGE":
			var usage string
			usage, err = l.word()
			t.Operational = !strings.EqualFold(usage, "userApplications")
		case "DESC", "ORDERING", "SUBSTR":
			_, err = l.word()
		case "OBSOLETE", "COLLECTIVE":
		default:
			err = errField
		}
		return err
	})
	return t, err
}

func parseClass(text string) (*ObjectClass, error) {
	c := &ObjectClass{Definition: unnumbered(text)}
	err := parseFields(c.Definition, &c.OID, func(l *lexer, field string) (err error) {
		switch field {
		case "NAME":
			c.Names, err = l.words()
		case "SUP":
			c.Superiors, err = l.words()
		case "STRUCTURAL":
			c.Kind = Structural
		case "AUXILIARY":
			c.Kind = Auxiliary
		case "ABSTRACT":
			c.Kind = Abstract
		case "MUST":
			c.Must, err = l.words()
		case "MAY":
			c.May, err = l.words()
		case "DESC":
			_, err = l.word()
		case "OBSOLETE":
		default:
			err = errField
		}
		return err
	})
	return c, err
}

var errField = errors.New("unknown field")

// parseFields reads the parentheses and the OID and has field read the value
// of each field but extensions, whose name it gets in upper case.
func parseFields(text string, oid *string, field func(l *lexer, name string) error) error {
	if len(text) > maxDefinition {
		return fmt.Errorf("longer than %d octets", maxDefinition)
	}
	l := &lexer{text}
	if err := l.expect("("); err != nil {
		return err
	}
	var err error
	if *oid, err = l.word(); err != nil {
		return err
	}
	for {
		t, err := l.next()
		switch {
		case err != nil:
			return err
		case t.is(")"):
			if t, err := l.next(); err != nil || t != (token{}) {
				return unexpected(t, "the end")
			}
			return nil
		case t.is(""), t.is("("), t.is("$"), t.quoted:
			return unexpected(t, "a field or )")
		}
		name := strings.ToUpper(t.text)
		if strings.HasPrefix(name, "X-") {
			_, err = l.words()
		} else {
			err = field(l, name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", excerpt(t.text), err)
		}
	}
}

// unnumbered returns text without the {n} that cn=config puts before a value.
func unnumbered(text string) string {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		if _, rest, ok := strings.Cut(text, "}"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return text
}
