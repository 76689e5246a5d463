package changelog_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/changelog"
)

func anyCSN(t *rapid.T) changelog.CSN {
	return changelog.CSN{
		Time:  rapid.Int64Range(-1e15, 2e17).Draw(t, "time"),
		Count: rapid.Uint32Range(0, 1<<24-1).Draw(t, "count"),
		SID:   changelog.SID(rapid.Uint16Range(0, 0xfff).Draw(t, "sid")),
	}
}

func TestParseCSN(t *testing.T) {
	const text = "20261120101500.000001Z#00000a#0ff#000000"
	c, err := changelog.ParseCSN(text)
	if err != nil {
		t.Fatal(err)
	}
	if c.Count != 10 || c.SID != 255 || c.When().Nanosecond() != 1000 || c.String() != text {
		t.Errorf("got %+v, printed %s", c, c)
	}
	for _, bad := range []string{
		"", "x", text[1:], text + "0",
		"20261320101500.000001Z#00000a#0ff#000000",
		"20261120101560.000001Z#00000a#0ff#000000",
		"20261120101500.000001Z#00000A#0FF#000000",
		"20261120101500.000001Z#00000g#0ff#000000",
		"20261120101500.000001Z#00000a#0ff#000001",
		"20261120101500.000001Z#+0000a#0ff#000000",
		"20261120101500,000001Z#00000a#0ff#000000",
	} {
		if c, err := changelog.ParseCSN(bad); !errors.Is(err, changelog.ErrCSN) {
			t.Errorf("ParseCSN(%q) = %v, %v", bad, c, err)
		}
	}
}

func FuzzParseCSN(f *testing.F) {
	f.Add("20261120101500.000001Z#00000a#0ff#000000")
	f.Add("00000101000000.000000Z#000000#000#000000")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := changelog.ParseCSN(s)
		if err != nil {
			return
		}
		if c.String() != s {
			t.Errorf("%q reads as %q", s, c)
		}
		back, err := changelog.CSNFromKey(c.AppendKey(nil))
		if err != nil || back != c {
			t.Errorf("binary form of %s reads as %v, %v", c, back, err)
		}
	})
}

func TestCSNOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyCSN(t), anyCSN(t)
		if got, want := bytes.Compare(a.AppendKey(nil), b.AppendKey(nil)), a.Compare(b); got != want {
			t.Errorf("keys of %s and %s compare %d, want %d", a, b, got, want)
		}
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Errorf("order of %s and %s is not total", a, b)
		}
	})
}

func TestParseID(t *testing.T) {
	const text = "6d61df00-8c4b-4b2e-9a3f-0123456789ab"
	id, err := changelog.ParseID("6D61DF00-8c4b-4b2e-9a3f-0123456789ab")
	if err != nil || id.String() != text {
		t.Errorf("got %s, %v", id, err)
	}
	for _, bad := range []string{"", text[1:], text + "0", "6d61df00x8c4b-4b2e-9a3f-0123456789ab", "zd61df00-8c4b-4b2e-9a3f-0123456789ab"} {
		if _, err := changelog.ParseID(bad); !errors.Is(err, changelog.ErrID) {
			t.Errorf("ParseID(%q): %v", bad, err)
		}
	}
}
