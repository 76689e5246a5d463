package schema_test

import (
	"strings"
	"testing"

	"unicode/utf8"

	"ldapsync/schema"
)

// testTypes gives names to rules that no common attribute has without a length
// limit or other rights.
var testTypes = []string{
	"( 1.3.6.1.4.1.99999.1 NAME 'testTime' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )",
	"( 1.3.6.1.4.1.99999.2 NAME 'testCSN' EQUALITY CSNMatch SYNTAX 1.3.6.1.4.1.4203.666.11.2.1 )",
	"( 1.3.6.1.4.1.99999.3 NAME 'testUUID' EQUALITY UUIDMatch SYNTAX 1.3.6.1.1.16.1 )",
	"( 1.3.6.1.4.1.99999.4 NAME 'testInteger' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )",
	"( 1.3.6.1.4.1.99999.5 NAME 'testBoolean' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 )",
	"( 1.3.6.1.4.1.99999.6 NAME 'testExactIA5' EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )",
}

// withTestTypes is the built-in schema with testTypes.
func withTestTypes(t testing.TB) *schema.Schema {
	t.Helper()
	types := append([]string{}, testTypes...)
	for a := range schema.Standard().AttributeTypes() {
		types = append(types, a.Definition)
	}
	var classes []string
	for c := range schema.Standard().ObjectClasses() {
		classes = append(classes, c.Definition)
	}
	return mustParse(t, types, classes)
}

// pair is two values of an attribute and whether they match. Where alone is
// set, OpenLDAP 2.5 sees it the other way or takes no such value.
type pair struct {
	attr, a, b string
	match      bool
	alone      bool
}

