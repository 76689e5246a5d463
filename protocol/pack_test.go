package protocol_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/changelog"
	"ldapsync/protocol"
)

// unpack reads items as their receiver does.
func unpack(t testing.TB, items []protocol.Item) []changelog.Change {
	t.Helper()
	var out []changelog.Change
	var a protocol.Assembler
	for _, it := range items {
		b, ok, err := a.Add("peer", wire(t, it.Payload))
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			out = append(out, b.Changes...)
		}
	}
	return out
}

func checkItems(t testing.TB, items []protocol.Item, changes []changelog.Change, limit int) {
	t.Helper()
	if d := same(changes, unpack(t, items)); d != "" {
		t.Fatal(d)
	}
	ids := map[string]bool{}
	for _, it := range items {
		if size := len(it.Payload.Bytes()); size != it.Size || size > limit {
			t.Errorf("item %s has %d octets, says %d, limit %d", it.ID, size, it.Size, limit)
		}
		if ids[it.ID] {
			t.Errorf("item id %s twice", it.ID)
		}
		ids[it.ID] = true
	}
}

func TestPack(t *testing.T) {
	big := person(1, 4)
	big.Mods = append(big.Mods, changelog.Mod{Op: changelog.ModAdd, Attr: "jpegPhoto", Values: []string{noise(150_000)}})
	mixed := append(people(1, 1, 3), big)
	mixed = append(mixed, people(1, 5, 300)...)
	for name, tc := range map[string]struct {
		changes []changelog.Change
		limit   int
		ids     []string
		most    int
	}{
		"none":            {changes: nil, limit: protocol.MaxItem},
		"one":             {changes: people(1, 812, 1), limit: protocol.MaxItem, ids: []string{"3-812"}},
		"fifty":           {changes: people(1, 812, 50), limit: protocol.MaxItem, ids: []string{"3-861"}},
		"many":            {changes: people(1, 1, 2500), limit: protocol.MaxItem, most: 4},
		"small items":     {changes: people(1, 1, 400), limit: 8 << 10, most: 8},
		"too small limit": {changes: people(1, 1, 30), limit: 1},
		"limit above":     {changes: people(1, 1, 900), limit: 1 << 30},
		"photo between":   {changes: mixed, limit: protocol.MaxItem, ids: []string{"3-3", "3-4.1", "3-4.2", "3-4.3", "3-4.4", "3-304"}},
	} {
		t.Run(name, func(t *testing.T) {
			items, n, err := protocol.Pack(suffix, 1, 3, tc.changes, tc.limit)
			if err != nil || n != len(tc.changes) {
				t.Fatalf("%d of %d: %v", n, len(tc.changes), err)
			}
			checkItems(t, items, tc.changes, min(max(tc.limit, protocol.MinItem), protocol.MaxItem))
			var ids []string
			for _, it := range items {
				ids = append(ids, it.ID)
			}
			if d := same(tc.ids, ids); tc.ids != nil && d != "" {
				t.Error(d)
			}
			if tc.most > 0 && len(items) > tc.most {
				t.Errorf("%d items, want %d at most: %v", len(items), tc.most, ids)
			}
		})
	}
}

func TestPackAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := aBatch(12).Draw(rt, "batch")
		for i := range b.Changes {
			if b.Changes[i].Op.Alters() && rapid.IntRange(0, 5).Draw(rt, "large") == 0 {
				b.Changes[i].DN = noise(rapid.IntRange(0, 20_000).Draw(rt, "size"))
			}
		}
		items, n, err := protocol.Pack(b.Suffix, b.SID, b.Epoch, b.Changes, protocol.MinItem)
		if err != nil || n != len(b.Changes) {
			rt.Fatalf("%d of %d: %v", n, len(b.Changes), err)
		}
		checkItems(t, items, b.Changes, protocol.MinItem)
	})
}

// Last is what is complete once an item and all before it have arrived.
func TestPackLast(t *testing.T) {
	c := person(1, 9)
	c.DN = noise(100_000)
	items, _, err := protocol.Pack(suffix, 1, 3, []changelog.Change{c}, protocol.MaxItem)
	if err != nil {
		t.Fatal(err)
	}
	for i, it := range items {
		want := uint64(8)
		if i == len(items)-1 {
			want = 9
		}
		if it.First != 9 || it.Last != want || it.Part != i+1 || it.Digest == "" {
			t.Errorf("item %d: %d to %d, part %d", i, it.First, it.Last, it.Part)
		}
	}
}

// What compresses a thousandfold must still be readable by those who guard
// against that.
func TestPackCompressible(t *testing.T) {
	c := person(1, 1)
	c.Mods = append(c.Mods, changelog.Mod{Op: changelog.ModAdd, Attr: "audio", Values: []string{strings.Repeat("\x00", 3<<20)}})
	items, n, err := protocol.Pack(suffix, 1, 1, []changelog.Change{c}, protocol.MaxItem)
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	checkItems(t, items, []changelog.Change{c}, protocol.MaxItem)
}

func TestPackRefuses(t *testing.T) {
	huge, wide := person(1, 3), person(1, 3)
	huge.DN = strings.Repeat("x", protocol.DefaultLimits.Bytes)
	wide.Mods[0].Values = make([]string, protocol.DefaultLimits.Nodes)
	invalid, other, gap := person(1, 3), person(2, 3), person(1, 4)
	invalid.ID = changelog.ID{}
	for name, tc := range map[string]struct {
		third changelog.Change
		want  error
	}{
		"too many octets": {huge, protocol.ErrTooLarge},
		"too many values": {wide, protocol.ErrTooLarge},
		"invalid":         {invalid, changelog.ErrChange},
		"other server":    {other, changelog.ErrChange},
		"gap":             {gap, changelog.ErrChange},
	} {
		changes := append(people(1, 1, 2), tc.third)
		items, n, err := protocol.Pack(suffix, 1, 3, changes, protocol.MaxItem)
		if n != 2 || !errors.Is(err, tc.want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		checkItems(t, items, changes[:2], protocol.MaxItem)
	}
	if _, _, err := protocol.Pack("", 1, 1, people(1, 1, 1), protocol.MaxItem); err == nil {
		t.Error("no suffix: no error")
	}
}

func BenchmarkPack(b *testing.B) {
	for _, n := range []int{1, 50, 1000, 10_000} {
		changes := people(1, 1, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			size, items := 0, 0
			for b.Loop() {
				out, _, err := protocol.Pack(suffix, 1, 3, changes, protocol.MaxItem)
				if err != nil {
					b.Fatal(err)
				}
				size, items = 0, len(out)
				for _, it := range out {
					size += it.Size
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "changes/s")
			b.ReportMetric(float64(size)/float64(n), "octets/change")
			b.ReportMetric(float64(items), "items")
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	changes := people(1, 1, 4000)
	items, _, err := protocol.Pack(suffix, 1, 3, changes, protocol.MaxItem)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		unpack(b, items)
	}
	b.ReportMetric(float64(4000*b.N)/b.Elapsed().Seconds(), "changes/s")
}
