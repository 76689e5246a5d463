package schema_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	files "ldapsync/directory/openldap/schema"
	"ldapsync/schema"
)

var update = flag.Bool("update", false, "write the schema files anew")

const title = "# The schema of ldapsync: how entries that a replication conflict touched are marked.\n\n"

func conf() string {
	var b strings.Builder
	b.WriteString(title)
	for _, def := range schema.LdapsyncAttributeTypes {
		b.WriteString("attributetype " + def + "\n\n")
	}
	for _, def := range schema.LdapsyncObjectClasses {
		b.WriteString("objectclass " + def + "\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func ldif() string {
	var b strings.Builder
	b.WriteString(title)
	b.WriteString("dn: cn=ldapsync,cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: ldapsync\n")
	for _, def := range schema.LdapsyncAttributeTypes {
		b.WriteString("olcAttributeTypes: " + def + "\n")
	}
	for _, def := range schema.LdapsyncObjectClasses {
		b.WriteString("olcObjectClasses: " + def + "\n")
	}
	return b.String()
}

func TestFilesMatchDefinitions(t *testing.T) {
	for name, c := range map[string]struct{ want, got string }{
		"ldapsync.schema": {conf(), files.Conf},
		"ldapsync.ldif":   {ldif(), files.LDIF},
	} {
		if *update {
			if err := os.WriteFile(name, []byte(c.want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Errorf("%s differs from package schema (-update writes it anew):\n%s", name, d)
		}
	}
}
