package dit_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// counting is a KV that counts what is asked of it.
type counting struct {
	*dit.Memory
	read, scanned, written, bytes int
}

func (c *counting) Get(key []byte) []byte {
	c.read++
	return c.Memory.Get(key)
}

func (c *counting) Put(key, value []byte) error {
	c.written++
	c.bytes += len(key) + len(value)
	return c.Memory.Put(key, value)
}

func (c *counting) Scan(prefix, from []byte, fn func(k, v []byte) bool) {
	c.Memory.Scan(prefix, from, func(k, v []byte) bool {
		c.scanned++
		return fn(k, v)
	})
}

// group returns a state with one group of so many members, and a function that
// makes the next change to it.
func group(t testing.TB, kv dit.KV, members int) (s *dit.State, next func(mods ...changelog.Mod) *changelog.Change) {
	s = dit.Open(kv, testRules(t))
	changes := people(0)
	var dns []string
	for i := range members {
		dns = append(dns, member(i))
	}
	seq := uint64(len(changes))
	id := testID("group")
	change := func(op changelog.Op, mods ...changelog.Mod) *changelog.Change {
		seq++
		return &changelog.Change{Op: op, Seq: seq, CSN: changelog.CSN{Time: epoch + int64(seq), SID: 1}, ID: id, Mods: mods}
	}
	add := change(changelog.OpAdd,
		changelog.Mod{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"groupOfNames"}},
		changelog.Mod{Op: changelog.ModAdd, Attr: "member", Values: dns})
	add.RDN, add.Superior = "cn=everybody", testID("base")
	for _, c := range append(changes, add) {
		if _, err := s.Merge(c); err != nil {
			t.Fatal(err)
		}
	}
	return s, func(mods ...changelog.Mod) *changelog.Change { return change(changelog.OpModify, mods...) }
}

func member(i int) string { return fmt.Sprintf("uid=user%06d,ou=people,dc=example,dc=org", i) }

// TestLargeGroup promises that one more member costs the same however many there
// are, and that everything is still there.
func TestLargeGroup(t *testing.T) {
	const members = 20_000
	kv := &counting{Memory: dit.NewMemory()}
	s, next := group(t, kv, members)
	*kv = counting{Memory: kv.Memory}
	for i, mod := range []changelog.Mod{
		{Op: changelog.ModAdd, Attr: "member", Values: []string{member(members)}},
		{Op: changelog.ModDelete, Attr: "member", Values: []string{member(5)}},
		{Op: changelog.ModReplace, Attr: "description", Values: []string{"d"}},
	} {
		touched, err := s.Merge(next(mod))
		if err != nil || len(touched) != 1 {
			t.Fatalf("%d: %v %v", i, touched, err)
		}
	}
	if kv.read+kv.scanned+kv.written > 60 || kv.bytes > 3000 {
		t.Errorf("three changes cost %d reads, %d keys scanned, %d writes of %d bytes", kv.read, kv.scanned, kv.written, kv.bytes)
	}
	shown, err := s.View(testID("group"))
	if err != nil || shown == nil {
		t.Fatal(shown, err)
	}
	i := slices.IndexFunc(shown.Attrs, func(a dit.Attribute) bool { return a.Name == "member" })
	var want []string
	for i := range members + 1 {
		if i != 5 {
			want = append(want, member(i))
		}
	}
	if d := cmp.Diff(want, shown.Attrs[i].Values); d != "" {
		t.Error(d)
	}
	newest, err := s.Newest(testID("group"))
	if last := next().CSN.Time - 1; err != nil || newest.Time != last {
		t.Errorf("newest %v (%v), want %v", newest, err, last)
	}
}

// TestLongValues keeps photographs out of the record.
func TestLongValues(t *testing.T) {
	kv := &counting{Memory: dit.NewMemory()}
	s, next := group(t, kv, 1)
	photo := string(make([]byte, 100_000))
	if _, err := s.Merge(next(changelog.Mod{Op: changelog.ModReplace, Attr: "jpegPhoto", Values: []string{photo}})); err != nil {
		t.Fatal(err)
	}
	*kv = counting{Memory: kv.Memory}
	if _, err := s.Merge(next(changelog.Mod{Op: changelog.ModAdd, Attr: "description", Values: []string{"d"}})); err != nil {
		t.Fatal(err)
	}
	if kv.bytes > 3000 {
		t.Errorf("a small change wrote %d bytes", kv.bytes)
	}
	if _, err := s.Merge(next(changelog.Mod{Op: changelog.ModReplace, Attr: "jpegPhoto", Values: []string{"small"}})); err != nil {
		t.Fatal(err)
	}
	shown, err := s.View(testID("group"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range shown.Attrs {
		if a.Name == "jpegPhoto" && !slices.Equal(a.Values, []string{"small"}) {
			t.Errorf("%d photos, the first of %d bytes", len(a.Values), len(a.Values[0]))
		}
	}
}

// BenchmarkMergeMember adds one member to a group of 50,000.
func BenchmarkMergeMember(b *testing.B) {
	s, next := group(b, dit.NewMemory(), 50_000)
	i := 50_000
	for b.Loop() {
		i++
		if _, err := s.Merge(next(changelog.Mod{Op: changelog.ModAdd, Attr: "member", Values: []string{member(i)}})); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkViewGroup shows a group of 50,000.
func BenchmarkViewGroup(b *testing.B) {
	s, _ := group(b, dit.NewMemory(), 50_000)
	for b.Loop() {
		if v, err := s.View(testID("group")); v == nil || err != nil {
			b.Fatal(err)
		}
	}
}
