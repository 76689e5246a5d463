package replica_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/schema"
	"ldapsync/store"
)

// trim removes from the logs of some nodes all that they hold and have published.
func trim(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, nd := range nodes {
		err := nd.store.Update(func(tx *store.Tx) error {
			v, err := tx.Log.Vector()
			for sid, m := range v {
				upTo := m.Seq
				if sid == nd.Identity().SID {
					upTo = min(upTo, tx.Published())
				}
				if _, e := tx.Log.Trim(sid, upTo, 1<<20); e != nil {
					return e
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// filled returns a cluster of three nodes of which two are up and have trimmed
// their logs.
func filled(t *testing.T, people int) *cluster {
	c := newCluster(t, 3)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	for i := range people {
		a.do(person(fmt.Sprintf("u%d", i)))
	}
	b.start(2)
	c.settled()
	b.do(modify("uid=u1,ou=people,"+suffix, replace("mail", "ann@example.org")))
	a.do(directory.Write{Op: directory.Delete, DN: "uid=u2,ou=people," + suffix})
	c.settled()
	trim(t, a, b)
	return c
}

// TestNewcomerIsFilledBySnapshot promises that a server joins a room of which no
// log reaches back to the beginning, and has there what the others have, who its
// members are included: one that was in the room and of which nobody has a change
// is none.
func TestNewcomerIsFilledBySnapshot(t *testing.T) {
	c := filled(t, 30)
	a, d := c.nodes[0], c.nodes[2]
	for _, nd := range c.nodes[:2] {
		if err := nd.store.Update(func(tx *store.Tx) error { return tx.Log.Know(9) }); err != nil {
			t.Fatal(err)
		}
	}
	d.start(3)
	c.settled()
	if n := d.pageCount(); n < 5 {
		t.Errorf("filled in %d pages", n)
	}
	a.do(person("late"))
	d.do(modify("uid=u3,ou=people,"+suffix, replace("mail", "new@example.org")))
	c.settled()
	for _, nd := range c.nodes[1:] {
		sameState(t, a, nd)
	}
	err := d.store.View(func(tx *store.Tx) error {
		if s, err := tx.Snapshot(); s != nil || err != nil {
			t.Errorf("snapshot still stands: %+v %v", s, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.eventually(func() (why string) { // the founder says who it is within a second or two
		err := d.store.View(func(tx *store.Tx) error {
			for sid, nd := range map[changelog.SID]*node{1: a, 2: c.nodes[1]} {
				if m, err := tx.Roster().Member(sid); err != nil || m.Install != nd.Identity().Install {
					why = fmt.Sprintf("member %d: %+v %v", sid, m, err)
				}
			}
			list, err := tx.Roster().Members()
			if len(list) != 3 {
				why = fmt.Sprintf("members: %+v", list)
			}
			return err
		})
		if err != nil {
			return err.Error()
		}
		return why
	})
	if _, _, err := d.Serve(changelog.Seqs{1: 1}, 0); err == nil || !strings.Contains(err.Error(), replica.ErrTrimmed.Error()) {
		t.Errorf("serves changes that it never had: %v", err)
	}
}

// sameState fails unless two nodes hold the same facts.
func sameState(t *testing.T, a, b *node) {
	t.Helper()
	var digests [2]string
	for i, nd := range []*node{a, b} {
		err := nd.store.View(func(tx *store.Tx) error {
			digest, err := dit.Open(tx.KV(), dit.DefaultRules(schema.Standard(), mustDN(suffix))).Digest()
			digests[i] = string(digest)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("%s and %s hold other facts", a.name, b.name)
	}
}

// TestSnapshotGoesOnWithAnother promises that a snapshot survives restarts of the
// one who takes it, writers, and the loss of the one who gives it.
func TestSnapshotGoesOnWithAnother(t *testing.T) {
	c := filled(t, 30)
	a, b, d := c.nodes[0], c.nodes[1], c.nodes[2]
	enough := make(chan struct{})
	d.afterPage = func(n int) {
		switch n {
		case 3:
			b.do(person("while"))
			a.do(modify("uid=u1,ou=people,"+suffix, replace("mail", "again@example.org")))
		case 4:
			a.hide(true)
			close(enough)
		}
	}
	d.start(3)
	select {
	case <-enough:
	case <-time.After(10 * time.Second):
		t.Fatal("no fourth page")
	}
	d.stop()
	progress := snapshotOf(t, d)
	if progress == nil || progress.Records == 0 {
		t.Fatalf("no progress is stored: %+v", progress)
	}
	before := d.pageCount()
	d.start(3)
	c.eventually(func() string {
		if snapshotOf(t, d) != nil || !d.Identity().Joined {
			return "not joined"
		}
		return ""
	})
	if a.pages > 4 || d.pageCount() == before {
		t.Errorf("%d pages from the one that is gone, %d of %d from the other", a.pages, b.pages, d.pageCount())
	}
	a.hide(false)
	c.settled()
	sameState(t, a, d)
	sameState(t, b, d)
}

func snapshotOf(t *testing.T, nd *node) (s *store.Snapshot) {
	t.Helper()
	if !nd.running() {
		again, err := store.Open(nd.path)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		return progressIn(t, again)
	}
	return progressIn(t, nd.store)
}

func progressIn(t *testing.T, st *store.Store) (s *store.Snapshot) {
	t.Helper()
	err := st.View(func(tx *store.Tx) (err error) {
		s, err = tx.Snapshot()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestServerThatWasAwayTooLongIsRefused promises that a server that has joined is
// never filled by snapshot, but steps back and writes down what nobody has.
func TestServerThatWasAwayTooLongIsRefused(t *testing.T) {
	c := newCluster(t, 3)
	a, b, d := c.nodes[0], c.nodes[1], c.nodes[2]
	a.start(1)
	a.do(base()...)
	a.do(person("ann"))
	b.start(2)
	d.start(3)
	c.settled()
	d.stop()
	if err := a.ForgetPeer(3, true); err != nil {
		t.Fatal(err)
	}
	a.do(person("bob"))
	c.settled()
	trim(t, a, b)
	c.partition(true)
	d.start(3)
	d.do(modify("uid=ann,ou=people,"+suffix, replace("mail", "unseen@example.org")))
	c.eventually(func() string {
		found := false
		err := d.store.View(func(tx *store.Tx) error {
			return tx.Log.After(3, 0, func(c *changelog.Change) bool {
				found = found || c.Op == changelog.OpModify
				return true
			})
		})
		if err != nil || !found {
			return "not captured"
		}
		return ""
	})
	c.partition(false)
	c.eventually(func() string {
		if d.Fault() == "" {
			return "takes part"
		}
		return ""
	})
	if !strings.Contains(d.Fault(), "re-join needed") || !strings.Contains(d.Fault(), "unseen.ldif") {
		t.Errorf("fault %q", d.Fault())
	}
	for _, nd := range []*node{a, b} {
		if strings.Contains(fmt.Sprint(nd.dir.Dump()), "unseen@example.org") {
			t.Errorf("mixed in at %s", nd.name)
		}
	}
	if len(d.unseen) != 1 || d.unseen[0].DN != "uid=ann,ou=people,"+suffix || d.unseen[0].Mods[0].Attr != "mail" {
		t.Errorf("unseen %+v", d.unseen)
	}
}

// TestRemovedServerStepsBack promises that a server which finds in the log that
// it was removed takes part no more, and that nobody merges what it hands out.
func TestRemovedServerStepsBack(t *testing.T) {
	c, a, b := pair(t, person("ann"))
	c.eventually(func() string {
		if err := a.ForgetPeer(2, false); !errors.Is(err, replica.ErrOnline) {
			return fmt.Sprint("removed one that is online: ", err)
		}
		return ""
	})
	b.hide(true)
	c.eventually(func() string {
		if len(a.Peers()) > 0 {
			return "sees it"
		}
		return ""
	})
	b.do(modify("uid=ann,ou=people,"+suffix, replace("mail", "unseen@example.org")))
	for _, c := range []struct {
		sid   changelog.SID
		force bool
		want  error
	}{{1, true, replica.ErrNoMember}, {7, true, replica.ErrNoMember}, {2, false, nil}, {2, false, nil}} {
		if err := a.ForgetPeer(c.sid, c.force); !errors.Is(err, c.want) {
			t.Errorf("forget %d: %v, want %v", c.sid, err, c.want)
		}
	}
	b.hide(false)
	c.eventually(func() string {
		if b.Fault() == "" {
			return "takes part"
		}
		return ""
	})
	if !strings.Contains(b.Fault(), "removed at 20") || !strings.Contains(b.Fault(), "re-join needed") {
		t.Errorf("fault %q", b.Fault())
	}
}

// TestRemovalIsHeardBesideOneWhoMayNotWrite promises that a server which was removed
// learns of it from one that may write, though another comes first that may not and is
// not believed.
func TestRemovalIsHeardBesideOneWhoMayNotWrite(t *testing.T) {
	c := newCluster(t, 3)
	reader, a, b := c.nodes[0], c.nodes[1], c.nodes[2]
	reader.start(1)
	reader.do(base()...)
	a.start(2)
	c.settled()
	b.start(3)
	c.settled()
	b.stop()
	reader.setRole(roles.ReadOnly)
	c.eventually(func() string {
		if err := a.ForgetPeer(3, false); err != nil {
			return err.Error()
		}
		return ""
	})
	c.eventually(func() string {
		if gone, err := reader.RemovedAt(b.name, 3); gone == nil {
			return fmt.Sprint("the reader has not heard: ", err)
		}
		return ""
	})
	a.hide(true)
	b.start(3)
	c.eventually(func() string {
		if got := b.State(); got != "catching-up" {
			return got
		}
		return ""
	})
	if got := b.Fault(); got != "" {
		t.Errorf("believes one that may not write: %s", got)
	}
	a.hide(false)
	c.eventually(func() string {
		if b.Fault() == "" {
			return "takes part"
		}
		return ""
	})
}

// TestLogIsTrimmed promises that what every member has goes from the logs, that
// nothing else does, and that a newcomer is filled all the same.
func TestLogIsTrimmed(t *testing.T) {
	c := newCluster(t, 4)
	a, b, away, late := c.nodes[0], c.nodes[1], c.nodes[2], c.nodes[3]
	a.start(1)
	a.do(base()...)
	for i := range 20 {
		a.do(person(fmt.Sprintf("u%d", i)))
	}
	b.start(2)
	away.start(3)
	c.settled()
	if begin := logBegin(t, a); begin != 1 {
		t.Fatalf("the log was trimmed to %d before anybody said to have it", begin)
	}
	c.ahead.Add(int64(13 * time.Hour))
	c.eventually(func() string {
		for _, nd := range []*node{a, b} {
			if s, err := nd.Status(); err != nil || s.Stable.Seqs[1] < 20 {
				return fmt.Sprintf("%s: %+v %v", nd.name, s.Stable, err)
			}
		}
		return ""
	})
	if logBegin(t, a) < 20 || logBegin(t, b) < 20 {
		t.Errorf("logs begin at %d and %d", logBegin(t, a), logBegin(t, b))
	}
	away.stop()
	a.do(person("kept"))
	c.settled()
	mark, err := a.Vector()
	if err != nil {
		t.Fatal(err)
	}
	c.ahead.Add(int64(24 * time.Hour))
	c.eventually(func() string {
		s, err := a.Status()
		if err != nil || s.Members[1].Beat == nil || s.Members[1].Beat.Seen[1] < mark[1].Seq {
			return fmt.Sprintf("no new heartbeat of b: %+v %v", s.Members, err)
		}
		return ""
	})
	if begin := logBegin(t, a); begin > mark[1].Seq {
		t.Errorf("what one lacks was trimmed: the log begins at %d, the change is %d", begin, mark[1].Seq)
	}
	late.start(4)
	c.settled()
	if late.pageCount() == 0 {
		t.Error("joined without a snapshot")
	}
	away.start(3)
	c.settled()
	sameState(t, a, late)
	sameState(t, a, away)
}

// logBegin trims the log of a node and returns where that of server 1 begins.
func logBegin(t *testing.T, nd *node) (seq uint64) {
	t.Helper()
	if _, err := nd.StepTrim(); err != nil {
		t.Fatal(err)
	}
	err := nd.store.View(func(tx *store.Tx) error {
		seq = tx.Log.First(1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// reaching is a room in which the log of only one server reaches back, and another gives
// a state without any entry.
type reaching struct {
	*node
	jid     string
	changes []changelog.Change
	state   changelog.Vector
}

func (n reaching) Snapshot(context.Context, string, *dit.Mark) (replica.StatePage, error) {
	if n.state == nil {
		return replica.StatePage{}, replica.ErrOffline
	}
	return replica.StatePage{Vector: n.state}, nil
}

func (n reaching) Pull(_ context.Context, jid string, _ changelog.Seqs) ([]changelog.Change, bool, error) {
	if jid != n.jid {
		return nil, false, replica.ErrTrimmed
	}
	return n.changes, false, nil
}

// TestNewcomersAskAllLogs promises that a newcomer takes what it lacks from a log that
// reaches back to it, before a state, which may not contain it: that of a server which
// keeps changes of the future aside does not.
func TestNewcomersAskAllLogs(t *testing.T) {
	hello := changelog.Change{CSN: changelog.CSN{Time: 1, SID: 1}, Seq: 1, Op: changelog.OpHeartbeat}
	r := newcomerIn(t, reaching{node: &node{c: &cluster{t: t}}, jid: "b@x/ldapsync", changes: []changelog.Change{hello}}, 5, false)
	var peers []replica.Peer
	for i, name := range []string{"a", "b", "c"} {
		peers = append(peers, replica.Peer{JID: name + "@x/ldapsync", SID: changelog.SID(1 + i), Install: name, Role: roles.Master, State: "ready",
			Vector: changelog.Vector{1: {Seq: 1, CSN: hello.CSN}}})
	}
	if err := r.SetPeers(peers); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := r.StepPull(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := r.Vector(); err != nil || v[1].Seq != 1 {
		t.Errorf("has %s, %v", v, err)
	}
}

// TestWhatCameBeforeAState promises that a newcomer holds nothing that the one which gives
// it a state has forgotten: of what came while there was nobody to give one.
func TestWhatCameBeforeAState(t *testing.T) {
	for name, ahead := range map[string]uint64{"known to the giver": 0, "not known to it": 1} {
		t.Run(name, func(t *testing.T) {
			at := func(seq uint64) changelog.Mark {
				return changelog.Mark{Seq: seq, CSN: changelog.CSN{Time: int64(seq), SID: 1}}
			}
			r := newcomerIn(t, reaching{node: &node{c: &cluster{t: t}}, state: changelog.Vector{1: at(3)}}, 5, false)
			giver := replica.Peer{JID: "a@x/ldapsync", SID: 1, Install: "a", Role: roles.Master, State: "ready", Vector: changelog.Vector{1: at(3)}}
			changes := []changelog.Change{
				{CSN: at(1).CSN, Seq: 1, Op: changelog.OpHeartbeat},
				{CSN: at(2).CSN, Seq: 2, Op: changelog.OpModify, ID: changelog.ID{7}, DN: "ou=gone," + suffix,
					Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "description"}}},
				{CSN: at(3).CSN, Seq: 3, Op: changelog.OpHeartbeat},
				{CSN: at(4).CSN, Seq: 4, Op: changelog.OpHeartbeat},
			}
			pull := func() {
				t.Helper()
				if _, err := r.StepPull(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.SetPeers([]replica.Peer{giver}); err != nil {
				t.Fatal(err)
			}
			pull()
			if got, err := r.Receive(replica.Delivery{Relay: 1, RelayRole: roles.Master, Changes: changes[:3+ahead]}); err != nil || got.New != 3+int(ahead) {
				t.Fatal(got, err)
			}
			pull()
			s, err := r.Status()
			if v, e := r.Vector(); err != nil || e != nil || v[1].Seq != 3+ahead || s.Withheld != int(ahead) {
				t.Errorf("has %s, %d withheld, %v, %v", v, s.Withheld, err, e)
			}
		})
	}
}
