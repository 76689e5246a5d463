package replica_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/memory"
	"ldapsync/dit"
	"ldapsync/ldif"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/schema"
	"ldapsync/store"
)

// A history of servers that lose what they have, step by step in one goroutine.
type history struct {
	t     *testing.T
	rng   *rand.Rand
	nodes []*lossy
	now   time.Time
	// tokens counts the values that clients wrote; where says in which entry the
	// newest of each register stands, live what exists.
	tokens   int
	register map[changelog.ID]string
	added    map[string]changelog.ID
	live     map[changelog.ID]bool
	dead     map[changelog.ID]bool
	ids      int
	// last is what was published last, by account and number.
	last map[string]changelog.Mark
}

// lossy is a server that may die at any commit, and its room's relation to it.
type lossy struct {
	h       *history
	name    string
	dir     *memory.Directory
	disk    *store.Memory
	rep     *replica.Replica
	store   *store.Store
	capture *replica.Capture
	search  *memory.Search
	fuse    int
	dead    bool
	lives   int
	kept    []string
	// silent says that its directory does not tell which entryCSNs writes gave, deaf
	// that no write reaches it, mute that writes are made; the server knows neither.
	silent, deaf, mute bool
}

var errKilled = errors.New("killed")

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		register: map[changelog.ID]string{}, added: map[string]changelog.ID{}, live: map[changelog.ID]bool{}, dead: map[changelog.ID]bool{}, last: map[string]changelog.Mark{}}
	for i := range 2 {
		nd := &lossy{h: h, name: fmt.Sprintf("n%d@x/ldapsync", i+1), disk: store.NewMemory()}
		nd.dir = memory.New(mustDN(suffix), schema.Standard(), h.time, h.id)
		h.nodes = append(h.nodes, nd)
	}
	return h
}

func (h *history) time() time.Time { h.now = h.now.Add(time.Millisecond); return h.now }

func (h *history) id() changelog.ID {
	h.ids++
	return changelog.ID{0: 7, 14: byte(h.ids >> 8), 15: byte(h.ids)}
}

func (nd *lossy) must(err error) {
	nd.h.t.Helper()
	if err != nil && !nd.dead && !errors.Is(err, errKilled) {
		nd.h.t.Fatalf("%s: %v", nd.name, err)
	}
}

func (nd *lossy) up() {
	var err error
	nd.dead = false
	nd.disk.SetGuard(func(commit func()) error {
		if nd.dead {
			return errKilled
		}
		if nd.fuse--; nd.fuse == 0 {
			nd.dead = true
			if nd.h.rng.IntN(2) == 0 {
				commit()
			}
			return errKilled
		}
		commit()
		return nil
	})
	nd.store, err = nd.disk.Open()
	nd.must(err)
	nd.must(nd.store.Update(func(tx *store.Tx) error {
		id, err := tx.Identity()
		if err == nil && id.Install == "" {
			nd.lives++
			err = tx.SetIdentity(store.Identity{Suffix: suffix, JID: nd.name, Install: fmt.Sprintf("%s-%d", nd.name, nd.lives), Epoch: 1})
		}
		return err
	}))
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("DEBUG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", nd.name)
	}
	nd.rep, err = replica.New(context.Background(), replica.Config{
		Suffix: mustDN(suffix), Store: nd.store, Directory: answering{nd.dir, nd}, Network: nd,
		Rules: func(s *schema.Schema) dit.Rules { return dit.DefaultRules(s, mustDN(suffix)) },
		Keep:  nd.keep, Now: nd.h.time, Log: log,
	})
	nd.must(err)
	if err != nil {
		return
	}
	nd.must(nd.rep.SetRole(roles.Master))
	if nd == nd.h.nodes[0] {
		nd.must(nd.rep.TakeSID(1))
		nd.must(nd.rep.Found())
	}
}

func (nd *lossy) keep(rec *ldif.Record) error {
	if nd.dead {
		return errKilled
	}
	nd.kept = append(nd.kept, fmt.Sprintf("%+v", *rec))
	return nil
}

func (nd *lossy) down() {
	nd.rep, nd.capture, nd.search, nd.fuse = nil, nil, nil, 0
}

// Publish, LastPublished, Pull and Snapshot implement replica.Network.
func (nd *lossy) Publish(_ context.Context, changes []changelog.Change) (uint64, error) {
	for _, o := range nd.h.nodes {
		if o != nd && o.rep != nil {
			_, err := o.rep.Receive(replica.Delivery{Relay: nd.rep.Identity().SID, RelayRole: roles.Master, Changes: changes})
			o.must(err)
		}
	}
	end := changes[len(changes)-1]
	nd.h.last[nd.nodeName()] = changelog.Mark{Seq: end.Seq, CSN: end.CSN}
	return end.Seq, nil
}

func (nd *lossy) nodeName() string { return fmt.Sprint(nd.name, " ", nd.rep.Identity().SID) }

