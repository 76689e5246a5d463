package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/schema"
	"ldapsync/testenv/openldap"
)

// entry is the RDN of an entry that may have any attribute.
const entry = "uid=u"

// startSlapd runs OpenLDAP with the project's schema, testTypes and an entry.
func startSlapd(t *testing.T) (*openldap.Server, *ldap.Conn) {
	t.Helper()
	if !openldap.Installed() {
		t.Skip("slapd is not installed")
	}
	var conf strings.Builder
	for _, def := range testTypes {
		fmt.Fprintf(&conf, "attributetype %s\n", def)
	}
	s, err := openldap.Start(t.TempDir(), openldap.Options{StaticConfig: true, NoSync: true, Schemas: []string{conf.String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := ldap.DialURL(s.URI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Bind(s.AdminDN, s.AdminPassword); err != nil {
		t.Fatal(err)
	}
	add(t, conn, s.Suffix, map[string][]string{"objectClass": {"domain"}, "dc": {"example"}})
	add(t, conn, entry+","+s.Suffix, map[string][]string{"objectClass": {"account", "extensibleObject"}, "uid": {"u"}})
	return s, conn
}

func add(t *testing.T, conn *ldap.Conn, dn string, attrs map[string][]string) {
	t.Helper()
	request := ldap.NewAddRequest(dn, nil)
	for name, values := range attrs {
		request.Attribute(name, values)
	}
	if err := conn.Add(request); err != nil {
		t.Fatalf("add %s: %v", dn, err)
	}
}

// Two values that a directory keeps apart must not be one to us, and the other
// way round; so the pairs are put to OpenLDAP too.
func TestOpenLDAPMatchesTheSame(t *testing.T) {
	s, conn := startSlapd(t)
	name := entry + "," + s.Suffix
	for _, p := range pairs {
		if p.alone {
			continue
		}
		modify := ldap.NewModifyRequest(name, nil)
		modify.Replace(p.attr, []string{p.a})
		if err := conn.Modify(modify); err != nil {
			t.Errorf("%s %q: %v", p.attr, p.a, err)
			continue
		}
		match, err := conn.Compare(name, p.attr, p.b)
		if err != nil || match != p.match {
			t.Errorf("%s: %q and %q: match %v, %v", p.attr, p.a, p.b, match, err)
		}
	}
}

func TestStandardIsWhatThisSlapdSays(t *testing.T) {
	s, _ := startSlapd(t)
	dump, err := s.Run("", "ldapsearch", "-LLL", "-x", "-o", "ldif-wrap=no", "-s", "base", "-b", "cn=Subschema", "attributeTypes", "objectClasses")
	if err != nil {
		t.Fatal(err)
	}
	agree(t, schema.Standard(), readSubschema(t, dump), 200)
}

// What a name conflict does to the loser works with the project's definitions.
func TestConflictName(t *testing.T) {
	s, conn := startSlapd(t)
	name := entry + "," + s.Suffix
	found, err := conn.Search(&ldap.SearchRequest{BaseDN: name, Filter: "(objectClass=*)", Attributes: []string{"entryUUID"}})
	if err != nil {
		t.Fatal(err)
	}
	id := found.Entries[0].GetAttributeValue("entryUUID")
	modify := ldap.NewModifyRequest(name, nil)
	modify.Add("objectClass", []string{schema.ConflictClass})
	modify.Add(schema.ConflictOf, []string{strings.ToUpper(id)})
	modify.Add(schema.Glue, []string{"TRUE"})
	if err := conn.Modify(modify); err != nil {
		t.Fatal(err)
	}
	rdn := entry + "+" + schema.ConflictID + "=" + id
	if err := conn.ModifyDN(ldap.NewModifyDNRequest(name, rdn, false, "")); err != nil {
		t.Fatal(err)
	}
	if same, err := conn.Compare(rdn+","+s.Suffix, schema.ConflictID, strings.ToUpper(id)); err != nil || !same {
		t.Errorf("compare: %v, %v", same, err)
	}
	second := ldap.NewModifyRequest(rdn+","+s.Suffix, nil)
	second.Add(schema.ConflictOf, []string{"00000000-0000-0000-0000-000000000001"})
	if err := conn.Modify(second); !ldap.IsErrorWithCode(err, ldap.LDAPResultConstraintViolation) {
		t.Errorf("a second %s: %v", schema.ConflictOf, err)
	}
}
