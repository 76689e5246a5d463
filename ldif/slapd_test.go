package ldif_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/ldif"
)

// offline is the configuration of a database that slapadd and slapcat use
// without a server.
const offline = `include %[1]s/core.schema
include %[1]s/cosine.schema
include %[1]s/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
directory %[2]s
maxsize 67108864
`

func slapdConf(t *testing.T) string {
	t.Helper()
	const schemas = "/etc/ldap/schema"
	if _, err := os.Stat(schemas + "/core.schema"); err != nil {
		t.Skipf("the schema of slapd is not installed: %v", err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "slapd.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, offline, schemas, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf
}

func run(t *testing.T, in []byte, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(tool(t, program), args...)
	cmd.Stdin = bytes.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, errs.String())
	}
	return out.Bytes()
}

// people is a small directory with values of every kind.
func people() []*ldif.Record {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	person := func(cn string, attrs ...ldif.Attribute) *ldif.Record {
		return entry("cn="+cn+",dc=example,dc=org", append([]ldif.Attribute{
			{"objectClass", []string{"inetOrgPerson"}}, {"cn", []string{cn}}, {"sn", []string{cn}}}, attrs...)...)
	}
	return []*ldif.Record{
		entry("dc=example,dc=org", ldif.Attribute{"objectClass", []string{"organization", "dcObject"}},
			ldif.Attribute{"dc", []string{"example"}}, ldif.Attribute{"o", []string{"Example"}}),
		person("Zoë Größe", ldif.Attribute{"cn;lang-de", []string{"Zoe"}}),
		person("Ada", ldif.Attribute{"description", []string{
			": colon", "< less", "# sign", "two\nlines", "\ttab", strings.Repeat("long ", 60) + "end"}}),
		person("Binary", ldif.Attribute{"jpegPhoto", []string{string(all), "\xff\xd8"}},
			ldif.Attribute{"userPassword", []string{"{SSHA}x", " secret "}}),
	}
}

// TestSlapadd has slapadd take what the Writer wrote, and reads what slapcat
// then prints.
func TestSlapadd(t *testing.T) {
	tool(t, "slapadd")
	conf := slapdConf(t)
	text := write(t, people())
	run(t, text, "slapadd", "-u", "-f", conf)
	run(t, text, "slapadd", "-f", conf)
	recs, errs := readAll(ldif.NewReader(bytes.NewReader(run(t, nil, "slapcat", "-f", conf))))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, rec := range recs {
		if len(rec.Attrs) == 0 {
			t.Fatalf("%s is empty", rec.DN)
		}
		rec.Attrs = slices.DeleteFunc(rec.Attrs, func(a ldif.Attribute) bool {
			return slices.Contains([]string{"structuralObjectClass", "entryUUID", "creatorsName", "createTimestamp",
				"entryCSN", "modifiersName", "modifyTimestamp"}, a.Name)
		})
	}
	if diff := cmp.Diff(people(), recs, sameRecord); diff != "" {
		t.Errorf("(-written +slapcat):\n%s", diff)
	}
}

// TestLDAPAddReadsTheWriter has ldapadd read the golden files.
func TestLDAPAddReadsTheWriter(t *testing.T) {
	tool(t, "ldapadd")
	for _, file := range corpus(t, "ok") {
		if departures[name(file)] != "" {
			continue
		}
		goldenFile := strings.TrimSuffix(file, ".ldif") + ".golden"
		want, _ := ldapadd(t, file)
		got, accepted := ldapadd(t, goldenFile)
		if diff := cmp.Diff(firstSpellings(want), firstSpellings(got)); diff != "" || !accepted {
			t.Errorf("%s: accepted: %t (-original +golden):\n%s", goldenFile, accepted, diff)
		}
	}
}
