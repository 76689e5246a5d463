package replica_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory/memory"
	"ldapsync/dit"
	"ldapsync/ldif"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/schema"
	"ldapsync/store"
)

// LastPublished implements replica.Network.
func (nd *node) LastPublished(context.Context) (changelog.Mark, error) {
	if nd.c.isCut() {
		return changelog.Mark{}, replica.ErrOffline
	}
	name := nd.nodeName()
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	return nd.c.last[name], nil
}

func (nd *node) nodeName() string { return fmt.Sprint(nd.name, " ", nd.Identity().SID) }

func (c *cluster) setLast(name string, ch changelog.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[string]changelog.Mark{}
	}
	c.last[name] = changelog.Mark{Seq: ch.Seq, CSN: ch.CSN}
}

// TestRestoredWhileThoseWhoKnowAreAway promises that an old state file is found out
// though nobody who is there has what was published since.
func TestRestoredWhileThoseWhoKnowAreAway(t *testing.T) {
	c := newCluster(t, 3)
	other, b, a := c.nodes[0], c.nodes[1], c.nodes[2]
	other.start(1)
	other.do(base()...)
	for i := range 9 {
		other.do(person(fmt.Sprintf("u%d", i), "mail", "old@x"))
	}
	b.start(2)
	c.settled()
	a.start(3)
	c.settled()
	b.stop()
	file := b.path + ".backup"
	b.copyFile(b.path, file)
	b.start(2)
	c.settled()
	other.stop()
	b.do(modify(user(3), replace("mail", "known to a")))
	c.eventually(func() string {
		if got := a.values(user(3), "mail"); !slices.Equal(got, []string{"known to a"}) {
			return fmt.Sprintf("a has %q", got)
		}
		return ""
	})
	a.stop()
	b.stop()
	b.copyFile(file, b.path)
	b.do(modify(user(4), replace("mail", "unseen")))
	other.start(1)
	b.start(2)
	b.beginAnew()
	c.settled()
	a.start(3)
	c.settled()
	for _, nd := range c.nodes {
		for i, want := range map[int]string{3: "known to a", 4: "unseen", 5: "old@x"} {
			if got := nd.values(user(i), "mail"); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: mail of %d is %q, want %q", nd.name, i, got, want)
			}
		}
	}
	if b.Identity().SID == 2 {
		t.Error("it has the same number")
	}
}

// session is a network that answers as it is told.
type session struct {
	*node
	last changelog.Mark
	err  error
	// next is what was published last when the session has ended unnoticed.
	next      *changelog.Mark
	published []uint64
	// offered returns up to which the store says that we may have published.
	offered func() uint64
}

func (s *session) LastPublished(context.Context) (changelog.Mark, error) {
	return s.last, s.err
}

func (s *session) Publish(_ context.Context, changes []changelog.Change) (uint64, error) {
	if s.next != nil {
		s.last, s.next = *s.next, nil
		return 0, replica.ErrUnread
	}
	if noted, last := s.offered(), changes[len(changes)-1].Seq; noted < last {
		s.c.t.Errorf("publishes up to %d before the store says so: %d", last, noted)
	}
	for _, c := range changes {
		s.published = append(s.published, c.Seq)
	}
	return s.published[len(s.published)-1], nil
}

// made returns a replica of a store that has made three changes under number 2, of
// which the first was published and those up to offered may have been, and their marks.
func made(t *testing.T, net *session, offered uint64) (*replica.Replica, []changelog.Mark) {
	t.Helper()
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	var marks []changelog.Mark
	err = s.Update(func(tx *store.Tx) error {
		for seq := range uint64(3) {
			c := changelog.Change{Seq: seq + 1, CSN: changelog.CSN{Time: time.Now().UnixMicro() + int64(seq), SID: 2}, Op: changelog.OpHeartbeat}
			marks = append(marks, changelog.Mark{Seq: c.Seq, CSN: c.CSN})
			if err := tx.Log.Append(&c); err != nil {
				return err
			}
		}
		return errors.Join(tx.SetPublished(1), tx.SetOffered(offered), tx.SetIdentity(store.Identity{Suffix: suffix, JID: "b@x", SID: 2, Joined: true, Adopted: true}))
	})
	if err != nil {
		t.Fatal(err)
	}
	net.offered = func() (seq uint64) {
		if err := s.View(func(tx *store.Tx) error { seq = tx.Offered(); return nil }); err != nil {
			t.Error(err)
		}
		return seq
	}
	r := replicaOf(t, s, net)
	if err := errors.Join(r.SetRole(roles.Master), r.SetPeers(nil)); err != nil {
		t.Fatal(err)
	}
	return r, marks
}

