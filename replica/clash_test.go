package replica_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// TestNewcomersWithOneNumber promises that servers that chose the same number, not
// seeing each other, end up with one each, by themselves.
func TestNewcomersWithOneNumber(t *testing.T) {
	c := newCluster(t, 4)
	a := c.nodes[0]
	a.start(1)
	a.do(base()...)
	a.do(person("ann"))
	c.settled()
	c.partition(true)
	for _, nd := range c.nodes[1:] {
		nd.start(0)
		if nd.Identity().SID != 1 {
			t.Fatalf("%s chose %d", nd.name, nd.Identity().SID)
		}
	}
	c.partition(false)
	c.eventually(func() string {
		for _, nd := range c.nodes {
			if nd.Again() {
				nd.beginAnew()
			}
			if !nd.Identity().Joined {
				return nd.name + " has not joined: " + nd.Fault()
			}
		}
		return ""
	})
	c.settled()
	c.nodes[3].do(person("bob"))
	c.settled()
	owner := map[changelog.SID]string{}
	for _, nd := range c.nodes {
		sid := nd.Identity().SID
		if owner[sid] != "" || nd.Fault() != "" {
			t.Errorf("%s has the number %d of %q, fault %q", nd.name, sid, owner[sid], nd.Fault())
		}
		owner[sid] = nd.name
		sameState(t, a, nd)
	}
	c.ahead.Add(int64(13 * time.Hour))
	c.eventually(func() string { // nothing holds up forgetting
		for _, nd := range c.nodes {
			if s, err := nd.Status(); err != nil || len(s.Stable.Seqs) < 4 {
				return nd.name + " is held up by " + s.Stable.Holding.String()
			}
		}
		return ""
	})
}

// newcomer returns a replica that has a number and is not run, and, when it spoke,
// has said hello.
func newcomer(t *testing.T, wanted changelog.SID, spoke bool) *replica.Replica {
	t.Helper()
	return newcomerIn(t, &node{c: &cluster{t: t}}, wanted, spoke)
}

func newcomerIn(t *testing.T, net replica.Network, wanted changelog.SID, spoke bool) *replica.Replica {
	t.Helper()
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *store.Tx) error {
		return tx.SetIdentity(store.Identity{Suffix: suffix, JID: "new@x/ldapsync", Install: "m", Role: "master"})
	})
	if err != nil {
		t.Fatal(err)
	}
	r := replicaOf(t, s, net)
	if err := r.TakeSID(wanted); err != nil {
		t.Fatal(err)
	}
	if !spoke {
		return r
	}
	ready := replica.Peer{JID: "ready@x/ldapsync", SID: 5, Install: "r", Role: roles.Master, State: "ready"}
	if err := r.SetPeers([]replica.Peer{ready}); err != nil {
		t.Fatal(err)
	}
	if joined, err := r.StepJoin(context.Background()); joined || err != nil {
		t.Fatal(joined, err)
	}
	if v, err := r.Vector(); err != nil || v[r.Identity().SID].Seq != 1 {
		t.Fatalf("no hello: %s, %v", v, err)
	}
	return r
}

// TestRefusedServersTellOfACopy promises that what a server holds that is refused
// shows, too, that another speaks under a number.
func TestRefusedServersTellOfACopy(t *testing.T) {
	r := newcomer(t, 0, true)
	self := r.Identity().SID
	theirs := changelog.Mark{Seq: 5, CSN: changelog.CSN{Time: 1, SID: self}}
	stuck := replica.Peer{JID: "stuck@x/ldapsync", SID: self + 1, Install: "s", Role: roles.Master, State: "refused", Vector: changelog.Vector{self: theirs}}
	if err := r.SetPeers([]replica.Peer{stuck}); err != nil || !r.Again() {
		t.Errorf("it goes on: %q, %v", r.Fault(), err)
	}
}

func TestWhichNewcomerKeepsItsNumber(t *testing.T) {
	const keeps, yields, again, refuses = "keeps", "yields", "again", "refuses"
	for name, tt := range map[string]struct {
		wanted         changelog.SID
		spoke, theirs  bool
		install, state string
		want           string
	}{
		"the smaller install":                 {0, false, false, "z", "joining", keeps},
		"the greater install":                 {0, false, false, "a", "waiting", yields},
		"only it spoke":                       {0, true, false, "a", "joining", keeps},
		"only the other spoke":                {0, false, true, "z", "joining", yields},
		"both spoke":                          {0, true, true, "z", "joining", again},
		"the other has joined":                {0, false, false, "z", "ready", yields},
		"the other has joined, it spoke":      {0, true, true, "z", "catching-up", again},
		"asked for, the other has joined":     {1, false, false, "z", "ready", refuses},
		"asked for, the greater install":      {1, false, false, "a", "joining", refuses},
		"asked for, the smaller install":      {1, false, false, "z", "joining", keeps},
		"the other is refused, and smaller":   {0, false, false, "a", "refused", yields},
		"the other is refused, and greater":   {0, false, false, "z", "refused", yields},
		"the other is refused, only it spoke": {0, true, false, "a", "refused", keeps},
		"the other is refused, both spoke":    {0, true, true, "z", "refused", again},
	} {
		t.Run(name, func(t *testing.T) {
			r := newcomer(t, tt.wanted, tt.spoke)
			p := replica.Peer{JID: "other@x/ldapsync", SID: 1, Install: tt.install, Role: roles.Master, State: tt.state, Vector: changelog.Vector{}}
			if tt.theirs {
				p.Vector[1] = changelog.Mark{Seq: 1, CSN: changelog.CSN{Time: 1, SID: 1}}
			}
			if err := r.SetPeers([]replica.Peer{p}); err != nil {
				t.Fatal(err)
			}
			got := keeps
			switch {
			case r.Again():
				got = again
			case strings.Contains(r.Fault(), "give this server another sid"):
				got = refuses
			case r.Fault() != "":
				got = r.Fault()
			case r.Identity().SID != 1:
				got = yields
			}
			if got != tt.want {
				t.Errorf("it %s, want %s", got, tt.want)
			}
		})
	}
}

