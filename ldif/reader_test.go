package ldif_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"ldapsync/ldif"
)

func str(s string) *string { return &s }

// TestRead holds what other readers of LDIF get wrong.
func TestRead(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want []*ldif.Record
	}{{
		"order of attributes, one spelling",
		"dn: cn=x\nsn: b\nCN: x\nsn: a\ncn: y\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Attrs: []ldif.Attribute{
			{"sn", []string{"b", "a"}}, {"CN", []string{"x", "y"}}}}},
	}, {
		"empty value",
		"dn: cn=x\ncn:\nsn: \n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Attrs: []ldif.Attribute{{"cn", []string{""}}, {"sn", []string{""}}}}},
	}, {
		"a change type is of its record alone",
		"dn: cn=x\nchangetype: delete\n\ndn: cn=y\ncn: y\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Change: ldif.Delete},
			{Line: 4, DN: "cn=y", Attrs: []ldif.Attribute{{"cn", []string{"y"}}}}},
	}, {
		"keywords in any case",
		"DN: cn=x\nChangeType: MODIFY\nREPLACE: CN\ncn: a\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Change: ldif.Modify, Mods: []ldif.Mod{
			{ldif.ModReplace, "CN", []string{"a"}}}}},
	}, {
		"no dash at the end, increment, nothing to replace with",
		"dn: cn=x\nchangetype: modify\nreplace: sn\n-\nincrement: uidNumber\nuidNumber: 1\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Change: ldif.Modify, Mods: []ldif.Mod{
			{ldif.ModReplace, "sn", nil}, {ldif.ModIncrement, "uidNumber", []string{"1"}}}}},
	}, {
		"moddn with and without a superior",
		"dn: cn=x\nchangetype: moddn\nnewrdn: cn=y\ndeleteoldrdn: 0\n\n" +
			"dn: cn=y\nchangetype: modrdn\nnewrdn: cn=y\ndeleteoldrdn: 1\nnewsuperior: dc=z\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Change: ldif.ModDN, NewRDN: "cn=y"},
			{Line: 6, DN: "cn=y", Change: ldif.ModDN, NewRDN: "cn=y", DeleteOldRDN: true, NewSuperior: str("dc=z")}},
	}, {
		"controls",
		"dn: cn=x\ncontrol: 1.2.3 true\ncontrol: 1.2.4:: AAE=\ncontrol: 1.2.5 false:\nchangetype: delete\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Change: ldif.Delete, Controls: []ldif.Control{
			{"1.2.3", true, nil}, {"1.2.4", false, str("\x00\x01")}, {"1.2.5", false, str("")}}}},
	}, {
		"a control makes an add of an entry",
		"dn: cn=x\ncontrol: 1.2.3\ncn: x\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Change: ldif.Add, Controls: []ldif.Control{{OID: "1.2.3"}},
			Attrs: []ldif.Attribute{{"cn", []string{"x"}}}}},
	}, {
		"changetype: add and nothing else",
		"dn: cn=x\nchangetype: add\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Change: ldif.Add}},
	}, {
		"a folded comment inside a folded value belongs to the comment",
		"dn: cn=x\ncn: a\n b\n# c\n d\nsn: e\n",
		[]*ldif.Record{{Line: 1, DN: "cn=x", Attrs: []ldif.Attribute{{"cn", []string{"ab"}}, {"sn", []string{"e"}}}}},
	}, {
		"lines are counted through folds, comments and empty lines",
		"# one\n two\n\n\ndn: cn=x\n# six\ncn: x\n y\n\r\n\ndn: cn=y\n",
		[]*ldif.Record{{Line: 5, DN: "cn=x", Attrs: []ldif.Attribute{{"cn", []string{"xy"}}}}, {Line: 11, DN: "cn=y"}},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, errs := readAll(ldif.NewReader(iotest.OneByteReader(strings.NewReader(test.in))))
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	long := "dn: cn=x\n# first\ncn: a\nsn: " + strings.Repeat("0123456789\n ", 20000) + "\ngn: x\n"
	many := "dn: cn=x\n" + strings.Repeat("cn: x\n", 10000)
	next := "\ndn: cn=next\ncn: next\n"
	tests := []struct {
		name, in string
		opt      ldif.Option
		want     error
		line     int
	}{
		{"folded line", long + next, ldif.WithMaxLine(150_000), ldif.ErrLineTooLong, 4},
		{"record of long lines", long + next, ldif.WithMaxRecord(150_000), ldif.ErrRecordTooLarge, 1},
		{"record of many lines", many + next, ldif.WithMaxRecord(150_000), ldif.ErrRecordTooLarge, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			recs, errs := readAll(ldif.NewReader(strings.NewReader(test.in), test.opt, ldif.WithName("big.ldif")))
			if len(errs) != 1 || !errors.Is(errs[0], test.want) {
				t.Fatalf("got %v, want %v", errs, test.want)
			}
			e := errs[0].(*ldif.Error)
			if e.Line != test.line || e.File != "big.ldif" {
				t.Errorf("error at %s:%d, want line %d", e.File, e.Line, test.line)
			}
			if len(recs) != 1 || recs[0].DN != "cn=next" {
				t.Errorf("records after it: %v", recs)
			}
			if _, errs := readAll(ldif.NewReader(strings.NewReader(test.in))); len(errs) > 0 {
				t.Errorf("without limits: %v", errs)
			}
		})
	}
}

