package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ldapsync/dn"
	"ldapsync/schema"
)

var _ dn.Normaliser = (*schema.Schema)(nil)

func mustParse(t testing.TB, types, classes []string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse(types, classes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCanonical(t *testing.T) {
	s := schema.Standard()
	for in, want := range map[string]string{
		"cn":                        "cn",
		"CN":                        "cn",
		"commonName":                "cn",
		"2.5.4.3":                   "cn",
		"objectClass":               "objectclass",
		"CN;Lang-DE":                "cn;lang-de",
		"userCertificate;x;binary":  "usercertificate;binary;x",
		"cn;b;a;B":                  "cn;a;b",
		"cn;":                       "cn",
		"cn;;":                      "cn",
		"cn;;a":                     "cn;a",
		"Unknown;Z;a":               "unknown;a;z",
		"":                          "",
		"ÄB\xff":                    "Äb\xff",
		"1.3.6.1.1.1.1.0":           "uidnumber",
		"0.9.2342.19200300.100.1.1": "uid",
	} {
		if got := s.Canonical(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Definitions that claim one another's names still have names of their own.
func TestCanonicalIsUnique(t *testing.T) {
	s := mustParse(t, []string{"( 1.1 NAME ( 'x' 'Y' ) )", "( 1.2 NAME ( 'y' 'z' ) )", "( 1.3 NAME 'X' )", "( 1.1 NAME 'y' )"}, nil)
	for in, want := range map[string]string{"1.1": "x", "Y": "x", "y": "x", "1.2": "z", "Z": "z", "1.3": "1.3", "X": "x"} {
		if got := s.Canonical(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if n := len(slices.Collect(s.AttributeTypes())); n != 3 {
		t.Errorf("%d types", n)
	}
}

func TestAttribute(t *testing.T) {
	s := schema.Standard()
	for _, desc := range []string{"uidNumber", "UIDNUMBER", "1.3.6.1.1.1.1.0", "uidnumber;x-y"} {
		if a := s.Attribute(desc); a == nil || a.OID != "1.3.6.1.1.1.1.0" || !s.SingleValue(desc) || !s.HasEquality(desc) {
			t.Errorf("%s: %+v", desc, a)
		}
	}
	if s.Attribute("unknown") != nil || s.Class("unknown") != nil || s.SingleValue("unknown") || s.HasEquality("unknown") {
		t.Error("knows the unknown")
	}
	if s.HasEquality("jpegPhoto") || s.SingleValue("mail") {
		t.Error("jpegPhoto has no rule and mail many values")
	}
	if c := s.Class("INETORGPERSON"); c == nil || c != s.Class("2.16.840.1.113730.3.2.2") {
		t.Errorf("%+v", c)
	}
	if a := s.Attribute("sn"); a.Equality != "caseIgnoreMatch" || a.Syntax != "1.3.6.1.4.1.1466.115.121.1.15" {
		t.Errorf("sn inherits nothing: %+v", a)
	}
}

func TestMust(t *testing.T) {
	s := schema.Standard()
	for _, tt := range []struct{ classes, want string }{
		{"", ""},
		{"unknown", ""},
		{"top", "objectclass"},
		{"inetOrgPerson unknown", "cn objectclass sn"},
		{"PosixAccount person", "cn gidnumber homedirectory objectclass sn uid uidnumber"},
		{"account", "objectclass uid"},
		{"0.9.2342.19200300.100.4.19", "objectclass userpassword"},
	} {
		got := s.Must(strings.Fields(tt.classes))
		if diff := cmp.Diff(strings.Fields(tt.want), got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", tt.classes, diff)
		}
	}
}

func TestAllows(t *testing.T) {
	s := schema.Standard()
	for _, tt := range []struct {
		classes, attr string
		want          bool
	}{
		{"inetOrgPerson", "mail", true},
		{"inetOrgPerson", "rfc822Mailbox", true},
		{"inetOrgPerson", "MAIL;lang-de", true},
		{"inetOrgPerson", "SN", true},
		{"inetOrgPerson", "objectClass", true},
		{"inetOrgPerson", "uidNumber", false},
		{"inetOrgPerson", "unknown", false},
		{"inetOrgPerson posixAccount", "uidNumber", true},
		{"inetOrgPerson extensibleObject", "uidNumber", true},
		{"inetOrgPerson extensibleobject", "unknown", true},
		{"inetOrgPerson notDefined", "uidNumber", true},
		{"inetOrgPerson", "createTimestamp", true},
		{"inetOrgPerson", "ref", true},
		{"", "cn", false},
		{"", "modifiersName", true},
		{"person ldapsyncConflict", "ldapsyncConflictID", true},
		{"person", "ldapsyncGlue", false},
	} {
		if got := s.Allows(strings.Fields(tt.classes), tt.attr); got != tt.want {
			t.Errorf("%q and %s: %v", tt.classes, tt.attr, got)
		}
	}
}

func TestDigest(t *testing.T) {
	types := []string{
		"( 1.1 NAME 'a' EQUALITY caseIgnoreMatch SYNTAX 1.3{7} )",
		"( 1.2 NAME ( 'b' 'c' ) SUP a )",
	}
	classes := []string{"( 2.1 NAME 'x' MUST a MAY ( b $ c ) )", "( 2.2 NAME 'y' SUP x )"}
	want := mustParse(t, types, classes).Digest()
	if len(want) != 16 {
		t.Errorf("digest %q", want)
	}
	same := map[string][2][]string{
		"other order":   {{types[1], types[0]}, {classes[1], classes[0]}},
		"numbered":      {{"{0}" + types[0], "{1}" + types[1]}, classes},
		"rule by OID":   {{"( 1.1 NAME 'A' DESC 'hi' EQUALITY 2.5.13.2 SYNTAX 1.3 X-Y 'z' )", types[1]}, classes},
		"spelled out":   {{types[0], "( 1.2 NAME ( 'b' 'c' ) EQUALITY caseignorematch SYNTAX 1.3 )"}, classes},
		"by other name": {types, {"( 2.1 NAME 'X' MUST 1.1 MAY c )", classes[1]}},
	}
	for name, defs := range same {
		if got := mustParse(t, defs[0], defs[1]).Digest(); got != want {
			t.Errorf("%s: another digest", name)
		}
	}
	other := map[string][2][]string{
		"less":            {types, classes[:1]},
		"other rule":      {{"( 1.1 NAME 'a' EQUALITY caseExactMatch SYNTAX 1.3 )", types[1]}, classes},
		"single value":    {{"( 1.1 NAME 'a' EQUALITY caseIgnoreMatch SYNTAX 1.3 SINGLE-VALUE )", types[1]}, classes},
		"operational":     {{"( 1.1 NAME 'a' EQUALITY caseIgnoreMatch SYNTAX 1.3 USAGE dSAOperation )", types[1]}, classes},
		"order of names":  {{types[0], "( 1.2 NAME ( 'c' 'b' ) SUP a )"}, classes},
		"must, not may":   {types, {"( 2.1 NAME 'x' MUST ( a $ b ) )", classes[1]}},
		"other kind":      {types, {"( 2.1 NAME 'x' AUXILIARY MUST a MAY b )", classes[1]}},
		"no superior":     {types, {classes[0], "( 2.2 NAME 'y' )"}},
		"other OID":       {{types[0], "( 1.9 NAME ( 'b' 'c' ) SUP a )"}, classes},
		"types only":      {types, nil},
		"everything gone": {nil, nil},
	}
	for name, defs := range other {
		if got := mustParse(t, defs[0], defs[1]).Digest(); got == want {
			t.Errorf("%s: the same digest", name)
		}
	}
}

func TestOrder(t *testing.T) {
	s := schema.Standard()
	var types, classes []string
	for a := range s.AttributeTypes() {
		types = append(types, s.Canonical(a.OID))
	}
	for c := range s.ObjectClasses() {
		classes = append(classes, s.Normalise("objectClass", c.OID))
	}
	if !slices.IsSorted(types) || !slices.IsSorted(classes) || len(types) < 150 || len(classes) < 50 {
		t.Errorf("types %v, classes %v", types, classes)
	}
}
