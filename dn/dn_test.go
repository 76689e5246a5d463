package dn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/dn"
)

// folding is a Normaliser that knows one alias and ignores the case of ASCII.
type folding struct{}

func (folding) Canonical(attr string) string {
	if attr = strings.ToLower(attr); attr == "2.5.4.3" || attr == "commonname" {
		return "cn"
	}
	return attr
}

func (folding) Normalise(_, value string) string {
	b := []byte(value)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func one(attr, value string) dn.RDN { return dn.RDN{{Attr: attr, Value: value}} }

func TestParse(t *testing.T) {
	tests := map[string]struct {
		in   string
		want dn.DN
	}{
		"root":                    {"", nil},
		"only spaces":             {"  ", nil},
		"plain":                   {"uid=u1,dc=example", dn.DN{one("uid", "u1"), one("dc", "example")}},
		"several values":          {"cn=a+uid=b,dc=x", dn.DN{{{"cn", "a"}, {"uid", "b"}}, one("dc", "x")}},
		"spaces at separators":    {" cn = a + uid = b  ,  dc = x ", dn.DN{{{"cn", "a"}, {"uid", "b"}}, one("dc", "x")}},
		"inner spaces":            {"cn=a  b", dn.DN{one("cn", "a  b")}},
		"escaped spaces":          {`cn=\20 a\ ,dc=x`, dn.DN{one("cn", "  a "), one("dc", "x")}},
		"space after escaped":     {`cn=a\20  `, dn.DN{one("cn", "a ")}},
		"empty value":             {"cn=,dc=x", dn.DN{one("cn", ""), one("dc", "x")}},
		"escaped specials":        {`cn=\,\+\"\\\<\>\;\=\#`, dn.DN{one("cn", `,+"\<>;=#`)}},
		"hexadecimal escapes":     {`cn=Lu\C4\8Di\c4\87`, dn.DN{one("cn", "Lučić")}},
		"unescaped equals sign":   {"cn=a=b", dn.DN{one("cn", "a=b")}},
		"hash inside":             {"cn=a#b", dn.DN{one("cn", "a#b")}},
		"numeric type":            {"2.5.4.3=a", dn.DN{one("2.5.4.3", "a")}},
		"octet string":            {"1.3.6.1.4.1.1466.0=#04024869", dn.DN{one("1.3.6.1.4.1.1466.0", "Hi")}},
		"UTF8String":              {"cn=#0C02C3A9 , dc=x", dn.DN{one("cn", "é"), one("dc", "x")}},
		"PrintableString, plus":   {"cn=#130161+uid=b", dn.DN{{{"cn", "a"}, {"uid", "b"}}}},
		"long form of length":     {"cn=#04810161", dn.DN{one("cn", "a")}},
		"octets that are no text": {`cn=\ff\00`, dn.DN{one("cn", "\xff\x00")}},
		"raw invalid UTF-8":       {"cn=\xff", dn.DN{one("cn", "\xff")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := dn.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no value":              "cn",
		"no type":               "=a",
		"no type after comma":   "cn=a,",
		"no type after plus":    "cn=a+",
		"leading comma":         ",cn=a",
		"type of two words":     "c n=a",
		"type with option":      "cn;lang-de=a",
		"broken OID":            "2.5.=a",
		"OID with a letter":     "2.5.a=a",
		"type starting with -":  "-a=b",
		"quotation mark":        `cn="a"`,
		"semicolon":             "cn=a;dc=x",
		"angle":                 `cn=\61<`,
		"NUL":                   "cn=a\x00",
		"escape at the end":     `cn=a\`,
		"escape of a letter":    `cn=\x`,
		"half an escape":        `cn=\a`,
		"half an escape, comma": `cn=\a,dc=x`,
		"bare hash":             "cn=#",
		"odd digits":            "cn=#040",
		"no digits":             "cn=#zz",
		"truncated BER":         "cn=#040261",
		"BER with a tail":       "cn=#04016162",
		"indefinite length":     "cn=#0480",
		"length of lengths":     "cn=#0489",
		"BER of an integer":     "cn=#020101",
		"constructed":           "cn=#2403040161",
		"text after BER":        "cn=#040161 b",
		"too long":              "cn=" + strings.Repeat("a", dn.MaxLen),
		"too many names":        strings.Repeat("a=,", dn.MaxAVAs) + "a=",
		"too many values":       strings.Repeat("a=+", dn.MaxAVAs) + "a=",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dn.Parse(in)
			if !errors.Is(err, dn.ErrSyntax) || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("an error of %d octets", len(err.Error()))
			}
		})
	}
}

func TestParseRDN(t *testing.T) {
	got, err := dn.ParseRDN(`uid=u1 + cn=a\,b `)
	if diff := cmp.Diff(dn.RDN{{"uid", "u1"}, {"cn", "a,b"}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, in := range []string{"", " ", "cn=a,dc=x", "cn", "cn=" + strings.Repeat("a", dn.MaxLen)} {
		if got, err := dn.ParseRDN(in); !errors.Is(err, dn.ErrSyntax) {
			t.Errorf("%.20q: %v, %v", in, got, err)
		}
	}
}

func TestString(t *testing.T) {
	for value, want := range map[string]string{
		"":              "cn=",
		" ":             `cn=\20`,
		"  a  b ":       `cn=\20 a  b\20`,
		"#a#":           `cn=\#a#`,
		"a=b":           "cn=a=b",
		`,+"\<>;`:       `cn=\,\+\"\\\<\>\;`,
		"Lučić 日本":      "cn=Lučić 日本",
		"\xffé\xc3":     `cn=\FFé\C3`,
		"a\x00\n\x7f":   `cn=a\00\0A\7F`,
		"\u0085\uFFFD":  "cn=\\C2\\85\uFFFD",
		"\xed\xa0\x80x": `cn=\ED\A0\80x`,
	} {
		if got := one("cn", value).String(); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
	d := dn.DN{{{"cn", "a"}, {"UID", "b"}}, one("dc", "x")}
	if got := d.String(); got != "cn=a+UID=b,dc=x" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", `cn=a\,b+uid=\20x\ff , dc=#0403616263`, "2.5.4.3= a ,", `a=\`, "cn=#0480", "a=é\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := dn.Parse(s)
		if err != nil {
			if !errors.Is(err, dn.ErrSyntax) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := dn.Parse(d.String())
		if diff := cmp.Diff(d, again); len(d.String()) <= dn.MaxLen && (err != nil || diff != "") {
			t.Fatalf("%q prints as %q: %v %s", s, d, err, diff)
		}
		key := d.Key(folding{})
		normal, err := dn.Parse(key)
		if len(key) <= dn.MaxLen && (err != nil || normal.Key(folding{}) != key || !normal.Equal(d, folding{})) {
			t.Fatalf("%q has the key %q: %v", s, key, err)
		}
	})
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{"", " a ", "#", "\\", "\xff\x00,+", "é\u0085"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := one("cn", value)
		if len(r.String()) > dn.MaxLen {
			return
		}
		got, err := dn.ParseRDN(r.String())
		if diff := cmp.Diff(r, got); err != nil || diff != "" {
			t.Fatalf("%q prints as %q: %v %s", value, r, err, diff)
		}
	})
}