var pairs = []pair{
	{attr: "description", a: "Ann Lee", b: " ann  LEE ", match: true},
	{attr: "description", a: "ann lee", b: "annlee"},
	{attr: "description", a: " ", b: "   ", match: true},
	{attr: "description", a: "É", b: "e\u0301", match: true},
	{attr: "description", a: "é", b: "e"},
	{attr: "description", a: "Å", b: "\u212b", match: true},
	{attr: "description", a: "Ж", b: "ж", match: true},
	{attr: "description", a: "𐐀", b: "𐐨", match: true},
	{attr: "description", a: "ﬁ ½ ㎏", b: "fi 1⁄2 KG", match: true},
	{attr: "description", a: "ﾃｽﾄ", b: "テスト", match: true},
	{attr: "description", a: "q\u0307\u0323", b: "q\u0323\u0307", match: true},
	{attr: "description", a: "a\u00a0b\u3000", b: "a b", match: true},
	{attr: "description", a: "\u2003b", b: "b", match: true},
	{attr: "description", a: "straße", b: "strasse"},
	{attr: "description", a: "ΟΔΟΣ", b: "οδοσ", match: true},
	{attr: "description", a: "ΟΔΟΣ", b: "οδος"},
	{attr: "description", a: "İ", b: "i", match: true},
	{attr: "description", a: "İ", b: "i\u0307"},
	{attr: "description", a: "ı", b: "i"},
	{attr: "description", a: "ǅ", b: "dž", match: true},
	{attr: "description", a: "ſ", b: "S", match: true},
	{attr: "description", a: "Ꙁ", b: "ꙁ", match: true, alone: true}, // newer than its tables
	{attr: "description", a: "™", b: "TM"},
	{attr: "description", a: "a\tb", b: "a b"},
	{attr: "description", a: "a\nb", b: "a b"},
	{attr: "description", a: "a\u200bb", b: "ab"},
	{attr: "description", a: "a\u00adb", b: "ab"},
	{attr: "description", a: "\ufeffa", b: "a"},
	{attr: "description", a: "a\x01", b: "a"},
	{attr: "description", a: "a\xff", b: "A\xff", alone: true},
	{attr: "description", a: "\xff", b: "\ufffd", alone: true},
	{attr: "serialNumber", a: "X  1", b: "x 1", match: true},
	{attr: "labeledURI", a: "a  é", b: "a e\u0301", match: true},
	{attr: "labeledURI", a: "a", b: "A"},
	{attr: "mail", a: "Ann@Example", b: "ann@example ", match: true},
	{attr: "mail", a: "ann@é", b: "ANN@é", alone: true},
	{attr: "testExactIA5", a: "/home/ann ", b: "/home/ann", match: true},
	{attr: "testExactIA5", a: "/home/ann", b: "/home/Ann"},
	{attr: "postalAddress", a: "Main  St$ Town", b: "main st$TOWN ", match: true},
	{attr: "postalAddress", a: "a$b", b: "a$b$"},
	{attr: "postalAddress", a: "a$$b", b: "a$ $b"},
	{attr: "postalAddress", a: `a\24b`, b: "a$b"},
	{attr: "postalAddress", a: `a\5Cb`, b: `a\5cb`, match: true},
	{attr: "postalAddress", a: "A$\xff", b: "a$\xff", alone: true},
	{attr: "x121Address", a: "12 34", b: "1234", match: true},
	{attr: "x121Address", a: "1a 2", b: "1a2", alone: true},
	{attr: "telephoneNumber", a: "+49 89-1", b: "+49891", match: true},
	{attr: "telephoneNumber", a: "x 1", b: "X1"},
	{attr: "telephoneNumber", a: "1-é", b: "1é", alone: true},
	{attr: "testInteger", a: "7", b: "007", match: true, alone: true},
	{attr: "testInteger", a: "-0", b: "0", match: true, alone: true},
	{attr: "testInteger", a: "-7", b: "7"},
	{attr: "testInteger", a: "-", b: "0", alone: true},
	{attr: "testInteger", a: "1e1", b: "01e1", alone: true},
	{attr: "testBoolean", a: "TRUE", b: "true", match: true, alone: true},
	{attr: "testBoolean", a: "FALSE", b: "False", match: true, alone: true},
	{attr: "testBoolean", a: "TRUE", b: "FALSE"},
	{attr: "testBoolean", a: "yes", b: "YES", alone: true},
	{attr: "userPassword", a: "secret", b: "Secret"},
	{attr: "userPassword", a: "a", b: "a "},
	{attr: "x500UniqueIdentifier", a: "'01'B", b: "'010'B"},
	{attr: "seeAlso", a: "CN=Ann, DC=X", b: "cn=ann,dc=x", match: true},
	{attr: "seeAlso", a: "2.5.4.3=a+uid=B,c=de", b: `UserID=b + commonName=\41,c=DE`, match: true},
	{attr: "seeAlso", a: "userPassword=a", b: "userPassword=A"},
	{attr: "seeAlso", a: "jpegPhoto=a", b: "jpegPhoto=A"},
	{attr: "seeAlso", a: "cn=é,c=de", b: "cn=E\u0301,c=de", match: true},
	{attr: "seeAlso", a: "", b: "cn=a"},
	{attr: "seeAlso", a: "not a name", b: "Not a name", alone: true},
	{attr: "seeAlso", a: "nobody=a", b: "NOBODY=a", match: true, alone: true},
	{attr: "seeAlso", a: `seeAlso=cn\=A`, b: `seeAlso=CN\=a`, match: true},
	{attr: "member", a: "cn=a,c=de", b: "CN=A , C=DE", match: true},
	{attr: "uniqueMember", a: "cn=A#'01'B", b: "cn=a#'01'B", match: true},
	{attr: "uniqueMember", a: "cn=a#'01'B", b: "cn=a"},
	{attr: "uniqueMember", a: "cn=a#''B", b: "cn=a"},
	{attr: "uniqueMember", a: "cn=a#'01'B", b: "cn=a#'010'B"},
	{attr: "uniqueMember", a: `cn=A\23'01'B`, b: "cn=a#'01'B", alone: true},
	{attr: "uniqueMember", a: `cn=A\23'01'B`, b: `CN=a\23'01'B`, match: true},
	{attr: "uniqueMember", a: `labeledURI=a\23'01'B`, b: "labeledURI=a#'01'B", alone: true},
	{attr: "uniqueMember", a: `cn=\#'01'B`, b: "cn=#'01'B", alone: true},
	{attr: "uniqueMember", a: `cn=a\\#'01'B`, b: `CN=A\5c#'01'B`, match: true},
	{attr: "uniqueMember", a: "what#'01'B", b: "What#'01'B", alone: true},
	{attr: "objectClass", a: "inetOrgPerson", b: "INETORGPERSON", match: true, alone: true},
	{attr: "objectClass", a: "2.5.6.6", b: "person", match: true, alone: true},
	{attr: "objectClass", a: "RFC822localPart", b: "0.9.2342.19200300.100.4.14", match: true, alone: true},
	{attr: "objectClass", a: "unknownClass", b: " UNKNOWNclass", match: true, alone: true},
	{attr: "supportedApplicationContext", a: "2.5.4.3", b: "commonName", match: true, alone: true},
	{attr: "supportedApplicationContext", a: "1.2.3", b: "1.2.4"},
	{attr: "testUUID", a: "685BF84C-799B-1041-961A-315D1D7C8735", b: "685bf84c-799b-1041-961a-315d1d7c8735", match: true},
	{attr: "testUUID", a: "685BF84C799B1041961A315D1D7C8735", b: "685bf84c799b1041961a315d1d7c8735", alone: true},
	{attr: "testCSN", a: "20240101000000.000000Z#00000A#00B#00000c", b: "20240101000000.000000Z#00000a#00b#00000C", match: true, alone: true},
	{attr: "testCSN", a: "20240101000000.000000Z#00000a#001#000000", b: "20240101000000.000000Z#00000a#002#000000"},
	{attr: "testTime", a: "20240101000000Z", b: "202401010000Z", match: true},
	{attr: "testTime", a: "20240101000000Z", b: "2024010100Z", match: true},
	{attr: "testTime", a: "20240101010000+0100", b: "20240101000000Z", match: true},
	{attr: "testTime", a: "2023123119-05", b: "20240101000000Z", match: true},
	{attr: "testTime", a: "20240101000000.100Z", b: "20240101000000,1Z", match: true},
	{attr: "testTime", a: "20240101000000.0Z", b: "20240101000000Z", match: true},
	{attr: "testTime", a: "20240101000000.1Z", b: "20240101000000Z"},
	{attr: "testTime", a: "2024010100.5Z", b: "20240101003000Z"},
	{attr: "testTime", a: "202401010000.5Z", b: "20240101000030Z"},
	{attr: "testTime", a: "20231231235960Z", b: "20240101000000Z"},
	{attr: "testTime", a: "20231231235960Z", b: "20240101005960+0100", match: true},
	{attr: "testTime", a: "20240230000000Z", b: "20240301000000Z", alone: true},
	{attr: "testTime", a: "00000101000000+0100", b: "00000101000000Z", alone: true},
	{attr: "testTime", a: "20240101000000", b: "20240101000000Z", alone: true},
	{attr: "testTime", a: "20240101000000.Z", b: "20240101000000Z", alone: true},
	{attr: "unknown", a: "a", b: "A", alone: true},
	{attr: "description;lang-de", a: "a", b: "A", match: true},
}

