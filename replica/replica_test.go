package replica_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/replica"
	"ldapsync/roles"
)

func TestTwoMastersFollowEachOther(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	for i := range 20 {
		a.do(person(fmt.Sprintf("u%d", i)))
	}
	b.start(2)
	c.settled()
	ann := "uid=u1,ou=people," + suffix
	b.do(modify(ann, replace("mail", "ann@example.org"), changelog.Mod{Op: changelog.ModAdd, Attr: "description", Values: []string{"one", "two"}}))
	c.settled()
	a.do(modify(ann, changelog.Mod{Op: changelog.ModDelete, Attr: "description", Values: []string{"one"}}))
	a.do(directory.Write{Op: directory.ModDN, DN: ann, NewRDN: "uid=anna", DeleteOldRDN: true})
	c.settled()
	b.do(directory.Write{Op: directory.ModDN, DN: "ou=people," + suffix, NewRDN: "ou=staff", DeleteOldRDN: true})
	b.do(addEntry("ou=people,"+suffix, "objectClass", "organizationalUnit"))
	b.do(directory.Write{Op: directory.ModDN, DN: "uid=anna,ou=staff," + suffix, NewRDN: "uid=anna", NewSuperior: "ou=people," + suffix})
	c.settled()
	a.do(directory.Write{Op: directory.Delete, DN: "uid=u2,ou=staff," + suffix})
	c.settled()
	if n := len(b.dir.Dump()); n != 23 {
		t.Errorf("%d entries, want 23", n)
	}
}

func TestNobodyWritesNothingIsPublished(t *testing.T) {
	c := newCluster(t, 3)
	c.nodes[0].start(1)
	c.nodes[0].do(base()...)
	c.nodes[0].do(person("ann"))
	c.nodes[1].start(2)
	c.nodes[2].start(3)
	c.settled()
	c.nodes[1].do(modify("uid=ann,ou=people,"+suffix, replace("mail", "x@x")))
	c.settled()
	for range 2 { // two heartbeats of everybody later
		var before []int
		for _, nd := range c.nodes {
			before = append(before, nd.beatsNow())
		}
		c.ahead.Add(int64(13 * time.Hour))
		c.eventually(func() string {
			for i, nd := range c.nodes {
				if nd.beatsNow() == before[i] {
					return nd.name + " has made no heartbeat"
				}
			}
			return ""
		})
		c.settled()
	}
	for i, want := range []int{4, 1, 0} {
		if nd := c.nodes[i]; nd.publishedNow() != want {
			t.Errorf("%s published %d changes, clients made %d", nd.name, nd.publishedNow(), want)
		}
	}
}

func TestBothSidesWriteDuringAPartition(t *testing.T) {
	c, a, b := pair(t, person("ann"), person("bob"), person("cy"))
	c.partition(true)
	people := "ou=people," + suffix
	a.do(modify("uid=ann,"+people, replace("mail", "a@a")), person("dan", "description", "from a"))
	b.do(modify("uid=ann,"+people, replace("telephoneNumber", "1")), person("dan", "description", "from b"))
	// names swapped on one side, the entries changed on the other
	a.do(directory.Write{Op: directory.ModDN, DN: "uid=bob," + people, NewRDN: "uid=tmp", DeleteOldRDN: true},
		directory.Write{Op: directory.ModDN, DN: "uid=cy," + people, NewRDN: "uid=bob", DeleteOldRDN: true},
		directory.Write{Op: directory.ModDN, DN: "uid=tmp," + people, NewRDN: "uid=cy", DeleteOldRDN: true})
	b.do(modify("uid=bob,"+people, replace("title", "was bob")), modify("uid=cy,"+people, replace("title", "was cy")))
	// a container deleted while the other side fills it
	a.do(directory.Write{Op: directory.Delete, DN: "ou=groups," + suffix})
	b.do(addEntry("cn=g,ou=groups,"+suffix, "objectClass", "groupOfNames", "member", "uid=ann,"+people))
	c.partition(false)
	c.settled()
	// resolved by hand: the loser of the name gets another one, the glue goes with its child
	b.do(directory.Write{Op: directory.Delete, DN: "cn=g,ou=groups," + suffix})
	c.settled()
	if n := len(a.dir.Dump()); n != 7 {
		t.Errorf("%d entries, want 7: %v", n, a.dir.Dump())
	}
	a.do(directory.Write{Op: directory.Delete, DN: "uid=dan," + people})
	c.settled()
	if n := len(a.dir.Dump()); n != 6 {
		t.Errorf("%d entries, want 6", n)
	}
}

func TestRefusedEntryIsParkedAndAppliedWhenTheSchemaKnowsIt(t *testing.T) {
	c, a, b := pair(t, person("ann"), person("bob"))
	b.dir.SetRefuse(func(w directory.Write) error {
		if w.DN == "uid=ann,ou=people,"+suffix {
			return &directory.RefusedError{Code: 17, Text: "attribute type undefined"}
		}
		return nil
	})
	a.do(modify("uid=ann,ou=people,"+suffix, replace("mail", "a@a")), modify("uid=bob,ou=people,"+suffix, replace("mail", "b@b")))
	c.eventually(func() string {
		s, err := b.Status()
		if err != nil || s.ParkedCount != 1 || s.Parked[0].Code != 17 || s.Apply != 0 {
			return fmt.Sprintf("status %+v, %v", s, err)
		}
		return ""
	})
	b.dir.SetRefuse(nil)
	if n, err := b.RetryParked(changelog.ID{}); n != 1 || err != nil {
		t.Errorf("retried %d, %v", n, err)
	}
	c.settled()
}

