package daemon

import (
	"math/rand/v2"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/protocol"
)

// TestFill promises that a page holds none but the oldest of the changes, those of each
// server without a gap, and says that there are more; and that pages come to an end.
func TestFill(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	value := func(octets int) string {
		b := make([]byte, octets)
		for i := range b {
			b[i] = byte('a' + rng.IntN(26))
		}
		return string(b)
	}
	var all []changelog.Change
	seqs := changelog.Seqs{}
	for i := range 400 {
		sid := changelog.SID(1 + rng.IntN(3))
		seqs[sid]++
		size := 500
		if i%50 == 7 {
			size = 70_000 // for itself more than a page
		}
		all = append(all, changelog.Change{
			Seq: seqs[sid], CSN: changelog.CSN{Time: time.Unix(1e9, 0).UnixMicro() + int64(i), SID: sid}, Op: changelog.OpModify, ID: changelog.ID{1}, DN: "dc=x",
			Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "description", Values: []string{value(size)}}},
		})
	}
	left := all
	for pages := 0; len(left) > 0; pages++ {
		if pages > len(all) {
			t.Fatal("no end")
		}
		page, err := fill(protocol.Pull{Suffix: "dc=x"}, 1, left)
		if err != nil {
			t.Fatal(err)
		}
		var parts protocol.Assembler
		n := 0
		got := map[changelog.CSN]bool{}
		for _, payload := range page.Payloads {
			b, complete, err := parts.Add("peer", payload)
			if err != nil {
				t.Fatal(err)
			}
			if complete {
				n += len(b.Changes)
				for _, c := range b.Changes {
					got[c.CSN] = true
				}
			}
		}
		if n == 0 { // a part of one that is cut, asked for by its parts
			n = 1
			got[left[0].CSN] = true
		}
		for i, c := range left[:n] {
			if !got[c.CSN] {
				t.Fatalf("page %d of %d changes lacks number %d", pages, n, i)
			}
		}
		if left = left[n:]; page.More != (len(left) > 0) && n > 1 {
			t.Errorf("more is %v with %d left", page.More, len(left))
		}
	}
}
