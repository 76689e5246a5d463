package scenario

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"ldapsync/ldif"
	"ldapsync/schema"
)

// Definitions are attribute types and object classes besides the built-in ones.
type Definitions struct{ types, classes []string }

// Read adds the definitions of an LDIF file, such as slapd's schema files in
// LDIF or what ldapsearch shows of cn=subschema. Name is what errors call it.
func (d *Definitions) Read(name string, r io.Reader) error {
	found := 0
	for rec, err := range ldif.NewReader(io.LimitReader(r, MaxSize), ldif.WithName(name)).All() {
		if err != nil {
			return err
		}
		for _, a := range rec.Attrs {
			switch strings.ToLower(a.Name) {
			case "olcattributetypes", "attributetypes":
				d.types = append(d.types, a.Values...)
			case "olcobjectclasses", "objectclasses":
				d.classes = append(d.classes, a.Values...)
			default:
				continue
			}
			found += len(a.Values)
		}
	}
	if found == 0 {
		return fmt.Errorf("%s: no attribute types and object classes in it", name)
	}
	return nil
}

// Schema returns the built-in schema with the definitions that it lacks.
func (d *Definitions) Schema() (*schema.Schema, error) {
	s := schema.Standard()
	var types, classes []string
	for t := range s.AttributeTypes() {
		types = append(types, t.Definition)
	}
	for c := range s.ObjectClasses() {
		classes = append(classes, c.Definition)
	}
	own, err := d.lacking(s)
	if err != nil {
		return nil, err
	}
	return schema.Parse(slices.Concat(types, own.types), slices.Concat(classes, own.classes))
}

// Conf returns, in slapd.conf's syntax, the definitions that the built-in schema
// lacks, "" for none.
func (d *Definitions) Conf() (string, error) {
	own, err := d.lacking(schema.Standard())
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, t := range own.types {
		fmt.Fprintf(&b, "attributetype %s\n", t)
	}
	for _, c := range own.classes {
		fmt.Fprintf(&b, "objectclass %s\n", c)
	}
	return b.String(), nil
}

// lacking returns the definitions of what s does not know, in their order and
// without the numbers that cn=config puts before them.
func (d *Definitions) lacking(s *schema.Schema) (own Definitions, err error) {
	for _, text := range d.types {
		one, err := schema.Parse([]string{text}, nil)
		if err != nil {
			return own, err
		}
		for t := range one.AttributeTypes() {
			if s.Attribute(t.OID) == nil {
				own.types = append(own.types, t.Definition)
			}
		}
	}
	for _, text := range d.classes {
		one, err := schema.Parse(nil, []string{text})
		if err != nil {
			return own, err
		}
		for c := range one.ObjectClasses() {
			if s.Class(c.OID) == nil {
				own.classes = append(own.classes, c.Definition)
			}
		}
	}
	return own, nil
}
