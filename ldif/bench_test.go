package ldif_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"ldapsync/ldif"
)

// directoryOf returns n entries of about 1 KB, as slapcat prints them.
func directoryOf(n int) []*ldif.Record {
	recs := make([]*ldif.Record, n)
	for i := range recs {
		uid := fmt.Sprintf("user%06d", i)
		recs[i] = entry("uid="+uid+",ou=people,dc=example,dc=org",
			ldif.Attribute{"objectClass", []string{"inetOrgPerson", "posixAccount", "shadowAccount"}},
			ldif.Attribute{"uid", []string{uid}},
			ldif.Attribute{"cn", []string{"User Number " + uid}},
			ldif.Attribute{"sn", []string{"Größe"}},
			ldif.Attribute{"mail", []string{uid + "@example.org", uid + "@example.com"}},
			ldif.Attribute{"description", []string{strings.Repeat("some words that fill a line ", 8) + "."}},
			ldif.Attribute{"userPassword", []string{"{SSHA}0123456789abcdef0123456789abcdef0123"}},
			ldif.Attribute{"jpegPhoto", []string{strings.Repeat("\xff\xd8\x00", 60)}},
			ldif.Attribute{"entryUUID", []string{"5a0a1c40-6f3f-103f-8d2f-0123456789ab"}},
			ldif.Attribute{"entryCSN", []string{"20260101000000.000000Z#000000#001#000000"}})
	}
	return recs
}

func BenchmarkRead(b *testing.B) {
	var text bytes.Buffer
	w := ldif.NewWriter(&text)
	for _, rec := range directoryOf(1000) {
		if err := w.Write(rec); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range ldif.NewReader(bytes.NewReader(text.Bytes())).All() {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	recs := directoryOf(1000)
	var size countWriter
	b.ReportAllocs()
	for b.Loop() {
		size = 0
		w := ldif.NewWriter(io.MultiWriter(&size, io.Discard))
		for _, rec := range recs {
			if err := w.Write(rec); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(int64(size))
}

type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) {
	*c += countWriter(len(p))
	return len(p), nil
}