// endless returns n bytes of a text that repeats.
func endless(text string, n int64) io.Reader {
	return io.LimitReader(&repeated{text: strings.Repeat(text, 4096)}, n)
}

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// TestMemoryIsBounded reads texts far beyond the limits, and all memory ever
// allocated stays near them.
func TestMemoryIsBounded(t *testing.T) {
	const size, limit = 8 << 20, 128 << 10
	for _, text := range []string{"x", "x: y\n", "a:\n", " x\n", "#", "# c\n", "-\n", "\r", "\x00", ":"} {
		t.Run(text, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			in := io.MultiReader(strings.NewReader("dn: cn=x\ncn: x\n"), endless(text, size))
			_, errs := readAll(ldif.NewReader(in, ldif.WithMaxLine(limit), ldif.WithMaxRecord(limit)))
			runtime.ReadMemStats(&after)
			if len(errs) == 0 && text[0] != '#' {
				t.Error("no error")
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 16*limit {
				t.Errorf("%d bytes allocated", got)
			}
		})
	}
}

func TestInputError(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, in := range []string{"", "dn: cn=x\n", "dn: cn=x\ncn: half a li", "# comm", "dn: cn=x\n\n", "\r"} {
		r := ldif.NewReader(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)))
		recs, errs := readAll(r)
		if len(errs) != 1 || !errors.Is(errs[0], broken) {
			t.Errorf("%q: got %v, want %v", in, errs, broken)
		}
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("%q: then %v", in, err)
		}
		if whole := strings.HasSuffix(in, "\n\n"); whole != (len(recs) == 1) {
			t.Errorf("%q: records %v", in, recs)
		}
	}
}

func TestAllStopsWhenAsked(t *testing.T) {
	r := ldif.NewReader(strings.NewReader("dn: cn=a\n\ndn: cn=b\n"))
	for range r.All() {
		break
	}
	rec, err := r.Next()
	if err != nil || rec.DN != "cn=b" {
		t.Errorf("got %v, %v", rec, err)
	}
}

func TestFileURLs(t *testing.T) {
	dir := t.TempDir()
	photo := filepath.Join(dir, "a photo.jpg")
	if err := os.WriteFile(photo, []byte("\x00\r\n\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	escaped := strings.ReplaceAll(photo, " ", "%20")
	tests := []struct {
		name, url string
		opts      []ldif.Option
		ok        bool
	}{
		{"not allowed", "file://" + escaped, nil, false},
		{"allowed", "file://" + escaped, []ldif.Option{ldif.WithFileURLs(4)}, true},
		{"without authority", "file:" + escaped, []ldif.Option{ldif.WithFileURLs(4)}, true},
		{"lenient allows nothing", "file://" + escaped, []ldif.Option{ldif.Lenient()}, false},
		{"too large", "file://" + escaped, []ldif.Option{ldif.WithFileURLs(3)}, false},
		{"not there", "file://" + escaped + "x", []ldif.Option{ldif.WithFileURLs(4)}, false},
		{"other host", "file://host" + escaped, []ldif.Option{ldif.WithFileURLs(4)}, false},
		{"relative", "file:photo.jpg", []ldif.Option{ldif.WithFileURLs(4)}, false},
		{"http", "http://localhost/photo.jpg", []ldif.Option{ldif.WithFileURLs(4)}, false},
		{"folder", "file://" + dir, []ldif.Option{ldif.WithFileURLs(1 << 20)}, false},
		{"device", "file:///dev/zero", []ldif.Option{ldif.WithFileURLs(1 << 20)}, false},
		{"nothing", "", []ldif.Option{ldif.WithFileURLs(4)}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := "dn: cn=x\njpegPhoto:< " + test.url + "\n"
			recs, errs := readAll(ldif.NewReader(strings.NewReader(in), test.opts...))
			if !test.ok {
				if len(errs) != 1 || !errors.Is(errs[0], ldif.ErrURL) {
					t.Errorf("got %v, want ErrURL", errs)
				}
				return
			}
			if len(errs) > 0 || recs[0].Attrs[0].Values[0] != "\x00\r\n\xff" {
				t.Errorf("got %v, %v", recs, errs)
			}
		})
	}
}
