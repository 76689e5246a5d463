package members_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/members"
)

// room is a set of logs as one server has stored them.
type room struct {
	table *members.Table
	v     changelog.Vector
}

func newRoom() *room { return &room{members.Open(dit.NewMemory()), changelog.Vector{}} }

func (r *room) take(t testing.TB, changes ...*changelog.Change) {
	t.Helper()
	for _, c := range changes {
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		if err := r.table.Note(c); err != nil {
			t.Fatal(err)
		}
		r.v[c.SID()] = changelog.Mark{Seq: c.Seq, CSN: c.CSN}
	}
}

func (r *room) stable(t testing.TB) members.Stable {
	t.Helper()
	s, err := r.table.Stable(r.v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func csn(sid changelog.SID, at int64) changelog.CSN { return changelog.CSN{Time: at, SID: sid} }

func beat(sid changelog.SID, seq uint64, at int64, seen changelog.Seqs) *changelog.Change {
	return &changelog.Change{Seq: seq, CSN: csn(sid, at), Op: changelog.OpHeartbeat, Seen: seen}
}

func forget(sid changelog.SID, seq uint64, at int64, peer changelog.SID) *changelog.Change {
	return &changelog.Change{Seq: seq, CSN: csn(sid, at), Op: changelog.OpForget, Peer: peer}
}

func write(sid changelog.SID, seq uint64, at int64) *changelog.Change {
	return &changelog.Change{Seq: seq, CSN: csn(sid, at), Op: changelog.OpDelete, ID: changelog.ID{1}}
}

func TestStable(t *testing.T) {
	hello := func(sid changelog.SID) *changelog.Change {
		c := beat(sid, 1, int64(sid), nil)
		c.JID, c.Install = "a@b", "x"
		return c
	}
	for name, tc := range map[string]struct {
		changes []*changelog.Change
		want    changelog.Seqs
		before  changelog.CSN
		holding changelog.SID
	}{
		"nobody": {want: changelog.Seqs{}},
		"one that never said anything of itself": {
			changes: []*changelog.Change{hello(1), write(2, 1, 10)},
			want:    changelog.Seqs{}, holding: 2,
		},
		"what all have": {
			changes: []*changelog.Change{hello(1), hello(2), write(1, 2, 10), write(2, 2, 20), beat(1, 3, 30, changelog.Seqs{2: 2}), beat(2, 3, 40, changelog.Seqs{1: 2})},
			want:    changelog.Seqs{1: 2, 2: 2}, before: csn(1, 30), holding: 1,
		},
		"a heartbeat that contains what is missing here does not count": {
			changes: []*changelog.Change{hello(1), hello(2), beat(2, 2, 20, changelog.Seqs{1: 1}), beat(2, 3, 40, changelog.Seqs{1: 9})},
			want:    changelog.Seqs{1: 1}, before: csn(1, 1), holding: 1,
		},
		"one that a heartbeat names is a member": {
			changes: []*changelog.Change{hello(1), hello(2), write(3, 1, 3), beat(1, 2, 30, changelog.Seqs{2: 1, 3: 1}), beat(2, 2, 40, changelog.Seqs{1: 1, 3: 1})},
			want:    changelog.Seqs{}, holding: 3,
		},
		"a removal that not all know of": {
			changes: []*changelog.Change{hello(1), hello(2), hello(3), forget(1, 2, 10, 3), beat(1, 3, 30, changelog.Seqs{2: 1, 3: 1}), beat(2, 2, 40, changelog.Seqs{1: 1, 3: 1})},
			want:    changelog.Seqs{3: 1}, before: csn(3, 3), holding: 3,
		},
		"a removal that all know of": {
			changes: []*changelog.Change{hello(1), hello(2), hello(3), forget(1, 2, 10, 3), beat(1, 3, 30, changelog.Seqs{2: 1, 3: 1}), beat(2, 2, 40, changelog.Seqs{1: 2, 3: 1})},
			want:    changelog.Seqs{1: 2, 2: 1, 3: 1}, before: csn(1, 30), holding: 1,
		},
		"one that was removed removes another": {
			changes: []*changelog.Change{hello(1), hello(2), hello(3), forget(1, 2, 10, 2), forget(2, 2, 11, 1), beat(3, 2, 40, changelog.Seqs{1: 2, 2: 2})},
			want:    changelog.Seqs{1: 2, 2: 2, 3: 2}, before: csn(3, 40), holding: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom()
			r.take(t, tc.changes...)
			got := r.stable(t)
			if d := cmp.Diff(members.Stable{Seqs: tc.want, CSN: tc.before, Holding: tc.holding}, got); d != "" {
				t.Error(d)
			}
			if err := r.table.Prune(r.v); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(got, r.stable(t)); d != "" {
				t.Error("after pruning", d)
			}
		})
	}
}

// TestOf promises that the servers of an account are found by what they said first.
func TestOf(t *testing.T) {
	r := newRoom()
	for sid, jid := range map[changelog.SID]string{1: "a@b", 2: "b@b", 3: "a@b/x", 4: "a@bc"} {
		c := beat(sid, 1, int64(sid), nil)
		c.JID, c.Install = jid, "x"
		r.take(t, c)
	}
	r.take(t, write(5, 1, 5))
	for jid, want := range map[string][]changelog.SID{"a@b": {1, 3}, "b@b": {2}, "a@": nil, "": {5}} {
		if got, err := r.table.Of(jid); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("servers of %q: %v, %v", jid, got, err)
		}
	}
}

// What a heartbeat leaves out, and how far who removed a server had heard of it, go
// to whoever is filled from another's table.
func TestFilled(t *testing.T) {
	r := newRoom()
	c := beat(1, 1, 5, changelog.Seqs{2: 1})
	c.Except = []changelog.ID{{}, {7}}
	f := forget(1, 2, 6, 3)
	f.Seen = changelog.Seqs{3: 1}
	r.take(t, write(2, 1, 1), c, f)
	list, err := r.table.Changes()
	if err != nil {
		t.Fatal(err)
	}
	other := members.Open(dit.NewMemory())
	for i := range list {
		if err := other.Note(&list[i]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := other.Beat(1, r.v)
	if err != nil {
		t.Fatal(err)
	}
	want := &members.Heartbeat{Seq: 1, CSN: c.CSN, Seen: c.Seen, Except: c.Except}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	removal, removed, err := other.Removed(3)
	if err != nil || !removed || removal.Had != 1 {
		t.Errorf("removed %t: %+v, %v", removed, removal, err)
	}
}
