package xmpp_test

import (
	"testing"

	"ldapsync/xmpp"
)

func TestEscapeLocal(t *testing.T) {
	for plain, escaped := range map[string]string{
		"dc=example,dc=org": "dc=example,dc=org",
		"":                  "",
		"o=big corp":        `o=big\20corp`,
		`o="a" & 'b'/c`:     `o=\22a\22\20\26\20\27b\27\2fc`,
		`a:b<c>d@e\f`:       `a\3ab\3cc\3ed\40e\5cf`,
		`o=a\2cb`:           `o=a\5c2cb`,
		"o=société":         "o=société",
	} {
		if got := xmpp.EscapeLocal(plain); got != escaped {
			t.Errorf("EscapeLocal(%q) = %q, want %q", plain, got, escaped)
		}
		if got := xmpp.UnescapeLocal(escaped); got != plain {
			t.Errorf("UnescapeLocal(%q) = %q, want %q", escaped, got, plain)
		}
	}
	for in, want := range map[string]string{`\`: `\`, `a\2`: `a\2`, `\2C`: `\2C`, `\2F\zz`: `/\zz`, `\20`: " ", `\5c20`: `\20`} {
		if got := xmpp.UnescapeLocal(in); got != want {
			t.Errorf("UnescapeLocal(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzEscapeLocal(f *testing.F) {
	f.Add(`o=\22quoted\22`)
	f.Add("a b")
	f.Fuzz(func(t *testing.T, s string) {
		if got := xmpp.UnescapeLocal(xmpp.EscapeLocal(s)); got != s {
			t.Errorf("%q became %q", s, got)
		}
		xmpp.UnescapeLocal(s)
	})
}
