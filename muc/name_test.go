package muc_test

import (
	"regexp"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"ldapsync/muc"
	"ldapsync/xmpp"
)

var hashed = regexp.MustCompile(`^dn-[a-z2-7]{26}$`)

func TestLocalPart(t *testing.T) {
	for dn, want := range map[string]string{
		"dc=example,dc=org":         "dc=example,dc=org",
		"o=big corp,c=de":           `o=big\20corp,c=de`,
		`o=a\2cb`:                   `o=a\5c2cb`,
		`ou=r&d,o="x"`:              `ou=r\26d,o=\22x\22`,
		"cn=a+sn=b,o=x":             "cn=a+sn=b,o=x",
		"o=société générale,c=fr":   `o=société\20générale,c=fr`,
		"o=日本":                      "o=日本",
		"o=компания":                "o=компания",
		"":                          "#",
		"dc=Example,dc=org":         "#", // the server would fold it
		"o=straße":                  "#", // Nodeprep makes it strasse
		"o=ﬁ":                       "#", // compatibility character
		"o=e\u0301":                 "#", // not composed
		"o=©":                       "#",
		"o=שלום":                    "#", // mixed directions
		"o=\x00":                    "#",
		"o=\xff":                    "#",
		"o=a\u200db":                "#",
		strings.Repeat("dc=a,", 40): "#",
		strings.Repeat("x", 240):    strings.Repeat("x", 240),
		strings.Repeat("x", 241):    "#",
	} {
		got := muc.LocalPart(dn)
		if want == "#" {
			if !hashed.MatchString(got) {
				t.Errorf("LocalPart(%q) = %q, want a hash", dn, got)
			}
		} else if got != want {
			t.Errorf("LocalPart(%q) = %q, want %q", dn, got, want)
		}
	}
	if got, want := muc.LocalPart("o=straße"), "dn-bv6zwvnocm5ppob4dskcdw4bfb"; got != want {
		t.Errorf("LocalPart = %q, want %q, now and for ever", got, want)
	}
	if muc.LocalPart("o=straße") == muc.LocalPart("o=strasse") {
		t.Error("different names, same room")
	}
}

func FuzzLocalPart(f *testing.F) {
	for _, seed := range []string{"dc=example,dc=org", `o=\22quoted\22`, "o=ſ", "o=\u0345", "o=ǅ", "o=가", "o=一"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, dn string) {
		local := muc.LocalPart(dn)
		j, err := jid.New(local, "rooms.example.org", "")
		if err != nil {
			t.Fatalf("LocalPart(%q) = %q: %v", dn, local, err)
		}
		if j.Localpart() != local {
			t.Errorf("LocalPart(%q) = %q, which servers call %q", dn, local, j.Localpart())
		}
		if !hashed.MatchString(local) && xmpp.UnescapeLocal(local) != dn {
			t.Errorf("LocalPart(%q) = %q, which does not mean it", dn, local)
		}
	})
}