func TestNothingIsPublishedBeforeTheLast(t *testing.T) {
	for name, tc := range map[string]struct {
		offered uint64
		last    func(marks []changelog.Mark) changelog.Mark
		again   bool
	}{
		"nothing":             {1, func([]changelog.Mark) changelog.Mark { return changelog.Mark{} }, false},
		"ours":                {1, func(m []changelog.Mark) changelog.Mark { return m[0] }, false},
		"our newest":          {3, func(m []changelog.Mark) changelog.Mark { return m[2] }, false},
		"number alone":        {3, func([]changelog.Mark) changelog.Mark { return changelog.Mark{Seq: 3} }, false},
		"later":               {3, func(m []changelog.Mark) changelog.Mark { return changelog.Mark{Seq: 4, CSN: m[2].CSN} }, true},
		"later number":        {3, func([]changelog.Mark) changelog.Mark { return changelog.Mark{Seq: 4} }, true},
		"another of it":       {3, func(m []changelog.Mark) changelog.Mark { return changelog.Mark{Seq: 2, CSN: m[0].CSN} }, true},
		"made by both":        {1, func(m []changelog.Mark) changelog.Mark { return m[1] }, true},
		"number made by both": {1, func([]changelog.Mark) changelog.Mark { return changelog.Mark{Seq: 3} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			net := &session{node: &node{c: &cluster{t: t}}}
			r, marks := made(t, net, tc.offered)
			net.last, net.err = tc.last(marks), fmt.Errorf("not now: %w", replica.ErrOffline)
			if more, err := r.StepPublish(t.Context()); more || !errors.Is(err, replica.ErrOffline) || len(net.published) > 0 {
				t.Errorf("offline: %v, %v, published %d", more, err, net.published)
			}
			net.err = nil
			if more, err := r.StepPublish(t.Context()); err != nil || more == tc.again || r.Again() != tc.again {
				t.Errorf("%v, %v, again %v, want %v", more, err, r.Again(), tc.again)
			}
			want := []uint64{2, 3}
			if last := net.last; !last.CSN.IsZero() && last.Seq > 1 {
				want = want[last.Seq-2:] // what comes before was published
			}
			if tc.again && len(net.published) > 0 || !tc.again && !slices.Equal(net.published, want) {
				t.Errorf("published %d", net.published)
			}
		})
	}
}

// TestLastIsLookedAtInEverySession promises that another copy is found out that has
// published while this server was away.
func TestLastIsLookedAtInEverySession(t *testing.T) {
	for name, last := range map[string]changelog.Mark{"another copy": {Seq: 9}, "another copy that made the same": {Seq: 3}, "nobody": {Seq: 1}} {
		t.Run(name, func(t *testing.T) {
			net := &session{node: &node{c: &cluster{t: t}}, last: changelog.Mark{Seq: 1}, next: &last}
			r, _ := made(t, net, 1)
			if more, err := r.StepPublish(t.Context()); !more || err != nil || len(net.published) > 0 {
				t.Fatal(more, err, net.published)
			}
			another := last.Seq > 1
			if more, err := r.StepPublish(t.Context()); more == another || err != nil || r.Again() != another || len(net.published) > 0 == another {
				t.Errorf("%v, %v, again %v, published %d", more, err, r.Again(), net.published)
			}
		})
	}
}

// TestNobodyIsGivenWhatWasNotPublished: neither by what is shown, nor by a page.
func TestNobodyIsGivenWhatWasNotPublished(t *testing.T) {
	net := &session{node: &node{c: &cluster{t: t}}}
	r, marks := made(t, net, 1)
	look := func(want changelog.Mark) {
		t.Helper()
		v, err := r.Shown()
		if err != nil || v[2] != want {
			t.Errorf("shown %v, %v, want %v", v, err, want)
		}
		changes, more, err := r.Serve(nil, 0)
		if err != nil || more || len(changes) != int(want.Seq) {
			t.Errorf("served %d changes, %v, %v, want %d", len(changes), more, err, want.Seq)
		}
	}
	look(marks[0])
	if _, err := r.ServeSnapshot(nil, 1000); err == nil {
		t.Error("served its state before it looked at what was published last")
	}
	if _, err := r.StepPublish(t.Context()); err != nil {
		t.Fatal(err)
	}
	look(marks[2])
	if page, err := r.ServeSnapshot(nil, 1000); err != nil || page.Vector[2] != marks[2] {
		t.Errorf("%v, %v", page.Vector, err)
	}
}

// replicaOf returns a replica that is stepped.
func replicaOf(t *testing.T, s *store.Store, net replica.Network) *replica.Replica {
	t.Helper()
	r, err := replica.New(t.Context(), replica.Config{
		Suffix: mustDN(suffix), Store: s, Directory: memory.New(mustDN(suffix), schema.Standard(), time.Now, newIDs(9)), Network: net,
		Rules: func(s *schema.Schema) dit.Rules { return dit.DefaultRules(s, mustDN(suffix)) },
		Keep:  func(*ldif.Record) error { return nil }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReadyOnceAllIsPublished promises that who joins does not do so with somebody
// who has yet to say what its directory held.
func TestReadyOnceAllIsPublished(t *testing.T) {
	c := newCluster(t, 1)
	a := c.nodes[0]
	c.partition(true)
	a.do(base()...)
	a.start(1)
	a.captured()
	if got := a.State(); got != "catching-up" {
		t.Errorf("is %s with nothing published", got)
	}
	c.partition(false)
	c.eventually(func() string {
		if got := a.State(); got != "ready" {
			return got
		}
		return ""
	})
}
