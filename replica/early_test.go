package replica_test

import (
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/replica"
	"ldapsync/roles"
)

// TestChangeOfWhatWasAddedAgain promises that a change of an entry which a server added
// again, having forgotten that it was deleted, waits for that addition where the deletion
// is remembered: merged before, it would keep the entry deleted there alone.
func TestChangeOfWhatWasAddedAgain(t *testing.T) {
	name := "ou=again," + suffix
	h, a, b := holding(t, unit(name))
	id := a.dir.Find(mustDN(name))
	root := a.dir.Find(mustDN(suffix))
	a.must(a.dir.Do(directory.Write{Op: directory.Delete, DN: name}))
	h.settle()
	v, err := b.rep.Vector()
	b.must(err)
	seen := v.Seqs()
	at := h.time().UnixMicro()
	again := changelog.Change{Seq: 1, CSN: changelog.CSN{Time: at, SID: 3}, Op: changelog.OpAdd, ID: id, DN: name, RDN: "ou=again", Superior: root, Seen: seen,
		Mods: []changelog.Mod{{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"organizationalUnit"}}, {Op: changelog.ModAdd, Attr: "ou", Values: []string{"again"}}}}
	later := changelog.Change{Seq: 1, CSN: changelog.CSN{Time: at + 1, SID: 4}, Op: changelog.OpModify, ID: id, DN: name, Seen: changelog.Seqs{3: 1},
		Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "description", Values: []string{"later"}}}}
	peers := []replica.Peer{
		{JID: "n3@x/ldapsync", SID: 3, Role: roles.Master, State: b.rep.State(), Vector: changelog.Vector{3: {Seq: 1, CSN: again.CSN}}},
		{JID: "n4@x/ldapsync", SID: 4, Role: roles.Master, State: b.rep.State(), Vector: changelog.Vector{4: {Seq: 1, CSN: later.CSN}}},
	}
	b.must(b.rep.SetPeers(peers))
	got, err := b.rep.Receive(replica.Delivery{Relay: 4, RelayRole: roles.Master, Changes: []changelog.Change{later}})
	if b.must(err); !got.Gap || got.New > 0 {
		t.Errorf("merged before what its author had seen: %+v", got)
	}
	got, err = b.rep.Receive(replica.Delivery{Relay: 4, RelayRole: roles.Master, Pulled: true, Changes: []changelog.Change{again, later}})
	if b.must(err); got.New != 2 {
		t.Errorf("not merged: %+v", got)
	}
	h.settle()
	if b.dir.Entry(id) == nil {
		t.Errorf("it is not there: %q", b.dir.Dump())
	}
}