func TestNormalise(t *testing.T) {
	s := withTestTypes(t)
	for _, p := range pairs {
		a, b := s.Normalise(p.attr, p.a), s.Normalise(p.attr, p.b)
		if (a == b) != p.match {
			t.Errorf("%s: %q -> %q, %q -> %q", p.attr, p.a, a, p.b, b)
		}
	}
}

func TestNormalForms(t *testing.T) {
	s := withTestTypes(t)
	for _, tt := range []struct{ attr, in, want string }{
		{"cn", " Ann\u00a0 LEE", "ann lee"},
		{"cn", "  ", " "},
		{"cn", "", ""},
		{"seeAlso", "CN=B+2.5.4.3=a,unknownType=X", "cn=a+cn=b,unknowntype=X"},
		{"uniqueMember", `labeledURI=A\23'01'B`, `labeleduri=A\23'01'B`},
		{"objectClass", "2.16.840.1.113730.3.2.2", "inetorgperson"},
		{"supportedApplicationContext", "2.5.4.3", "cn"},
		{"testTime", "202312312330-0100", "20240101003000Z"},
		{"testTime", "20240101003000,1200+0030", "20240101000000.12Z"},
		{"testInteger", "-0012", "-12"},
		{"jpegPhoto", "\xff\xd8 A", "\xff\xd8 A"},
	} {
		if got := s.Normalise(tt.attr, tt.in); got != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.attr, tt.in, got, tt.want)
		}
	}
}