// TestRefusedUntilTheOtherYields promises that a newcomer which was refused, because
// another shows the number that it was to have, goes on once that one shows another.
func TestRefusedUntilTheOtherYields(t *testing.T) {
	peer := func(jid string, sid, has changelog.SID) replica.Peer {
		return replica.Peer{JID: jid + "@x/ldapsync", SID: sid, Install: "0" + jid, Role: roles.Master, State: "ready",
			Vector: changelog.Vector{has: changelog.Mark{Seq: 3, CSN: changelog.CSN{Time: 1, SID: has}}}}
	}
	const refused = "give this server another sid"
	r := newcomer(t, 1, false)
	for _, tt := range []struct {
		name, fault string
		takes       bool
		peers       []replica.Peer
	}{
		{"the other shows its number", refused, false, []replica.Peer{peer("rival", 1, 7), peer("third", 5, 5)}},
		{"the other is away", refused, false, []replica.Peer{peer("third", 5, 5)}},
		{"it takes another number", refused, true, []replica.Peer{peer("rival", 1, 7), peer("third", 5, 1)}},
		{"the other does, too", "", true, []replica.Peer{peer("rival", 2, 7), peer("third", 5, 1)}},
	} {
		if err := r.SetPeers(tt.peers); err != nil {
			t.Fatal(err)
		}
		if why := r.Fault(); !strings.Contains(why, tt.fault) || (why == "") != (tt.fault == "") || (r.Identity().SID != 1) != tt.takes {
			t.Errorf("%s: it has the number %d, fault %q", tt.name, r.Identity().SID, why)
		}
	}
}

// TestNumberBelongsToWhoSaysHello promises that a number which a newcomer showed in
// passing is that of the server which speaks under it.
func TestNumberBelongsToWhoSaysHello(t *testing.T) {
	r := newcomer(t, 9, false)
	peer := func(jid string, sid changelog.SID) replica.Peer {
		return replica.Peer{JID: jid, SID: sid, Install: jid, Role: roles.Master, State: "ready"}
	}
	known := func(want string, peers ...replica.Peer) {
		t.Helper()
		if err := r.SetPeers(peers); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range r.Peers() {
			got = append(got, p.JID)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("it believes %q, want %q", got, want)
		}
	}
	first := peer("first@x/ldapsync", 1)
	known("first@x/ldapsync passing@x/ldapsync", first, peer("passing@x/ldapsync", 4))
	hello := changelog.Change{
		Seq: 1, CSN: changelog.CSN{Time: time.Now().UnixMicro(), SID: 4}, Op: changelog.OpHeartbeat, JID: "owner@x/ldapsync", Install: "owner",
	}
	if got, err := r.Receive(replica.Delivery{Relay: 1, RelayRole: roles.Master, Changes: []changelog.Change{hello}}); err != nil || got.New != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	known("first@x/ldapsync", first, peer("thief@x/ldapsync", 4))
	known("first@x/ldapsync owner@x/ldapsync passing@x/ldapsync", first, peer("passing@x/ldapsync", 5), peer("owner@x/ldapsync", 4))
	known("first@x/ldapsync", first, peer("passing@x/ldapsync", 4))
}

// TestWhoReadThatOneWhoTakesPartWasRemoved promises that a newcomer which has read that a
// server was removed does not wait in silence while that one takes part and nobody else
// has read it, and goes on once somebody is back who has.
func TestWhoReadThatOneWhoTakesPartWasRemoved(t *testing.T) {
	r := newcomer(t, 5, false)
	hello := changelog.Change{CSN: changelog.CSN{Time: 1, SID: 2}, Seq: 1, Op: changelog.OpHeartbeat, JID: "two@x/ldapsync", Install: "two"}
	forget := changelog.Change{CSN: changelog.CSN{Time: 2, SID: 2}, Seq: 2, Op: changelog.OpForget, Peer: 1}
	removed := replica.Peer{JID: "one@x/ldapsync", SID: 1, Install: "one", Role: roles.Master, State: "ready", Vector: changelog.Vector{1: {Seq: 1, CSN: changelog.CSN{Time: 1, SID: 1}}}}
	remover := replica.Peer{JID: "two@x/ldapsync", SID: 2, Install: "two", Role: roles.Master, State: "ready", Vector: changelog.Vector{2: {Seq: 2, CSN: forget.CSN}}}
	try := func(peers ...replica.Peer) string {
		t.Helper()
		if err := r.SetPeers(peers); err != nil {
			t.Fatal(err)
		}
		if joined, err := r.StepJoin(t.Context()); joined || err != nil {
			t.Fatal(joined, err)
		}
		return r.Fault()
	}
	if fault := try(removed, remover); fault != "" {
		t.Fatal(fault)
	}
	if got, err := r.Receive(replica.Delivery{Relay: 2, RelayRole: roles.Master, Pulled: true, Changes: []changelog.Change{hello, forget}}); err != nil || got.New != 2 {
		t.Fatal(got, err)
	}
	if fault := try(removed); !strings.Contains(fault, "init --again") {
		t.Errorf("it waits: %q", fault)
	}
	if fault := try(removed, remover); fault != "" {
		t.Errorf("it does not go on: %q", fault)
	}
}
