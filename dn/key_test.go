package dn_test

import (
	"testing"

	"ldapsync/dn"
)

func parse(t testing.TB, s string) dn.DN {
	t.Helper()
	d, err := dn.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestKey(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"CN=Ann , DC=X", "cn=ann,dc=x"},
		{"uid=b+commonName=A", "cn=a+uid=b"},
		{"cn=b+cn=a", "cn=a+cn=b"},
		{`cn=a\2Bb`, `cn=a\+b`},
		{"2.5.4.3=#040141", "cn=a"},
	} {
		if got := parse(t, tt.in).Key(folding{}); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

// Names that differ must keep different keys, whatever octets they hold.
func TestKeysDoNotCollide(t *testing.T) {
	names := []string{
		`cn=\ff`, `cn=\fe`, "cn=\uFFFD", `cn=\5cFF`, `cn=\ef\bf`, `cn=\c3`, "cn=é", "cn=e\u0301",
		"cn=straße", "cn=strasse", "cn=a b", "cn=a  b", `cn=a\20`, "cn=a",
		`cn=a\,dc=b`, "cn=a,dc=b", `cn=a\+dc=b`, "cn=a+dc=b", `cn=a\5c\,dc=b`, `cn=a\00`, "cn=", "",
	}
	seen := map[string]string{}
	for _, s := range names {
		key := parse(t, s).Key(folding{})
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q share the key %q", s, other, key)
		}
		seen[key] = s
	}
}

// A numeric OID, an alias and a name in other case are one type.
func TestSpellingsShareAKey(t *testing.T) {
	want := parse(t, "cn=ann+uid=1,dc=x")
	for _, s := range []string{"2.5.4.3=Ann+uid=1,dc=x", "UID=1+COMMONNAME=ANN,DC=X", `cn=\41nn + uid=\31 , dc=#040178`} {
		d := parse(t, s)
		if !d.Equal(want, folding{}) || d.Key(folding{}) != want.Key(folding{}) {
			t.Errorf("%s is not %s", s, want)
		}
	}
}

func TestParent(t *testing.T) {
	d := parse(t, "cn=a,ou=b,dc=c")
	for _, want := range []string{"ou=b,dc=c", "dc=c", "", ""} {
		if d = d.Parent(); d.String() != want {
			t.Errorf("got %s, want %s", d, want)
		}
	}
	if d != nil {
		t.Error("the root is not nil")
	}
}

func TestIsBelow(t *testing.T) {
	for _, tt := range []struct {
		name, base string
		want       bool
	}{
		{"cn=a,DC=X", "dc=x", true},
		{"cn=b,cn=a,dc=x", "dc=x", true},
		{"dc=x", "dc=x", false},
		{"dc=x", "", true},
		{"", "", false},
		{"dc=x", "cn=a,dc=x", false},
		{"cn=a,dc=xx", "dc=x", false},
		{`cn=a\,dc=x`, "dc=x", false},
		{"cn=a,uid=1+cn=b,dc=x", "cn=B+uid=1,dc=x", true},
		{"cn=a,uid=1,dc=x", "cn=B+uid=1,dc=x", false},
	} {
		if got := parse(t, tt.name).IsBelow(parse(t, tt.base), folding{}); got != tt.want {
			t.Errorf("%q below %q: %v", tt.name, tt.base, got)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	d := parse(b, "uid=user12345,ou=People,dc=example,dc=com")
	b.ReportAllocs()
	for b.Loop() {
		d.Key(folding{})
	}
}
