package ldif_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/ldif"
)

func entry(dn string, attrs ...ldif.Attribute) *ldif.Record {
	return &ldif.Record{DN: dn, Attrs: attrs}
}

func TestWrite(t *testing.T) {
	tests := []struct {
		name string
		rec  *ldif.Record
		want string
	}{
		{"plain", entry("cn=x", ldif.Attribute{"cn", []string{"x", "y"}}), "dn: cn=x\ncn: x\ncn: y\n\n"},
		{"DN that is not safe", entry(" cn=x\n"), "dn:: IGNuPXgK\n\n"},
		{"empty", entry("", ldif.Attribute{"cn", []string{""}}), "dn:\ncn:\n\n"},
		{"unsafe beginnings",
			entry("cn=x", ldif.Attribute{"cn", []string{" x", ":x", "<x", "#x", "-"}}),
			"dn: cn=x\ncn:: IHg=\ncn:: Ong=\ncn:: PHg=\ncn: #x\ncn: -\n\n"},
		{"unsafe ends and middles",
			entry("cn=x", ldif.Attribute{"cn", []string{"x ", "a\x00", "a\r", "a\n", "a\tb", "\x7f", "ä", "a:b <c"}}),
			"dn: cn=x\ncn:: eCA=\ncn:: YQA=\ncn:: YQ0=\ncn:: YQo=\ncn:: YQli\ncn:: fw==\ncn:: w6Q=\ncn: a:b <c\n\n"},
		{"names that are not safe",
			&ldif.Record{DN: "ä", Change: ldif.ModDN, NewRDN: "cn=x\n", NewSuperior: str(" ")},
			"dn:: w6Q=\nchangetype: modrdn\nnewrdn:: Y249eAo=\ndeleteoldrdn: 0\nnewsuperior:: IA==\n\n"},
		{"controls",
			&ldif.Record{DN: "cn=x", Change: ldif.Delete, Controls: []ldif.Control{
				{"1.2", false, nil}, {"1.3", true, str("")}, {"1.4", true, str("v")}, {"1.5", false, str("\x30\x00")}}},
			"dn: cn=x\ncontrol: 1.2 false\ncontrol: 1.3 true:\ncontrol: 1.4 true: v\ncontrol: 1.5 false:: MAA=\nchangetype: delete\n\n"},
		{"modify",
			&ldif.Record{DN: "cn=x", Change: ldif.Modify, Mods: []ldif.Mod{
				{ldif.ModReplace, "cn", nil}, {ldif.ModIncrement, "n", []string{"1"}}}},
			"dn: cn=x\nchangetype: modify\nreplace: cn\n-\nincrement: n\nn: 1\n-\n\n"},
		{"fold at 76",
			entry("cn=x", ldif.Attribute{"cn", []string{strings.Repeat("a", 72), strings.Repeat("b", 73), strings.Repeat("c", 72+76)}}),
			"dn: cn=x\ncn: " + strings.Repeat("a", 72) + "\ncn: " + strings.Repeat("b", 72) + "\n b\n" +
				"cn: " + strings.Repeat("c", 72) + "\n " + strings.Repeat("c", 75) + "\n c\n\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := write(t, []*ldif.Record{test.rec})
			if diff := cmp.Diff(test.want, string(text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			got, errs := readAll(ldif.NewReader(bytes.NewReader(text)))
			if diff := cmp.Diff([]*ldif.Record{test.rec}, got, sameRecord); diff != "" || len(errs) > 0 {
				t.Errorf("read again: %v (-want +got):\n%s", errs, diff)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	value := []string{"x"}
	tests := map[string]*ldif.Record{
		"unknown change":               {Change: "modrdn"},
		"controls of content":          {Controls: []ldif.Control{{OID: "1.2"}}},
		"control without OID":          {Change: ldif.Delete, Controls: []ldif.Control{{OID: "x"}}},
		"no name":                      entry("", ldif.Attribute{"", value}),
		"colon in a name":              entry("", ldif.Attribute{"a:b", value}),
		"newline in a name":            entry("", ldif.Attribute{"a\nb", value}),
		"space in a name":              entry("", ldif.Attribute{" a", value}),
		"name of a comment":            entry("", ldif.Attribute{"#a", value}),
		"name of a dash":               entry("", ldif.Attribute{"-", value}),
		"name not in ASCII":            entry("", ldif.Attribute{"ä", value}),
		"keyword as a name":            entry("", ldif.Attribute{"changeType", value}),
		"no values":                    entry("", ldif.Attribute{"cn", nil}),
		"attributes of a delete":       {Change: ldif.Delete, Attrs: []ldif.Attribute{{"cn", value}}},
		"modifications of an add":      {Change: ldif.Add, Mods: []ldif.Mod{{ldif.ModAdd, "cn", value}}},
		"unknown modification":         {Change: ldif.Modify, Mods: []ldif.Mod{{"", "cn", value}}},
		"modification without a name":  {Change: ldif.Modify, Mods: []ldif.Mod{{ldif.ModAdd, "", value}}},
		"add without a value":          {Change: ldif.Modify, Mods: []ldif.Mod{{ldif.ModAdd, "cn", nil}}},
		"a new name of a delete":       {Change: ldif.Delete, NewRDN: "cn=x"},
		"a new superior of an entry":   {NewSuperior: str("")},
		"deleteoldrdn of modification": {Change: ldif.Modify, DeleteOldRDN: true},
	}
	for name, rec := range tests {
		var b bytes.Buffer
		if err := ldif.NewWriter(&b).Write(rec); err == nil || b.Len() > 0 {
			t.Errorf("%s: wrote %q, %v", name, b.String(), err)
		}
	}
}

func TestVersionAndComments(t *testing.T) {
	var b bytes.Buffer
	w := ldif.NewWriter(&b)
	if err := w.WriteVersion(); err != nil {
		t.Fatal(err)
	}
	if err := w.Comment("one\r\ntwo\x00three\n\ndn: cn=no\n" + strings.Repeat("long ", 20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(entry("cn=x")); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteVersion(); err == nil {
		t.Error("version after a record")
	}
	want := "version: 1\n\n# one\n# two three\n# \n# dn: cn=no\n# " + strings.Repeat("long ", 14) + "long\n" +
		"  " + strings.Repeat("long ", 5) + "\ndn: cn=x\n\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	recs, errs := readAll(ldif.NewReader(&b))
	if len(recs) != 1 || len(errs) > 0 {
		t.Errorf("read %v, %v", recs, errs)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestOutputError(t *testing.T) {
	full := errors.New("no space left")
	w := ldif.NewWriter(failing{full})
	for _, err := range []error{w.WriteVersion(), w.Comment("x"), w.Write(entry("cn=x"))} {
		if !errors.Is(err, full) {
			t.Errorf("got %v, want %v", err, full)
		}
	}
}
