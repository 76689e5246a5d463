package schema_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ldapsync/schema"
)

// readSubschema reads the entry of a subschema as ldapsearch prints it without
// wrapping.
func readSubschema(t testing.TB, ldif string) *schema.Schema {
	t.Helper()
	values := map[string][]string{}
	for line := range strings.Lines(ldif) {
		attr, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		values[attr] = append(values[attr], value)
	}
	if len(values["attributeTypes"]) < 200 || len(values["objectClasses"]) < 50 {
		t.Fatalf("%d types and %d classes", len(values["attributeTypes"]), len(values["objectClasses"]))
	}
	return mustParse(t, values["attributeTypes"], values["objectClasses"])
}

func recorded(t testing.TB) *schema.Schema {
	t.Helper()
	dump, err := os.ReadFile("testdata/subschema-openldap-2.5.ldif")
	if err != nil {
		t.Fatal(err)
	}
	return readSubschema(t, string(dump))
}

// agree fails where two schemas say different things of what both know, or know
// less than shared things in common.
func agree(t *testing.T, a, b *schema.Schema, shared int) {
	t.Helper()
	n := 0
	for x := range a.AttributeTypes() {
		y := b.Attribute(x.OID)
		if y == nil {
			continue
		}
		n++
		if diff := cmp.Diff(x, y, cmpopts.IgnoreFields(schema.AttributeType{}, "Definition"),
			cmpopts.IgnoreUnexported(schema.AttributeType{})); diff != "" {
			t.Errorf("type %s: %s", x.OID, diff)
		}
	}
	for x := range a.ObjectClasses() {
		y := b.Class(x.OID)
		if y == nil {
			continue
		}
		n++
		if diff := cmp.Diff(x, y, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(schema.ObjectClass{}, "Definition", "Superiors"),
			cmpopts.IgnoreUnexported(schema.ObjectClass{})); diff != "" {
			t.Errorf("class %s: %s", x.OID, diff)
		}
	}
	if n < shared {
		t.Errorf("only %d definitions in common", n)
	}
}

func TestStandardIsWhatOpenLDAPSays(t *testing.T) {
	agree(t, schema.Standard(), recorded(t), 230)
}

// Every definition that standard lacks belongs to OpenLDAP alone.
func TestStandardIsComplete(t *testing.T) {
	s := schema.Standard()
	foreign := func(name string) bool {
		return strings.HasPrefix(name, "olc") || strings.HasPrefix(name, "OpenLDAP") || strings.HasPrefix(name, "pwd") || name == "pKCS8PrivateKey"
	}
	for a := range recorded(t).AttributeTypes() {
		if s.Attribute(a.OID) == nil && !foreign(a.Names[0]) {
			t.Errorf("no attribute %s", a.Names[0])
		}
	}
	for c := range recorded(t).ObjectClasses() {
		if s.Class(c.OID) == nil && !foreign(c.Names[0]) {
			t.Errorf("no class %s", c.Names[0])
		}
	}
}

// No class of the built-in schema refers to an attribute that it lacks.
func TestStandardIsClosed(t *testing.T) {
	s := schema.Standard()
	for c := range s.ObjectClasses() {
		for _, name := range append(c.Must, c.May...) {
			if s.Attribute(name) == nil {
				t.Errorf("%s has an unknown %s", c.Names[0], name)
			}
		}
		for _, name := range c.Superiors {
			if s.Class(name) == nil {
				t.Errorf("%s has an unknown superior %s", c.Names[0], name)
			}
		}
	}
	for a := range s.AttributeTypes() {
		if a.Superior != "" && s.Attribute(a.Superior) == nil {
			t.Errorf("%s has an unknown superior %s", a.Names[0], a.Superior)
		}
	}
}

// splitConf collects the definitions in a file of slapd.conf's syntax.
func splitConf(text string) (types, classes []string) {
	text = "\n" + text
	for _, directive := range strings.Split(unfold(text), "\n") {
		keyword, value, _ := strings.Cut(directive, " ")
		switch strings.ToLower(keyword) {
		case "attributetype":
			types = append(types, value)
		case "objectclass":
			classes = append(classes, value)
		}
	}
	return types, classes
}

// unfold drops comments and joins lines that start with a space to those
// before them.
func unfold(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			b.WriteString(line)
		default:
			b.WriteString("\n" + line)
		}
	}
	return b.String()
}

func TestParseReadsEverySchemaFile(t *testing.T) {
	files, err := filepath.Glob("/etc/ldap/schema/*.schema")
	if err != nil || len(files) == 0 {
		t.Skip("OpenLDAP's schema files are not installed in /etc/ldap/schema")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		types, classes := splitConf(string(text))
		if len(types)+len(classes) == 0 {
			t.Errorf("%s: nothing found", file)
		}
		if _, err := schema.Parse(types, classes); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
