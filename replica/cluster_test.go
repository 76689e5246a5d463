package replica_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/memory"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/ldif"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/schema"
	"ldapsync/store"
)

const suffix = "dc=example,dc=org"

// cluster is some replicas over directories in memory, joined by function calls.
type cluster struct {
	t     *testing.T
	nodes []*node
	mu    sync.Mutex
	cut   bool
	// last is what was published last, by account and number.
	last map[string]changelog.Mark
	// ahead is how far the clock of all nodes is ahead of the real one.
	ahead atomic.Int64
	// anyIDs says that directories may call the same entry by different ids.
	anyIDs bool
}

type node struct {
	*replica.Replica
	c     *cluster
	name  string
	dir   *memory.Directory
	store *store.Store
	path  string
	done  chan error
	// followed is closed when the node no longer looks at the others.
	followed chan struct{}
	// prefer is what it is configured to prefer when it joins.
	prefer  replica.Prefer
	missing replica.Missing
	// unique are the attributes whose values are to be unique.
	unique []string

	// guarded by c.mu
	role   roles.Role
	cancel context.CancelFunc
	// published counts the changes of entries, beats the heartbeats.
	published, beats int
	kept             []*ldif.Record
	unseen           []*ldif.Record
	// pages counts those handed out; afterPage, when set, is called with each.
	pages int
	// hidden says that the others do not see it.
	hidden    bool
	afterPage func(n int)
}

func (nd *node) writeUnseen(write func(func(*ldif.Record) error) error) (string, error) {
	return "unseen.ldif", write(func(rec *ldif.Record) error {
		nd.c.mu.Lock()
		defer nd.c.mu.Unlock()
		nd.unseen = append(nd.unseen, rec)
		return nil
	})
}

func (nd *node) keep(rec *ldif.Record) error {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	nd.kept = append(nd.kept, rec)
	return nil
}

func (nd *node) running() bool {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	return nd.cancel != nil
}

func (nd *node) setCancel(cancel context.CancelFunc) {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	nd.cancel = cancel
}

// now returns the replica as the other nodes reach it, nil while it is down.
func (nd *node) now() *replica.Replica {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	if nd.cancel == nil {
		return nil
	}
	return nd.Replica
}

func (nd *node) setRole(role roles.Role) {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	nd.role = role
}

func (nd *node) roleNow() roles.Role {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	return nd.role
}

func (nd *node) publishedNow() int {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	return nd.published
}

func (nd *node) beatsNow() int {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	return nd.beats
}

func newCluster(t *testing.T, n int) *cluster {
	c := &cluster{t: t}
	for i := range n {
		name := fmt.Sprintf("ldap%d@x/ldapsync", i+1)
		nd := &node{c: c, name: name, path: filepath.Join(t.TempDir(), "state.db"), role: roles.Master}
		nd.dir = memory.New(mustDN(suffix), schema.Standard(), time.Now, newIDs(byte(i+1)))
		c.nodes = append(c.nodes, nd)
	}
	t.Cleanup(func() {
		for _, nd := range c.nodes {
			nd.stop()
		}
	})
	return c
}

// newIDs returns ids that no other node draws.
func newIDs(node byte) func() changelog.ID {
	n := 0
	return func() changelog.ID {
		n++
		return changelog.ID{0: node, 14: byte(n >> 8), 15: byte(n)}
	}
}

