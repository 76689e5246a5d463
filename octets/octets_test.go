package octets_test

import (
	"testing"

	"pgregory.net/rapid"

	"ldapsync/octets"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n")
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		list := rapid.SliceOf(rapid.String()).Draw(t, "list")
		b := octets.AppendStrings(octets.AppendString(octets.AppendUint([]byte{7}, n), s), list)
		r := octets.NewReader(b)
		if r.Byte() != 7 || r.Uint() != n || r.String() != s {
			t.Fatal("scalars differ")
		}
		got := r.Strings()
		if len(got) != len(list) || r.Done() != nil {
			t.Fatalf("got %q, want %q: %v", got, list, r.Done())
		}
		cut := octets.NewReader(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")])
		cut.Byte()
		cut.Uint()
		_ = cut.String()
		cut.Strings()
		if cut.Done() == nil {
			t.Fatal("a cut record was taken for whole")
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{3, 0xff, 0xff, 0xff, 0xff, 0x0f, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := octets.NewReader(b)
		r.Strings()
		_ = r.String()
		r.Take(3)
		r.Rest()
		_ = r.Done()
	})
}