func (nd *lossy) LastPublished(context.Context) (changelog.Mark, error) {
	return nd.h.last[nd.nodeName()], nil
}

func (nd *lossy) Pull(_ context.Context, peer string, have changelog.Seqs) ([]changelog.Change, bool, error) {
	for _, o := range nd.h.nodes {
		if o.name == peer && o.rep != nil {
			return o.rep.Serve(have, 0)
		}
	}
	return nil, false, replica.ErrOffline
}

func (nd *lossy) Snapshot(context.Context, string, *dit.Mark) (replica.StatePage, error) {
	return replica.StatePage{}, replica.ErrOffline
}

func (nd *lossy) meet() {
	var peers []replica.Peer
	for _, o := range nd.h.nodes {
		if o == nd || o.rep == nil || !o.rep.Identity().SID.Valid() {
			continue
		}
		v, err := o.rep.Shown()
		nd.must(err)
		id := o.rep.Identity()
		peers = append(peers, replica.Peer{JID: o.name, SID: id.SID, Install: id.Install, Role: roles.Master, State: o.rep.State(), Vector: v})
	}
	nd.must(nd.rep.SetPeers(peers))
	nd.must(nd.rep.TakeSID(2))
}

// step lets a server do one thing; it returns whether there was anything to do.
func (nd *lossy) step() bool {
	if nd.rep == nil {
		return false
	}
	ctx := context.Background()
	nd.meet()
	if nd.rep.Again() && !nd.dead {
		nd.beginAnew()
		return true
	}
	busy, err := nd.rep.StepPull(ctx)
	nd.must(err)
	if _, err := nd.rep.StepJoin(ctx); err != nil {
		nd.must(err)
	}
	more, err := nd.rep.StepPublish(ctx)
	nd.must(err)
	busy = busy || more
	if nd.rep.Identity().Joined && nd.rep.Fault() == "" && !nd.dead {
		busy = nd.watch() || busy
		more, unconfirmed, err := nd.rep.StepApply(ctx)
		nd.must(err)
		if len(unconfirmed) > 0 && !nd.dead {
			nd.must(nd.rep.StepConfirm(ctx, unconfirmed))
		}
		nd.must(nd.rep.StepTime())
		_, err = nd.rep.StepHeartbeat()
		nd.must(err)
		busy = busy || more
	}
	if nd.dead {
		nd.down()
		nd.up()
		return true
	}
	return busy || !nd.rep.Identity().Joined
}

func (nd *lossy) watch() bool {
	if nd.capture == nil {
		c, cookie, err := nd.rep.BeginCapture()
		nd.must(err)
		if err != nil {
			return true
		}
		nd.capture, nd.search = c, nd.dir.Search(cookie)
	}
	events, err := nd.search.Next(1 + nd.h.rng.IntN(20))
	if err == nil && len(events) > 0 {
		err = nd.capture.Step(context.Background(), events)
	}
	if err != nil {
		nd.capture.End(err)
		nd.capture, nd.search = nil, nil
		if !errors.Is(err, replica.ErrResync) && !errors.Is(err, replica.ErrDoubt) && !errors.Is(err, directory.ErrUnavailable) {
			nd.must(err)
		}
		return true
	}
	return len(events) > 0
}

func (nd *lossy) beginAnew() {
	id, err := replica.Anew(nd.store, nd.h.now)
	nd.must(err)
	nd.lives++
	id.Install = fmt.Sprintf("%s-%d", nd.name, nd.lives)
	nd.down()
	nd.disk = store.NewMemory()
	s, err := nd.disk.Open()
	nd.must(err)
	nd.must(s.Update(func(tx *store.Tx) error { return tx.SetIdentity(id) }))
	nd.up()
}

// settle lets the servers work until nothing is left to do.
func (h *history) settle() {
	h.t.Helper()
	for idle, n := 0, 0; idle < 12; n++ {
		if n > 2000 {
			for _, nd := range h.nodes {
				s, err := nd.rep.Status()
				h.t.Logf("%s: %+v %v", nd.name, s, err)
			}
			h.t.Fatal("the servers do not come to rest")
		}
		idle++
		for _, nd := range h.nodes {
			if nd.step() {
				idle = 0
			}
		}
	}
}

func (h *history) token() string {
	h.tokens++
	return "token-" + strconv.Itoa(h.tokens) + "-"
}