func mustDN(s string) dn.DN {
	d, err := dn.Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

// start brings one node up; the first one founds the room.
func (nd *node) start(sid changelog.SID) {
	t := nd.c.t
	t.Helper()
	var err error
	if nd.store, err = store.Open(nd.path); err != nil {
		t.Fatal(err)
	}
	err = nd.store.Update(func(tx *store.Tx) error {
		id, err := tx.Identity()
		if err == nil && id.Install == "" {
			err = tx.SetIdentity(store.Identity{Suffix: suffix, JID: nd.name, Install: fmt.Sprintf("%s %d", nd.name, time.Now().UnixNano()), Epoch: 1})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelError
	if os.Getenv("DEBUG") != "" {
		level = slog.LevelDebug
	}
	made, err := replica.New(context.Background(), replica.Config{
		Prefer: nd.prefer, Missing: nd.missing,
		Suffix: mustDN(suffix), Store: nd.store, Directory: nd.dir, Network: nd,
		Rules: func(s *schema.Schema) dit.Rules {
			rules := dit.DefaultRules(s, mustDN(suffix))
			rules.Unique = nd.unique
			return rules
		},
		Keep: nd.keep, Unseen: nd.writeUnseen,
		KeepLog: time.Millisecond,
		Now:     func() time.Time { return time.Now().Add(time.Duration(nd.c.ahead.Load())) }, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("node", nd.name),
	})
	if err != nil {
		t.Fatal(err)
	}
	nd.c.mu.Lock()
	nd.Replica = made
	nd.c.mu.Unlock()
	if err := nd.SetRole(nd.roleNow()); err != nil {
		t.Fatal(err)
	}
	if err := nd.SetPeers(nd.c.peersOf(nd)); err != nil {
		t.Fatal(err)
	}
	if err := nd.TakeSID(sid); err != nil {
		t.Fatal(err)
	}
	if nd == nd.c.nodes[0] {
		if err := nd.Found(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	nd.done = make(chan error, 1)
	nd.setCancel(cancel)
	go func() { nd.done <- made.Run(ctx) }()
	nd.followed = make(chan struct{})
	go nd.follow(ctx, nd.followed)
}

func (nd *node) stop() {
	if !nd.running() {
		return
	}
	nd.cancel()
	nd.setCancel(nil)
	<-nd.followed
	if err := <-nd.done; err != nil && !errors.Is(err, replica.ErrAgain) {
		nd.c.t.Errorf("%s: %v", nd.name, err)
	}
	nd.store.Close()
}

// follow shows the node the vectors of the others, as presence does.
func (nd *node) follow(ctx context.Context, over chan<- struct{}) {
	defer close(over)
	for ctx.Err() == nil {
		if err := nd.SetPeers(nd.c.peersOf(nd)); err != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *cluster) peersOf(nd *node) (out []replica.Peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil
	}
	for _, o := range c.nodes {
		if o == nd || o.hidden || nd.hidden || o.cancel == nil || !o.Identity().SID.Valid() {
			continue
		}
		v, err := o.Shown()
		if err != nil {
			continue
		}
		out = append(out, replica.Peer{JID: o.name, SID: o.Identity().SID, Install: o.Identity().Install, Role: o.role, State: o.State(), Vector: v})
	}
	return out
}

func (c *cluster) partition(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
}

func (c *cluster) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// Publish implements replica.Network.
func (nd *node) Publish(_ context.Context, changes []changelog.Change) (uint64, error) {
	if nd.c.isCut() {
		return 0, replica.ErrOffline
	}
	nd.count(changes)
	nd.c.setLast(nd.nodeName(), changes[len(changes)-1])
	for _, o := range nd.c.nodes {
		to := o.now()
		if o == nd || to == nil {
			continue
		}
		if _, err := to.Receive(replica.Delivery{Relay: nd.Identity().SID, RelayRole: nd.roleNow(), Changes: changes}); err != nil {
			return 0, err
		}
	}
	return changes[len(changes)-1].Seq, nil
}

func (nd *node) count(changes []changelog.Change) {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	for _, c := range changes {
		switch {
		case c.Op.Alters():
			nd.published++
		case c.Op == changelog.OpHeartbeat:
			nd.beats++
		}
	}
}

// Pull implements replica.Network.
func (nd *node) Pull(_ context.Context, peer string, have changelog.Seqs) ([]changelog.Change, bool, error) {
	if nd.c.isCut() {
		return nil, false, replica.ErrOffline
	}
	for _, o := range nd.c.nodes {
		if from := o.now(); o.name == peer && from != nil {
			if gone, err := from.RemovedAt(nd.name, nd.Identity().SID); gone != nil {
				return nil, false, errors.Join(gone, err)
			}
			return from.Serve(have, 0)
		}
	}
	return nil, false, replica.ErrOffline
}

// Snapshot implements replica.Network, in small pages.
func (nd *node) Snapshot(_ context.Context, peer string, after *dit.Mark) (replica.StatePage, error) {
	if nd.c.isCut() {
		return replica.StatePage{}, replica.ErrOffline
	}
	for _, o := range nd.c.nodes {
		if from := o.now(); o.name == peer && from != nil && !o.isHidden() {
			page, err := from.ServeSnapshot(after, 600)
			o.handedOut()
			if nd.afterPage != nil {
				nd.afterPage(nd.pageCount())
			}
			return page, err
		}
	}
	return replica.StatePage{}, replica.ErrOffline
}

func (nd *node) isHidden() bool {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	return nd.hidden
}

func (nd *node) hide(hidden bool) {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	nd.hidden = hidden
}

func (nd *node) handedOut() {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	nd.pages++
}

// pageCount returns how many pages all nodes have handed out.
func (nd *node) pageCount() (n int) {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	for _, o := range nd.c.nodes {
		n += o.pages
	}
	return n
}

// eventually waits until ok, or fails with what it says.
func (c *cluster) eventually(ok func() string) {
	c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		why := ok()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatal(why)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// uncaptured tells whether a node that is up has not looked at all that its
// directory has to report.
func (nd *node) uncaptured() (why string) {
	err := nd.store.View(func(tx *store.Tx) error {
		if now := nd.dir.Cookie(); string(tx.Cookie()) != string(now) {
			why = fmt.Sprintf("%s has captured up to %s of %s", nd.name, tx.Cookie(), now)
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return why
}

// captured waits until a node has captured what its directory holds.
func (nd *node) captured() {
	nd.c.t.Helper()
	nd.c.eventually(nd.uncaptured)
}

// settled waits until all running nodes hold the same, with nothing to do, and
// have captured all that clients wrote.
func (c *cluster) settled() {
	c.t.Helper()
	c.eventually(func() string {
		want := c.nodes[0].content()
		v0, _ := c.nodes[0].Vector()
		for _, nd := range c.nodes {
			if !nd.running() {
				continue
			}
			if why := nd.uncaptured(); why != "" {
				return why
			}
			s, err := nd.Status()
			if err != nil {
				return err.Error()
			}
			if s.Publish+s.Apply+s.ParkedCount > 0 || slices.Contains([]string{"catching-up", "joining", "waiting"}, s.State) {
				return fmt.Sprintf("%s is at work: %+v", nd.name, s)
			}
			if v0.String() != s.Vector.String() {
				return fmt.Sprintf("vectors differ: %s %s", v0, s.Vector)
			}
			if diff := cmp.Diff(want, nd.content()); diff != "" {
				return nd.name + " differs:\n" + diff
			}
		}
		return ""
	})
}

// content returns what the directory holds, as settled compares it.
func (nd *node) content() []string {
	out := nd.dir.Dump()
	for i := 0; nd.c.anyIDs && i < len(out); i++ {
		out[i] = regexp.MustCompile("\n  id: .*").ReplaceAllString(out[i], "")
	}
	return out
}

func (nd *node) do(writes ...directory.Write) {
	nd.c.t.Helper()
	if err := nd.dir.Do(writes...); err != nil {
		nd.c.t.Fatalf("%s: %v", nd.name, err)
	}
}

func addEntry(name string, attrs ...string) directory.Write {
	w := directory.Write{Op: directory.Add, DN: name}
	byName := map[string]int{}
	for i := 0; i+1 < len(attrs); i += 2 {
		if j, ok := byName[attrs[i]]; ok {
			w.Attrs[j].Values = append(w.Attrs[j].Values, attrs[i+1])
			continue
		}
		byName[attrs[i]] = len(w.Attrs)
		w.Attrs = append(w.Attrs, directory.Attribute{Name: attrs[i], Values: []string{attrs[i+1]}})
	}
	return w
}

func modify(name string, mods ...changelog.Mod) directory.Write {
	return directory.Write{Op: directory.Modify, DN: name, Mods: mods}
}

func replace(attr string, values ...string) changelog.Mod {
	return changelog.Mod{Op: changelog.ModReplace, Attr: attr, Values: values}
}

func base() []directory.Write {
	return []directory.Write{
		addEntry(suffix, "objectClass", "top", "objectClass", "dcObject", "objectClass", "organization", "o", "Example", "dc", "example"),
		addEntry("ou=people,"+suffix, "objectClass", "organizationalUnit"),
		addEntry("ou=groups,"+suffix, "objectClass", "organizationalUnit"),
	}
}

func person(uid string, more ...string) directory.Write {
	attrs := append([]string{"objectClass", "inetOrgPerson", "cn", "Person " + uid, "sn", uid, "userPassword", "secret"}, more...)
	return addEntry("uid="+uid+",ou=people,"+suffix, attrs...)
}