func TestReadOnlyServerIsPutBack(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	b.setRole(roles.ReadOnly)
	a.start(1)
	a.do(base()...)
	a.do(person("ann"), person("bob"))
	b.start(2)
	c.settled()
	b.do(modify("uid=ann,ou=people,"+suffix, replace("mail", "b@b")), directory.Write{Op: directory.Delete, DN: "uid=bob,ou=people," + suffix}, person("eve"))
	c.settled()
	s, err := b.Status()
	if err != nil || s.Denied != 3 || len(b.dir.Dump()) != 5 || b.publishedNow() != 0 {
		t.Errorf("denied %d, %d entries, published %d, %v", s.Denied, len(b.dir.Dump()), b.publishedNow(), err)
	}
}

func TestChangesOfANonMasterAreMergedByNobody(t *testing.T) {
	c, a, b := pair(t, person("ann"))
	b.setRole(roles.ReadOnly) // the room has demoted b; b has not heard of it yet
	c.eventually(func() string {
		if p := a.Peers(); len(p) != 1 || p[0].Role != roles.ReadOnly {
			return fmt.Sprintf("peers of a: %+v", p)
		}
		return ""
	})
	b.do(modify("uid=ann,ou=people,"+suffix, replace("mail", "b@b")))
	c.eventually(func() string {
		s, err := a.Status()
		if err != nil || s.Denied != 1 {
			return fmt.Sprintf("denied %d, %v", s.Denied, err)
		}
		return ""
	})
	if v, _ := a.Vector(); v[2].Seq != 1 {
		t.Errorf("vector of a covers the denied change, not just the heartbeat: %s", v)
	}
}

func TestChangeFromTheFutureWaitsForItsTime(t *testing.T) {
	c := newCluster(t, 1)
	a := c.nodes[0]
	a.start(1)
	a.do(base()...)
	ahead := changelog.Change{
		Seq: 1, CSN: changelog.CSN{Time: time.Now().Add(48 * time.Hour).UnixMicro(), SID: 2}, Op: changelog.OpAdd,
		ID: changelog.ID{9}, RDN: "ou=future", Superior: a.dir.Find(mustDN(suffix)),
		Mods: []changelog.Mod{{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"organizationalUnit"}}, {Op: changelog.ModAdd, Attr: "ou", Values: []string{"future"}}},
	}
	now := ahead
	now.Seq, now.ID, now.RDN, now.CSN.Time = 2, changelog.ID{8}, "ou=now", ahead.CSN.Time+1
	got, err := a.Receive(replica.Delivery{Relay: 3, RelayRole: roles.Master, Changes: []changelog.Change{ahead, now}})
	if err != nil || got.New != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	s, err := a.Status()
	if err != nil || s.Future != 2 || s.Vector[2].Seq != 2 || s.Conflicts != 0 {
		t.Errorf("future %d, vector %s, %v", s.Future, s.Vector, err)
	}
	a.do(addEntry("ou=present,"+suffix, "objectClass", "organizationalUnit"))
	c.eventually(func() string {
		v, err := a.Vector()
		if err != nil || v[1].Seq != 4 {
			return fmt.Sprint(v, err)
		}
		if ahead := time.Until(v[1].CSN.When()); ahead > time.Hour {
			t.Errorf("our clock followed the future by %s", ahead)
		}
		return ""
	})
	changes, _, err := a.Serve(changelog.Seqs{1: 3}, 0)
	if err != nil || len(changes) == 0 {
		t.Fatal(len(changes), err)
	}
	for _, c := range changes {
		if c.SID() == 1 && c.Seen[2] > 0 {
			t.Errorf("%s claims to know what is postponed: %s", c.CSN, c.Seen)
		}
	}
}

func TestSenselessChangeDoesNotHoldUpOthers(t *testing.T) {
	c := newCluster(t, 1)
	a := c.nodes[0]
	a.start(1)
	a.do(base()...)
	mods := []changelog.Mod{{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"organizationalUnit"}}, {Op: changelog.ModAdd, Attr: "ou", Values: []string{"good"}}}
	bad := changelog.Change{Seq: 1, CSN: changelog.CSN{Time: 1, SID: 2}, Op: changelog.OpAdd, ID: changelog.ID{9}, RDN: "not a name", Mods: mods}
	good := changelog.Change{Seq: 2, CSN: changelog.CSN{Time: 2, SID: 2}, Op: changelog.OpAdd, ID: changelog.ID{8}, RDN: "ou=good", Superior: a.dir.Find(mustDN(suffix)), Mods: mods}
	got, err := a.Receive(replica.Delivery{Relay: 3, RelayRole: roles.Master, Changes: []changelog.Change{bad, good}})
	if err != nil || got.New != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	c.eventually(func() string {
		if a.dir.Find(mustDN("ou=good," + suffix)).IsZero() {
			return "the change behind it was not applied"
		}
		return ""
	})
	if n := a.Counts()["rejected"]; n != 1 {
		t.Errorf("rejected %d", n)
	}
}

