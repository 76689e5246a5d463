package dit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestMakeWayForMoves promises that an entry which is added again by a server that had
// forgotten its deletion stands where that server has it also at one that remembers
// its moves, and that a move below it, which was skipped, is not made for that.
func TestMakeWayForMoves(t *testing.T) {
	rules := testRules(t)
	suffix, moved, other := dit.ID{1}, dit.ID{7}, dit.ID{8}
	add := func(id, below dit.ID, at int64, sid changelog.SID, seq uint64, seen changelog.Seqs, rdn, class string) *changelog.Change {
		return &changelog.Change{Op: changelog.OpAdd, ID: id, Superior: below, RDN: rdn, DN: rdn, CSN: changelog.CSN{Time: at, SID: sid}, Seq: seq, Seen: seen,
			Mods: []changelog.Mod{{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{class}}, {Op: changelog.ModAdd, Attr: rdn[:2], Values: []string{rdn[3:]}}}}
	}
	move := func(id, below dit.ID, at int64, sid changelog.SID, seq uint64) *changelog.Change {
		return &changelog.Change{Op: changelog.OpModDN, ID: id, Superior: below, Moved: true, DN: "x", CSN: changelog.CSN{Time: at, SID: sid}, Seq: seq, Seen: changelog.Seqs{1: 3}}
	}
	root := add(suffix, dit.ID{}, 1, 1, 1, nil, "dc=x", "domain")
	b := add(other, suffix, 3, 1, 3, nil, "ou=b", "organizationalUnit")
	deleted := &changelog.Change{Op: changelog.OpDelete, ID: moved, DN: "x", CSN: changelog.CSN{Time: 6, SID: 1}, Seq: 5, Seen: changelog.Seqs{2: 1}}
	again := add(moved, suffix, 9, 3, 1, changelog.Seqs{1: 5, 2: 1}, "ou=a", "organizationalUnit")
	state := func(changes ...*changelog.Change) (digest string, out []*dit.Shown) {
		s := dit.Open(dit.NewMemory(), rules)
		for _, c := range changes {
			if err := s.MakeWay(c); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Merge(c); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []dit.ID{suffix, moved, other} {
			shown, err := s.View(id)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, shown)
		}
		if err := s.Rebuild(); err != nil {
			t.Fatal(err)
		}
		d, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return string(d[:]), out
	}
	wantDigest, want := state(root, b, again)
	first, into, below := add(moved, suffix, 2, 1, 2, nil, "ou=a", "organizationalUnit"), move(moved, other, 4, 2, 1), move(other, moved, 5, 1, 4)
	digest, got := state(root, first, b, into, below, deleted, again)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("who remembers shows (-want +got):\n%s", d)
	}
	if digest != wantDigest {
		t.Error("the digests differ")
	}
	unheard := move(other, suffix, 3, 4, 1)
	if _, got := state(root, first, b, unheard, into, below, deleted, again); got[1].Parent != suffix {
		t.Errorf("it is moved again, where not all could be forgotten: %+v", got[1])
	}
}
