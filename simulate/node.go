package simulate

import (
	"context"
	"errors"
	"fmt"
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

// node is one server: a directory, and beside it a replica that may be down.
type node struct {
	w    *world
	i    int
	name string
	// role is the room's word; the replica learns of it when presence does.
	role roles.Role
	// gone says that the server has left for ever, asleep until which step it
	// does nothing.
	gone bool
	// number is the sid as last seen, installs counts the state files begun,
	// backup is an old copy of one and of the directory beside it. Lost says that
	// the present state file is not the one that saw all that clients did, or does
	// not fit the directory: then clients are not watched any more, but what they
	// write has to leave traces.
	number changelog.SID
	// numbers are all those it has had.
	numbers map[changelog.SID]bool
	// wants is the number it is configured to have, 0 to choose one of those that
	// it sees to be free; prefer whose entries where it joins with some of its own,
	// missing what it means that some are missing where it returns.
	wants    changelog.SID
	prefer   replica.Prefer
	missing  replica.Missing
	installs int
	lost     bool
	backup   *backup
	// settled says that it has joined with its present state.
	settled bool
	asleep  int

	server *memory.Directory
	disk   *store.Memory
	rules  dit.Rules
	// skew and drift are what is wrong with its clock, setBack says that it went back.
	skew    time.Duration
	drift   float64
	setBack bool

	// rep is nil while the process is down.
	rep   *replica.Replica
	store *store.Store
	// looked says that it was looked at what was published last, in this session.
	looked  bool
	joined  bool
	capture *replica.Capture
	search  *memory.Search
	// shown are the others as presence has shown them, each in its place among the
	// nodes; one without a JID is not there.
	shown []replica.Peer

	// fuse is the number of commits after which the process dies, 0 for never;
	// dead says that it has and nothing more happens to its disk.
	fuse      int
	dieBefore bool
	dead      bool
	// next is what befalls the next transaction with the directory.
	next fault
	// meddle makes a client write just before the next transaction, between is
	// done then.
	meddle  bool
	between func()
	// refusing is the entry whose writes the directory refuses.
	refusing map[changelog.ID]bool

	// twin is the server that this one is a copy of, or that is a copy of it, while
	// both have one account; away says that the twin is in the room, copied
	// that there is or was one, aged that it has had an old state file, unsure that this
	// one may be an old copy, forked that it has turned out to be. Shed are numbers of
	// twins.
	twin                               *node
	away, forked, copied, aged, unsure bool
	shed                               []changelog.SID

	// kept is what joining replaced.
	kept []*ldif.Record

	watched watched
	traces  traces
	past    past
	// vector is what the log held when it was last inspected, stale says that
	// there have been commits since.
	vector changelog.Vector
	stale  bool
	// fresh says that the state has not been looked at in full since it changed.
	fresh bool
	// Firm says that it had joined by then: before, it may begin again with the state
	// of another.
	firm bool
	// inspected is what it holds while it is being inspected.
	inspected changelog.Vector
	// held is the vector as it is, public as others are shown it; nil when there have
	// been commits since.
	held, public changelog.Vector
	// aside is what it had set aside when it was last inspected.
	aside aside
	// filled is what a state contained that it was given a page of: some of that may
	// be in its own before its log reaches there.
	filled changelog.Vector
	// lastToTell are the entries that only its directory told of when it lost its state:
	// clients do not delete them before it has.
	lastToTell []changelog.ID
	newIDs     uint16
}

// fault is something that befalls a batch of writes to the directory.
type fault uint8

const (
	noFault fault = iota
	// lostKnown breaks the connection during a write, which may have been made.
	lostKnown
)

var (
	errDied = errors.New("the process died")
	ctx     = context.Background()
)

// newNode returns a server with an empty disk and directory, to be started.
func newNode(w *world, i int) *node {
	nd := newServer(w, i)
	nd.own(store.NewMemory(), memory.New(suffix, standard, nd.time, nd.newID))
	return nd
}

// newServer returns a server that has neither yet.
func newServer(w *world, i int) *node {
	return &node{w: w, i: i, name: fmt.Sprintf("n%d@x/ldapsync", i+1), role: roles.Master, wants: changelog.SID(i + 1), rules: w.rules,
		vector: changelog.Vector{}, numbers: map[changelog.SID]bool{}}
}

// own gives nd its disk and its directory.
func (nd *node) own(disk *store.Memory, server *memory.Directory) {
	nd.disk, nd.server = disk, server
	nd.watched, nd.traces, nd.past = newWatched(nd), traces{}, newPast()
	for _, id := range server.IDs() {
		nd.past.entries[id] = true
	}
	nd.refusing = map[changelog.ID]bool{}
	nd.server.SetRefuse(func(wr directory.Write) error {
		if nd.refusing[wr.ID] {
			return &directory.RefusedError{Code: 53, Text: "simulated"}
		}
		return nil
	})
	nd.disk.SetGuard(nd.guard)
}

// newID returns an id for an entry that a client adds. It differs from others within
// the first octets, as real ones do: that is what stores in memory go by.
func (nd *node) newID() changelog.ID {
	nd.newIDs++
	return changelog.ID{0: byte(nd.i + 1), 1: byte(nd.newIDs >> 8), 2: byte(nd.newIDs)}
}

// time is what the clock of nd shows. Servers that choose their number themselves
// may choose the same while they do not see each other, and find out by the times
// of what they say under it: their clocks never show the same microsecond. The
// replica asks for it with every change that it receives, of which there may be many.
func (nd *node) time() time.Time {
	nd.w.goOn()
	elapsed := nd.w.now.Sub(epoch) - nd.w.jumped
	off := nd.skew + time.Duration(nd.drift*float64(elapsed))
	if nd.wants == 0 || nd.installs > 0 {
		off += time.Duration(nd.i) * time.Microsecond
	}
	return nd.w.now.Add(off)
}

// sid returns the number that nd has now, or had when it was last up.
func (nd *node) sid() changelog.SID {
	if nd.rep != nil {
		if now := nd.rep.Identity().SID; now != nd.number || len(nd.numbers) == 0 {
			nd.number, nd.numbers[now] = now, true
		}
	}
	return nd.number
}

// guard decides what becomes of a transaction of the store.
func (nd *node) guard(commit func()) error {
	if nd.dead {
		return errDied
	}
	if nd.fuse == 0 || nd.fuse > 1 {
		nd.fuse = max(nd.fuse-1, 0)
		nd.stale, nd.held, nd.public = true, nil, nil
		commit()
		return nil
	}
	nd.fuse, nd.dead, nd.stale, nd.held, nd.public = 0, true, true, nil, nil
	if !nd.dieBefore {
		commit()
	}
	return errDied
}

// start starts the process.
func (nd *node) start() {
	if nd.rep != nil || nd.gone {
		return
	}
	nd.dead, nd.looked = false, false
	var err error
	if nd.store, err = nd.disk.Open(); err == nil {
		err = nd.open()
	}
	nd.reap()
	if err != nil && !errors.Is(err, errDied) && !errors.Is(err, directory.ErrUnavailable) {
		fail("start", "%s: %v", nd.name, err)
	}
	if err != nil {
		nd.rep = nil
	}
}

// rulesOf returns the rules of this server under a schema.
func (nd *node) rulesOf(s *schema.Schema) dit.Rules {
	if s == standard {
		return nd.rules
	}
	return rulesFor(s)
}

func (nd *node) open() error {
	err := nd.store.Update(func(t *store.Tx) error {
		id, err := t.Identity()
		if err == nil && id.Install == "" {
			err = t.SetIdentity(store.Identity{Suffix: suffixText, JID: nd.name, Install: fmt.Sprintf("install-%d-%d", nd.i, nd.installs), Epoch: 1})
		}
		return err
	})
	if err != nil {
		return err
	}
	nd.shown = nil
	nd.rep, err = replica.New(ctx, replica.Config{
		Suffix: suffix, Store: nd.store, Directory: (*server)(nd), Network: (*network)(nd),
		Rules: nd.rulesOf, Prefer: nd.prefer, Missing: nd.missing, Keep: nd.keep, Unseen: nd.unseen, KeepLog: 1, Now: nd.time, Log: nd.w.log.With("node", nd.i+1),
	})
	if err != nil {
		return err
	}
	if !nd.lost && nd.wants != 0 {
		if err := nd.rep.TakeSID(nd.wants); err != nil {
			return err
		}
	}
	if nd.i == 0 && !nd.lost {
		if err := nd.rep.Found(); err != nil {
			return err
		}
	}
	return nil
}

// keep implements replica.Config.Keep; what it kept outlives the process.
func (nd *node) keep(rec *ldif.Record) error {
	if nd.dead {
		return errDied
	}
	nd.kept = append(nd.kept, rec)
	return nil
}

// unseen implements replica.Config.Unseen.
func (nd *node) unseen(write func(out func(*ldif.Record) error) error) (string, error) {
	if nd.dead {
		return "", errDied
	}
	return "unseen.ldif", write(nd.keep)
}

// kill ends the process without warning.
func (nd *node) kill() {
	if nd.rep == nil {
		return
	}
	nd.w.tracef("%d dies", nd.i+1)
	nd.sid() // as it was last
	nd.watched.doubt()
	nd.findFork()
	nd.rep, nd.capture, nd.search, nd.joined = nil, nil, nil, false
	nd.dead, nd.fuse, nd.next = false, 0, noFault
	nd.w.stats.Crashes++
}

// reap ends a process that died during a step.
func (nd *node) reap() {
	if nd.dead {
		nd.kill()
	}
}

// check looks at the error of a step: a process that dies, a directory or a
// room that is away are to be expected.
func (nd *node) check(what string, err error) {
	if err == nil || nd.dead || errors.Is(err, directory.ErrUnavailable) || errors.Is(err, replica.ErrOffline) || errors.Is(err, errDied) {
		return
	}
	fail("error", "%s of %s: %v", what, nd.name, err)
}

// endWatch ends the search of the directory.
func (nd *node) endWatch(why error) {
	if nd.capture != nil {
		nd.capture.End(why)
	}
	nd.capture, nd.search = nil, nil
	nd.watched.endSearch()
}

// stepCapture takes up to max reports of the directory. It returns whether there
// were any.
func (nd *node) stepCapture(max int) bool {
	if nd.rep == nil || !nd.stepJoin() || nd.rep.Fault() != "" {
		return false
	}
	if nd.capture == nil {
		c, cookie, err := nd.rep.BeginCapture()
		nd.check("begin of capture", err)
		nd.capture, nd.search = c, nd.server.Search(cookie)
		nd.watched.beginSearch()
		nd.w.tracef("%d searches from %q", nd.i+1, cookie)
	}
	events, err := nd.search.Next(max)
	if err != nil {
		nd.endWatch(err)
		return true
	}
	before := nd.logged()
	err = nd.capture.Step(context.Background(), events)
	for _, e := range events {
		nd.w.traceEvent(nd, e)
	}
	if errors.Is(err, replica.ErrResync) || errors.Is(err, replica.ErrDoubt) {
		nd.endWatch(err)
		return true
	}
	nd.check("capture", err)
	nd.watched.captured(events, before)
	if err != nil {
		nd.endWatch(err)
	}
	nd.reap()
	return len(events) > 0
}

// logged returns the last own change in the log.
func (nd *node) logged() uint64 {
	return nd.vectorNow()[nd.sid()].Seq
}

// stepJoin reports whether the server takes part.
func (nd *node) stepJoin() bool {
	if nd.denies() {
		clear(nd.traces.at)
	}
	if nd.joined {
		return true
	}
	joined, err := nd.rep.StepJoin(ctx)
	nd.check("join", err)
	nd.joined = joined && !nd.dead
	nd.settled = nd.settled || nd.joined
	return nd.joined
}

func (nd *node) stepPublish() bool {
	if nd.rep == nil {
		return false
	}
	nd.stepJoin()
	more, err := nd.rep.StepPublish(ctx)
	nd.check("publish", err)
	nd.reap()
	return more
}

func (nd *node) stepPull() bool {
	if nd.rep == nil {
		return false
	}
	more, err := nd.rep.StepPull(ctx)
	nd.check("pull", err)
	nd.reap()
	return more
}

func (nd *node) stepApply() bool {
	if nd.rep == nil || !nd.stepJoin() {
		return false
	}
	more, unconfirmed, err := nd.rep.StepApply(ctx)
	nd.check("apply", err)
	if err == nil && len(unconfirmed) > 0 && nd.w.oneIn(4) {
		err = nd.rep.StepConfirm(ctx, unconfirmed)
		nd.check("confirm", err)
	}
	nd.reap()
	return more
}

// stepConfirm lets the server look for reports that have not come.
func (nd *node) stepConfirm() {
	if nd.rep == nil || !nd.stepJoin() {
		return
	}
	_, unconfirmed, err := nd.rep.StepApply(ctx)
	nd.check("apply", err)
	if err == nil && len(unconfirmed) > 0 {
		nd.check("confirm", nd.rep.StepConfirm(ctx, unconfirmed))
	}
	nd.reap()
}

// stepTrim lets the server remove from its log what every member has.
func (nd *node) stepTrim() {
	if nd.dead {
		return
	}
	nd.w.inspect()
	n, err := nd.rep.StepTrim()
	if n > 0 {
		nd.w.tracef("%d trims its log of %d changes", nd.i+1, n)
	}
	nd.check("trim", err)
}

// stepHeartbeat reports whether the server made a heartbeat.
func (nd *node) stepHeartbeat() bool {
	if nd.rep == nil || nd.dead || !nd.joined {
		return false
	}
	made, err := nd.rep.StepHeartbeat()
	nd.check("heartbeat", err)
	nd.reap()
	return made
}

func (nd *node) stepTime() {
	if nd.rep == nil || !nd.stepJoin() {
		return
	}
	nd.check("time", nd.rep.StepTime())
	nd.stepTrim()
	nd.rep.StepSchema(ctx)
	nd.reap()
	if !nd.w.calm {
		nd.stepHeartbeat()
	}
}
