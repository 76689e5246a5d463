package ldif_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ldapsync/ldif"
)

// FuzzRead reads any bytes: it must not panic, and what it accepts must come
// back the same after it is written.
func FuzzRead(f *testing.F) {
	for _, dir := range []string{"ok", "lenient", "bad"} {
		entries, err := os.ReadDir("testdata/" + dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if text, err := os.ReadFile("testdata/" + dir + "/" + e.Name()); err == nil {
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		recs, _ := readAll(ldif.NewReader(bytes.NewReader(in)))
		again, errs := readAll(ldif.NewReader(bytes.NewReader(write(t, recs))))
		if diff := cmp.Diff(recs, again, sameRecord); diff != "" || len(errs) > 0 {
			t.Errorf("written and read again: %v (-want +got):\n%s", errs, diff)
		}
		lenient, _ := readAll(ldif.NewReader(bytes.NewReader(in), ldif.Lenient()))
		if len(lenient) < len(recs) {
			t.Errorf("lenient reads %d records, strict %d", len(lenient), len(recs))
		}
	})
}

var (
	octets   = rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 200), func(b []byte) string { return string(b) })
	text     = rapid.OneOf(octets, rapid.String(), rapid.StringMatching(`[ -~]{0,160}`))
	attr     = rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9.-]{0,20}(;[a-z0-9-]{1,90})?`).Filter(func(s string) bool { return !strings.EqualFold(s, "dn") })
	controls = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ldif.Control {
		return ldif.Control{
			OID:      rapid.StringMatching(`[0-9]+(\.[0-9]+){0,5}`).Draw(t, "oid"),
			Critical: rapid.Bool().Draw(t, "critical"),
			Value:    rapid.Ptr(text, true).Draw(t, "value"),
		}
	}), 0, 3)
	attributes = rapid.Custom(func(t *rapid.T) []ldif.Attribute {
		names := rapid.SliceOfNDistinct(attr, 0, 5, strings.ToLower).Draw(t, "names")
		var attrs []ldif.Attribute
		for _, n := range names {
			attrs = append(attrs, ldif.Attribute{Name: n, Values: rapid.SliceOfN(text, 1, 4).Draw(t, "values")})
		}
		return attrs
	})
	mods = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ldif.Mod {
		op := rapid.SampledFrom([]ldif.ModOp{ldif.ModAdd, ldif.ModDelete, ldif.ModReplace, ldif.ModIncrement}).Draw(t, "op")
		least := 0
		if op == ldif.ModAdd || op == ldif.ModIncrement {
			least = 1
		}
		return ldif.Mod{Op: op, Attr: attr.Draw(t, "attr"), Values: rapid.SliceOfN(text, least, 4).Draw(t, "values")}
	}), 0, 4)
	records = rapid.Custom(func(t *rapid.T) *ldif.Record {
		rec := &ldif.Record{DN: text.Draw(t, "dn")}
		rec.Change = rapid.SampledFrom([]ldif.Op{ldif.Content, ldif.Add, ldif.Delete, ldif.Modify, ldif.ModDN}).Draw(t, "change")
		if rec.Change != ldif.Content {
			rec.Controls = controls.Draw(t, "controls")
		}
		switch rec.Change {
		case ldif.Content, ldif.Add:
			rec.Attrs = attributes.Draw(t, "attributes")
		case ldif.Modify:
			rec.Mods = mods.Draw(t, "mods")
		case ldif.ModDN:
			rec.NewRDN = text.Draw(t, "newrdn")
			rec.DeleteOldRDN = rapid.Bool().Draw(t, "deleteoldrdn")
			rec.NewSuperior = rapid.Ptr(text, true).Draw(t, "newsuperior")
		}
		return rec
	})
)

// roundTrip writes records and reads them again, between comments, with either
// line end.
func roundTrip(t *rapid.T) {
	want := rapid.SliceOfN(records, 0, 4).Draw(t, "records")
	var b bytes.Buffer
	w := ldif.NewWriter(&b)
	if rapid.Bool().Draw(t, "version") {
		if err := w.WriteVersion(); err != nil {
			t.Fatal(err)
		}
	}
	for _, rec := range want {
		if err := w.Comment(text.Draw(t, "comment")); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	out := b.String()
	for line := range strings.Lines(out) {
		if len(strings.TrimSuffix(line, "\n")) > 76 {
			t.Errorf("line of %d bytes", len(line))
		}
	}
	if rapid.Bool().Draw(t, "crlf") {
		out = strings.ReplaceAll(out, "\n", "\r\n")
	}
	got, errs := readAll(ldif.NewReader(strings.NewReader(out)))
	if diff := cmp.Diff(want, got, sameRecord); diff != "" || len(errs) > 0 {
		t.Errorf("%v (-want +got):\n%s", errs, diff)
	}
}

func TestRoundTrip(t *testing.T) { rapid.Check(t, roundTrip) }

func FuzzRoundTrip(f *testing.F) { f.Fuzz(rapid.MakeFuzz(roundTrip)) }