func TestRenameKeepsTheValuesThatTheClientKept(t *testing.T) {
	c, a, _ := pair(t, person("one"))
	people := ",ou=people," + suffix
	a.do(directory.Write{Op: directory.ModDN, DN: "uid=one" + people, NewRDN: "uid=two"})
	c.settled()
	a.do(directory.Write{Op: directory.ModDN, DN: "uid=two" + people, NewRDN: "uid=three", DeleteOldRDN: true})
	c.settled()
	for _, nd := range c.nodes {
		e := nd.dir.Entry(nd.dir.Find(mustDN("uid=three" + people)))
		for _, attr := range e.Attrs {
			if attr.Name == "uid" && len(attr.Values) != 2 {
				t.Errorf("%s: uid %q, the client left one and three", nd.name, attr.Values)
			}
		}
	}
}

// TestRenameKeepsTheLastValueThatAClassDemands is about a value that the view
// would have found another for.
func TestRenameKeepsTheLastValueThatAClassDemands(t *testing.T) {
	c, a, _ := pair(t, person("one"))
	people := ",ou=people," + suffix
	const cn = "Person one"
	for _, wr := range []directory.Write{
		{DN: "uid=one", NewRDN: "cn=" + cn},
		{DN: "cn=" + cn, NewRDN: "cn=zebra"},
		{DN: "cn=zebra", NewRDN: "uid=two", DeleteOldRDN: true},
	} {
		wr.Op, wr.DN = directory.ModDN, wr.DN+people
		a.do(wr)
		c.settled()
	}
	for _, nd := range c.nodes {
		e := nd.dir.Entry(nd.dir.Find(mustDN("uid=two" + people)))
		for _, attr := range e.Attrs {
			if attr.Name == "cn" && !slices.Equal(attr.Values, []string{cn}) {
				t.Errorf("%s: cn %q, the client left %q", nd.name, attr.Values, cn)
			}
		}
	}
}

func TestRestartWhileClientsWrite(t *testing.T) {
	c, a, b := pair(t, person("ann"), person("bob"))
	a.stop()
	a.do(modify("uid=ann,ou=people,"+suffix, replace("mail", "a@a")), directory.Write{Op: directory.Delete, DN: "uid=bob,ou=people," + suffix}, person("cy"))
	b.do(modify("uid=ann,ou=people,"+suffix, replace("title", "t")))
	a.start(1)
	c.settled()
	if n := len(b.dir.Dump()); n != 5 {
		t.Errorf("%d entries, want 5", n)
	}
}

func TestCloneIsFoundOut(t *testing.T) {
	_, a, _ := pair(t)
	alien := changelog.Change{Seq: 99, CSN: changelog.CSN{Time: time.Now().UnixMicro(), SID: 1}, Op: changelog.OpDelete, ID: changelog.ID{1}}
	if _, err := a.Receive(replica.Delivery{Relay: 2, RelayRole: roles.Master, Changes: []changelog.Change{alien}}); err != nil {
		t.Fatal(err)
	}
	if a.Fault() == "" || !a.Again() {
		t.Error("a change under our own number that we never made was not noticed")
	}
}

func TestOfTwoWithOneNumberTheNewcomerStepsBack(t *testing.T) {
	for state, want := range map[string]bool{"waiting": false, "joining": false, "refused": false, "ready": true, "read-only": true} {
		c := newCluster(t, 1)
		a := c.nodes[0]
		c.partition(true) // no peers but the one below
		a.start(1)
		c.eventually(func() string {
			if a.State() != "ready" {
				return a.State()
			}
			return ""
		})
		other := replica.Peer{JID: "ldap9@x/ldapsync", SID: 1, Install: "another", Role: roles.Master, State: state}
		if err := a.SetPeers([]replica.Peer{other}); err != nil {
			t.Fatal(err)
		}
		if got := a.Fault() != ""; got != want {
			t.Errorf("a server that is %s: stepped back %v, want %v", state, got, want)
		}
	}
}

func TestNumberInUseIsNotForgottenWhileJoining(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	b.start(1)
	c.eventually(func() string {
		if b.Fault() == "" {
			return "b takes part with a number in use"
		}
		return ""
	})
	for range 20 {
		if b.Fault() == "" || b.Identity().Joined || a.Fault() != "" {
			t.Fatalf("b: %q, joined %v; a: %q", b.Fault(), b.Identity().Joined, a.Fault())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// pair returns two servers that run and hold the base and some more entries, added
// at the first.
func pair(t *testing.T, more ...directory.Write) (c *cluster, a, b *node) {
	t.Helper()
	c = newCluster(t, 2)
	a, b = c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(append(base(), more...)...)
	b.start(2)
	c.settled()
	return c, a, b
}