// client makes a write at random.
func (h *history) client(nd *lossy) {
	ids := nd.dir.IDs()
	ids = slices.DeleteFunc(ids, func(id changelog.ID) bool {
		return !strings.HasPrefix(nd.dir.Entry(id).DN, "uid=")
	})
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, changelog.ID.Compare)
	id := ids[h.rng.IntN(len(ids))]
	name, token := nd.dir.Entry(id).DN, h.token()
	var w directory.Write
	switch h.rng.IntN(10) {
	case 0, 1, 2, 3:
		w = modify(name, changelog.Mod{Op: changelog.ModAdd, Attr: "description", Values: []string{token}})
	case 4, 5, 6:
		w = modify(name, replace("employeeNumber", token))
	case 7:
		w = directory.Write{Op: directory.ModDN, DN: name, NewRDN: "uid=" + token, DeleteOldRDN: true}
	case 8:
		w = person(token)
	case 9:
		w = directory.Write{Op: directory.Delete, DN: name}
	}
	if err := nd.dir.Do(w); err != nil {
		h.t.Fatalf("client: %v", err)
	}
	switch w.Op {
	case directory.Add:
		h.live[nd.dir.Find(mustDN(w.DN))] = true
	case directory.Delete:
		h.dead[id] = true
	case directory.Modify:
		if w.Mods[0].Attr == "employeeNumber" {
			h.register[id] = token
		} else {
			h.added[token] = id
		}
	}
}

// TestNothingIsLostWithAStore loses the state of a server, in several ways, while
// clients write on both sides and the process dies now and then.
func TestNothingIsLostWithAStore(t *testing.T) {
	seeds := 150
	if more, err := strconv.Atoi(os.Getenv("LOSS_SEEDS")); err == nil {
		seeds = more
	}
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { loseAndReturn(newHistory(t, uint64(seed))) })
	}
}

func loseAndReturn(h *history) {
	a, b := h.nodes[0], h.nodes[1]
	if err := a.dir.Do(base()...); err != nil {
		h.t.Fatal(err)
	}
	for i := range 6 {
		w := person(fmt.Sprintf("u%d", i), "employeeNumber", "0")
		if err := a.dir.Do(w); err != nil {
			h.t.Fatal(err)
		}
		h.live[a.dir.Find(mustDN(w.DN))] = true
	}
	a.up()
	b.up()
	h.settle()
	work := func(n int) {
		for range h.rng.IntN(n) {
			h.client(h.nodes[h.rng.IntN(2)])
			for range h.rng.IntN(4) {
				h.nodes[h.rng.IntN(2)].step()
			}
		}
	}
	work(12)
	h.settle()
	disk, dir := b.disk.Copy(), b.dir.Backup()
	work(12)
	if h.rng.IntN(2) == 0 {
		h.now = h.now.Add(2 * time.Minute) // time for a heartbeat
	}
	how := []string{"wiped", "restored", "both restored", "directory restored", "wiped, directory restored"}[h.rng.IntN(5)]
	if strings.HasSuffix(how, "restored") && how != "restored" {
		h.settle() // what only the directory had is lost with it
	}
	b.down()
	switch how {
	case "wiped":
		b.disk = store.NewMemory()
	case "restored":
		b.disk = disk
	case "both restored":
		b.disk = disk
		b.dir.Restore(dir)
	case "directory restored":
		b.dir.Restore(dir)
	case "wiped, directory restored":
		b.disk = store.NewMemory()
		b.dir.Restore(dir)
	}
	for range h.rng.IntN(8) {
		h.client(h.nodes[h.rng.IntN(2)])
		a.step()
	}
	if h.rng.IntN(2) == 0 {
		b.fuse = 1 + h.rng.IntN(40)
	}
	b.up()
	h.settle()
	h.check(how)
}

func (h *history) check(how string) {
	a, b := h.nodes[0], h.nodes[1]
	da, db := a.dir.Dump(), b.dir.Dump()
	if !slices.Equal(da, db) {
		h.t.Errorf("%s: the directories differ:\n%s\n%s", how, strings.Join(da, "\n"), strings.Join(db, "\n"))
	}
	all := strings.Join(da, "\n") + strings.Join(b.kept, "\n") + h.journal(a)
	here := map[changelog.ID]bool{}
	for _, id := range a.dir.IDs() {
		here[id] = true
	}
	for id := range h.live {
		if !here[id] && !h.dead[id] {
			h.t.Errorf("%s: entry %s is gone and nobody deleted it", how, id)
		}
	}
	for token, id := range h.added {
		if !strings.Contains(all, token) && !h.dead[id] {
			h.t.Errorf("%s: the value %s of %s is gone without a trace", how, token, id)
		}
	}
	for id, token := range h.register {
		if !strings.Contains(all, token) && !h.dead[id] {
			h.t.Errorf("%s: the last value %s of %s is gone without a trace", how, token, id)
		}
	}
}

func (h *history) journal(nd *lossy) string {
	var b strings.Builder
	err := nd.store.View(func(tx *store.Tx) error {
		s := dit.Open(tx.KV(), dit.DefaultRules(schema.Standard(), mustDN(suffix)))
		return s.Journal(func(r dit.Record) bool { fmt.Fprintf(&b, "%+v\n", r); return true })
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return b.String()
}
