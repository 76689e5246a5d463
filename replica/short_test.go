package replica_test

import (
	"cmp"
	"testing"
	"testing/synctest"
	"time"

	"ldapsync/changelog"
	"ldapsync/replica"
	"ldapsync/roles"
)

// TestOfTwoOneBeginsAnew promises that of two servers that lack what the other has, and
// have no log that reaches back to it, after a day one gives way, and only one.
func TestOfTwoOneBeginsAnew(t *testing.T) {
	self, ours, theirs := changelog.SID(5), changelog.SID(8), changelog.SID(9)
	for name, c := range map[string]struct {
		peer changelog.SID
		has  changelog.Vector
		// mine and role are the roles of this server and of the other, zero for master.
		mine, role roles.Role
		anew       bool
	}{
		"it has more":          {peer: 7, has: changelog.Vector{theirs: {Seq: 5}}, anew: true},
		"it has less":          {peer: 1, has: changelog.Vector{theirs: {Seq: 3}}},
		"it has the number":    {peer: 1, has: changelog.Vector{theirs: {Seq: 4}}, anew: true},
		"we have the number":   {peer: 7, has: changelog.Vector{theirs: {Seq: 4}}},
		"it may not write":     {peer: 7, has: changelog.Vector{theirs: {Seq: 5}}, role: roles.ReadOnly},
		"we may not write":     {peer: 7, has: changelog.Vector{theirs: {Seq: 3}}, mine: roles.ReadOnly, anew: true},
		"nobody may write":     {peer: 7, has: changelog.Vector{theirs: {Seq: 5}}, mine: roles.ReadOnly, role: roles.ReadOnly},
		"it lacks only ours":   {peer: 7, has: changelog.Vector{ours: {Seq: 4}, theirs: {Seq: 1}}, anew: true},
		"both lack their own":  {peer: theirs, has: changelog.Vector{ours: {Seq: 4}, theirs: {Seq: 1}}, anew: true},
		"it gives way to this": {peer: theirs, has: changelog.Vector{ours: {Seq: 1}, theirs: {Seq: 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newcomerIn(t, reaching{}, self, false)
				if err := r.Found(); err != nil {
					t.Fatal(err)
				}
				if err := r.SetRole(cmp.Or(c.mine, roles.Master)); err != nil {
					t.Fatal(err)
				}
				other := replica.Peer{JID: "other@x/ldapsync", SID: c.peer, Install: "o", Role: cmp.Or(c.role, roles.Master), State: "ready", Vector: c.has}
				author := replica.Peer{JID: "author@x/ldapsync", SID: ours, Install: "a", Role: roles.Master, State: "ready"}
				hear := func(seq uint64) {
					meet(t, r, author, other)
					defer meet(t, r, other)
					beat := changelog.Change{CSN: changelog.CSN{Time: int64(seq), SID: ours}, Seq: seq, Op: changelog.OpHeartbeat}
					got, err := r.Receive(replica.Delivery{Relay: ours, RelayRole: roles.Master, Changes: []changelog.Change{beat}})
					if short, e := r.Short(); err != nil || e != nil || got.New != 1 || short {
						t.Fatal(got, short, err, e)
					}
				}
				for seq := range uint64(3) {
					hear(seq + 1)
				}
				for n, wait := range []time.Duration{0, 23 * time.Hour, time.Hour} {
					if r.Again() {
						t.Fatal("it did not wait:", r.Fault())
					}
					if n == 1 {
						hear(4) // so all have to be asked once more
					}
					time.Sleep(wait)
					if _, err := r.StepPull(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if r.Again() != c.anew {
					t.Errorf("begins anew %v: %q", r.Again(), r.Fault())
				}
			})
		})
	}
}

// meet lets a replica see who is in the room.
func meet(t *testing.T, r *replica.Replica, peers ...replica.Peer) {
	t.Helper()
	if err := r.SetPeers(peers); err != nil {
		t.Fatal(err)
	}
}