// A rule is found by its OID too.
func TestRuleByOID(t *testing.T) {
	s := mustParse(t, []string{"( 1.1 NAME 'a' EQUALITY 2.5.13.2 )", "( 1.2 NAME 'b' EQUALITY 2.5.13.99 )"}, nil)
	if got := s.Normalise("a", "X"); got != "x" {
		t.Error(got)
	}
	if got := s.Normalise("b", "X"); got != "X" || !s.HasEquality("b") {
		t.Error(got)
	}
}

func TestEveryLetterIsStable(t *testing.T) {
	s := schema.Standard()
	const lastWithMappings = 0x2ffff
	for r := rune(0); r <= lastWithMappings; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		for _, v := range [...]string{string(r), "A" + string(r) + "\u0301"} {
			once := s.Normalise("cn", v)
			if twice := s.Normalise("cn", once); once != twice {
				t.Fatalf("%U: %q, then %q", r, once, twice)
			}
			if lower := s.Normalise("cn", strings.ToLower(v)); lower != once {
				t.Fatalf("%U: %q, but %q in lower case", r, once, lower)
			}
		}
	}
}

func TestManyCombiningMarks(t *testing.T) {
	s := schema.Standard()
	once := s.Normalise("cn", "A"+strings.Repeat("\u0301\u0323", 100))
	if twice := s.Normalise("cn", once); once != twice {
		t.Errorf("%q, then %q", once, twice)
	}
}

// Names inside names inside names cost no more than their length allows.
func TestDeepNames(t *testing.T) {
	s := schema.Standard()
	v := "seeAlso=" + strings.Repeat("seeAlso=", 7000) + "A"
	if got := s.Normalise("seeAlso", v); !strings.HasSuffix(got, "A") {
		t.Error("went down to the bottom")
	}
}

func FuzzNormalise(f *testing.F) {
	s := withTestTypes(f)
	attrs := []string{"cn", "labeledURI", "mail", "testExactIA5", "postalAddress", "x121Address", "telephoneNumber", "testInteger",
		"testBoolean", "seeAlso", "uniqueMember", "objectClass", "testUUID", "testCSN", "testTime", "jpegPhoto", "unknown"}
	for _, p := range pairs {
		f.Add(p.a)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, attr := range attrs {
			once := s.Normalise(attr, v)
			if twice := s.Normalise(attr, once); once != twice {
				t.Fatalf("%s: %q becomes %q becomes %q", attr, v, once, twice)
			}
			if !utf8.ValidString(v) && utf8.ValidString(once) && attr != "seeAlso" && attr != "uniqueMember" {
				t.Fatalf("%s: %q becomes UTF-8: %q", attr, v, once)
			}
		}
	})
}

func TestNormaliseAllocates(t *testing.T) {
	s := schema.Standard()
	for _, tt := range []struct {
		attr, value string
		want        float64
	}{
		{"mail", "ann.lee@example.com", 0},
		{"cn", "ann lee", 0},
		{"cn", "Ann Lee", 1},
		{"objectClass", "inetOrgPerson", 0},
		{"userPassword", "{SSHA}xyz", 0},
		{"uidNumber", "1001", 0},
		{"telephoneNumber", "+49891234", 0},
		{"createTimestamp", "20240101000000Z", 0},
	} {
		if got := testing.AllocsPerRun(100, func() { s.Normalise(tt.attr, tt.value) }); got > tt.want {
			t.Errorf("%s %q: %v allocations", tt.attr, tt.value, got)
		}
	}
}

func BenchmarkNormalise(b *testing.B) {
	s := schema.Standard()
	for name, v := range map[string][2]string{
		"prepared": {"mail", "ann.lee@example.com"},
		"ASCII":    {"cn", "Ann Lee"},
		"Latin":    {"cn", "Jürgen Müller"},
		"Cyrillic": {"cn", "Анна Ли"},
		"DN":       {"member", "uid=user12345,ou=People,dc=example,dc=com"},
		"class":    {"objectClass", "inetOrgPerson"},
		"time":     {"createTimestamp", "20240101000000Z"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Normalise(v[0], v[1])
			}
		})
	}
}
