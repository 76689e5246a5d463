package ber_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"ldapsync/directory/ber"
)

func TestRoundTrip(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 255, 256, 1 << 31, math.MaxInt64, math.MinInt64} {
		if got := ber.NewCursor(string(ber.Int(ber.Integer, n))).Int(ber.Integer); got != n {
			t.Errorf("integer %d comes back as %d", n, got)
		}
	}
	for _, size := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 24} {
		want := strings.Repeat("x", size)
		b := ber.Element(ber.Sequence, ber.Bool(true), ber.String(ber.OctetString, want), ber.Bool(false))
		m, err := ber.ReadMessage(bufio.NewReader(bytes.NewReader(b)), nil, len(b))
		if err != nil {
			t.Fatal(err)
		}
		c := ber.NewCursor(string(m))
		if !c.Bool(false) || c.Bytes(ber.OctetString) != want || c.Bool(true) || c.More() || c.Err() != nil {
			t.Errorf("string of %d octets does not come back: %v", size, c.Err())
		}
	}
}

func TestReadMessageErrors(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"nothing":         {"", io.EOF},
		"no length":       {"\x30", io.ErrUnexpectedEOF},
		"cut":             {"\x30\x03ab", io.ErrUnexpectedEOF},
		"other tag":       {"\x04\x01a", ber.ErrMalformed},
		"indefinite":      {"\x30\x80\x00\x00", ber.ErrMalformed},
		"five octets":     {"\x30\x85\x00\x00\x00\x00\x01a", ber.ErrMalformed},
		"above the limit": {"\x30\x84\x7f\xff\xff\xffa", ber.ErrTooLong},
	} {
		if _, err := ber.ReadMessage(bufio.NewReader(strings.NewReader(c.in)), nil, 100); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestCursorErrorsStay(t *testing.T) {
	for _, in := range []string{"", "\x04", "\x04\x05abc", "\x04\x80", "\x04\x85\x00\x00\x00\x00\x00", "\x1f\x01a", "\x02\x00", "\x02\x09123456789"} {
		c := ber.NewCursor(in)
		c.Int(ber.Integer)
		if !errors.Is(c.Err(), ber.ErrMalformed) {
			t.Errorf("%q: %v", in, c.Err())
		}
		if c.More() || c.Bytes(ber.OctetString) != "" || c.Enter(ber.Sequence).Err() == nil {
			t.Errorf("%q: reads on after the error", in)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte(ber.Element(ber.Sequence, ber.Int(ber.Integer, 5), ber.Element(ber.Set, ber.String(ber.OctetString, "v")))))
	f.Add([]byte("\x30\x84\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		walk(t, ber.NewCursor(string(b)), 0)
		if m, err := ber.ReadMessage(bufio.NewReader(bytes.NewReader(b)), nil, 1000); err == nil && len(m) > 1000 {
			t.Errorf("message of %d octets", len(m))
		}
	})
}

func walk(t *testing.T, c *ber.Cursor, depth int) {
	for c.More() && depth < 20 {
		tag, contents := c.Any()
		if tag&ber.Constructed != 0 {
			walk(t, ber.NewCursor(contents), depth+1)
		}
	}
}
