// Package replica is one suffix on one server: the store and the four pumps
// around it, capture, publish, receive and apply. It knows the directory and
// the network as ports only; every step of a pump is a function of the store
// and of what is handed in, so that the pumps can also be stepped one by one.
package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/ldif"
	"ldapsync/roles"
	"ldapsync/schema"
	"ldapsync/store"
)

// Network is the room as a replica sees it. Errors that wrap ErrOffline are
// temporary.
type Network interface {
	// Publish publishes our own consecutive changes and returns the last
	// sequence number up to which the XMPP server has acknowledged them all,
	// 0 for none.
	// The error wraps ErrUnread, and nothing was published, when LastPublished has
	// not been called in the present session.
	Publish(ctx context.Context, changes []changelog.Change) (acked uint64, err error)
	// LastPublished returns the last change under our present number that the XMPP
	// server has of us, whoever published it: Seq 0 for none, a zero CSN where only
	// its number can be told.
	LastPublished(ctx context.Context) (changelog.Mark, error)
	// Pull asks a peer, by its full JID, for a page of changes beyond have, by
	// ascending CSN; more says that the peer holds further ones, none of them older.
	// The error wraps ErrTrimmed when its log no longer reaches back to have.
	Pull(ctx context.Context, peer string, have changelog.Seqs) (changes []changelog.Change, more bool, err error)
	// Snapshot asks a peer for the page of its state behind a mark, nil for the
	// first; see Replica.ServeSnapshot.
	Snapshot(ctx context.Context, peer string, after *dit.Mark) (StatePage, error)
}

// ErrOffline says that the room cannot be reached at the moment.
var ErrOffline = errors.New("not in the room")

// ErrUnread is returned by Network.Publish in a new session: another copy of this
// server may have published since the last.
var ErrUnread = errors.New("it has not been looked at what was published last")

// Peer is another server of the room as its presence shows it.
type Peer struct {
	// JID is the real full JID that the room vouches for.
	JID     string
	SID     changelog.SID
	Install string
	Role    roles.Role
	// State is the word of its presence: ready, busy, catching-up, ...
	State  string
	Vector changelog.Vector
	Schema string
	// Service and Node are where it publishes, "" while it does not.
	Service, Node string
	// LastSeen is when its last presence arrived.
	LastSeen time.Time
}

// outside reports whether the peer does not take part: not yet, or no more.
func (p Peer) outside() bool {
	return p.State == stateWaiting || p.State == stateJoining || p.State == stateRefused
}

// Config is what a replica is made of.
type Config struct {
	Suffix    dn.DN
	Store     *store.Store
	Directory directory.Directory
	Network   Network
	// Rules returns the rules of the view under a schema.
	Rules func(*schema.Schema) dit.Rules
	// Prefer decides between two states of an entry where a server joins with
	// data for the first time.
	Prefer Prefer
	// Missing decides what becomes of entries that the directory of a server that
	// returns lacks.
	Missing Missing
	// Keep writes down the state of an entry that joining is about to replace.
	// It is durable when Keep returns nil; the same state may come again after a
	// crash.
	Keep func(*ldif.Record) error
	// KeepLog is how long changes stay in the log after every member has them;
	// 0 is DefaultKeepLog.
	KeepLog time.Duration
	// Unseen makes a file of the records that write hands it, durable when it
	// returns nil, and returns its name: the changes of a server that was removed
	// which the room has not. Nil where nobody wants them.
	Unseen func(write func(out func(*ldif.Record) error) error) (file string, err error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Prefer names the state that a first join prefers where both the directory and
// the room hold an entry.
type Prefer uint8

// The preferences.
const (
	// PreferRoom keeps the room's.
	PreferRoom Prefer = iota
	// PreferNewest keeps the one with the later modifyTimestamp, the room's
	// where they are equal.
	PreferNewest
)

// Missing says what it means that a directory lacks entries which it held before
// the state file was lost.
type Missing uint8

// The meanings.
const (
	// MissingUnknown takes a few for deleted and refuses to go on with many; an
	// empty directory is filled.
	MissingUnknown Missing = iota
	// MissingFill writes them again.
	MissingFill
	// MissingDelete takes them for deleted.
	MissingDelete
)

// Replica is one suffix on one server. Its methods are safe for concurrent use.
type Replica struct {
	cfg Config
	log *slog.Logger

	// applying is held from the moment a batch is sent to the directory until
	// its outcome is stored; capture takes it too, so that it never compares a
	// report with an image that is about to change.
	applying sync.Mutex
	// live is true while the directory's reports are complete and flowing.
	live atomic.Bool
	// met is true once the other servers of the room have been looked at.
	met atomic.Bool
	// looked is true once it has been looked at what was published last under our
	// number.
	looked atomic.Bool
	// owes is which of our own changes has to be published before this server counts
	// as ready, acked up to which they are.
	owes, acked atomic.Uint64
	// retired says that the earlier selves of this server are no members.
	retired  atomic.Bool
	counters Counters
	// delayed counts the seconds since reports wait for that of a superior.
	delayed atomic.Int32
	// beatAt is when to think of a heartbeat again, in nanoseconds, 0 for now.
	beatAt atomic.Int64
	// forgotten is the time up to which all has been forgotten that can be.
	forgotten atomic.Int64
	// trimmedAll says that there is nothing to trim, pullsOnly that nothing but changes
	// is to be pulled, published that all is acknowledged, clean that nothing waits
	// to be written to the directory.
	trimmedAll, pullsOnly, published, clean idle
	// logAge is how old the log was when that was looked at.
	logAge atomic.Pointer[age]
	// reached is how far our copy reached.
	reached lastRead[changelog.Vector]
	// merged is what a transaction last found to be merged.
	merged lastRead[changelog.Seqs]
	// matched is what joining has found in the directory, refills how often what
	// came from the room was forgotten to be filled anew: see matching.refills.
	matched *matching
	refills atomic.Uint64
	// servedAt is when a page of a snapshot was last served, in nanoseconds.
	servedAt atomic.Int64
	// greeted counts how often joining waited for others to know of us.
	greeted int
	// estranged is what joining found last: see isEstranged.
	estranged string
	// clashed is why clash refused last, rival who showed our number.
	clashed string
	rival   Peer

	captured, toApply, toPublish, toPull, changed signal
	// resync asks the capture pump to read the whole directory again, doubt to
	// read what has changed in it.
	resync, doubt signal

	mu       sync.Mutex
	identity store.Identity
	role     roles.Role
	rules    dit.Rules
	clock    *changelog.Clock
	// peers are in the order of their JIDs; the list is not changed.
	peers []Peer
	fault string
	// mismatched says that the fault is what match found.
	mismatched bool
	founder    bool
	catching   bool
	// followed is set once the directory has been read to the end: before, our
	// vector does not speak for it.
	followed bool
	dirErr   error
	// compared is what each server of the room last showed to hold of our changes.
	compared map[string]changelog.Mark
	// short are the servers, by install, whose logs do not reach back to what this
	// one had, which was that.
	short map[string]changelog.Vector
	// shutOut has, by install, the number under which a server that may not write
	// says that this one was removed.
	shutOut map[string]changelog.SID
	// shortSince is when the first of them was noted.
	shortSince time.Time
	// again is closed, once, when the state file is to be set aside.
	again  chan struct{}
	ending bool
	stale  map[changelog.ID]int
	tries  map[changelog.ID]int
	ready  chan struct{}
}

// Counters count what the pumps have done since the start.
type Counters struct {
	Captured, Published, Received, Applied, Denied, Duplicates, Rejected atomic.Uint64
}

// New returns the replica of a store that has an identity. It reads the
// directory's schema, so the directory must be up.
func New(ctx context.Context, cfg Config) (*Replica, error) {
	r := &Replica{
		cfg: cfg, log: cfg.Log,
		captured: newSignal(), toApply: newSignal(), toPublish: newSignal(), toPull: newSignal(),
		changed: newSignal(), resync: newSignal(), doubt: newSignal(),
		stale: map[changelog.ID]int{}, tries: map[changelog.ID]int{},
		ready: make(chan struct{}), again: make(chan struct{}), compared: map[string]changelog.Mark{}, short: map[string]changelog.Vector{}, shutOut: map[string]changelog.SID{},
	}
	r.cfg.KeepLog = cmp.Or(cfg.KeepLog, DefaultKeepLog)
	s, err := cfg.Directory.Schema(ctx)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	err = cfg.Store.View(func(t *store.Tx) error {
		r.identity, err = t.Identity()
		r.fault = cmp.Or(t.Useless(), t.Fault())
		if t.Useless() != "" {
			r.end()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.role, err = roles.ParseRole(r.identity.Role); err != nil {
		r.role = roles.None
	}
	if err := r.resetClock(); err != nil {
		return nil, err
	}
	return r, r.useSchema(s)
}

func (r *Replica) resetClock() error {
	return r.cfg.Store.View(func(t *store.Tx) error {
		last, err := t.Clock()
		if err != nil {
			return err
		}
		r.clock = changelog.NewClock(r.identity.SID, r.cfg.Now, last)
		return nil
	})
}

// useSchema takes a schema into use; under a new one the keys of the facts are
// made anew and every entry set aside gets another chance.
func (r *Replica) useSchema(s *schema.Schema) error {
	r.mu.Lock()
	r.rules = r.cfg.Rules(s)
	unique := strings.Join(r.rules.Unique, " ")
	same := r.identity.SchemaDigest == s.Digest() && r.identity.Unique == unique
	first := r.identity.SchemaDigest == ""
	r.identity.SchemaDigest, r.identity.Unique = s.Digest(), unique
	id := r.identity
	r.mu.Unlock()
	if same {
		return nil
	}
	r.log.Info("schema in use", "digest", s.Digest())
	err := r.update(func(w *work) error {
		if !first {
			if err := w.dit.Rebuild(); err != nil {
				return fmt.Errorf("rebuild under the new schema: %w", err)
			}
			if err := w.markAllImages(); err != nil {
				return err
			}
		}
		if err := w.unparkAll(func(store.Parked) bool { return true }); err != nil {
			return err
		}
		return w.SetIdentity(id)
	})
	r.toApply.raise()
	r.changed.raise()
	return err
}

// Identity returns whose replica this is.
func (r *Replica) Identity() store.Identity {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.identity
}

// sid returns the number in Identity, joined whether that has joined.
func (r *Replica) sid() changelog.SID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.identity.SID
}

func (r *Replica) joined() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.identity.Joined
}

// setIdentity changes the identity and stores it.
func (r *Replica) setIdentity(change func(*store.Identity)) error {
	r.mu.Lock()
	change(&r.identity)
	id := r.identity
	r.mu.Unlock()
	r.changed.raise()
	return r.cfg.Store.Update(func(t *store.Tx) error { return t.SetIdentity(id) })
}

// Role returns the role the room grants this server, as far as it knows.
func (r *Replica) Role() roles.Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.role
}

// SetRole takes note of the role the room grants this server.
func (r *Replica) SetRole(role roles.Role) error {
	if r.Role() == role {
		return nil
	}
	r.log.Info("role", "role", role.String())
	r.mu.Lock()
	r.role = role
	r.mu.Unlock()
	r.toPublish.raise()
	return r.setIdentity(func(id *store.Identity) { id.Role = role.String() })
}

// Changed is raised whenever something that status or presence shows changes.
func (r *Replica) Changed() <-chan struct{} { return r.changed }

// Fault returns why the replica takes no part, "" when it does.
func (r *Replica) Fault() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// refuse stops the replica from taking part. Lasting faults survive a restart.
func (r *Replica) refuse(why string, lasting bool) {
	r.mu.Lock()
	news := r.fault != why
	r.fault, r.mismatched = why, false
	r.mu.Unlock()
	if !news {
		return
	}
	r.log.Error("this server takes no part", "reason", why)
	if lasting {
		if err := r.cfg.Store.Update(func(t *store.Tx) error { return t.SetFault(why) }); err != nil {
			r.log.Error("store the reason", "error", err)
		}
	}
	r.changed.raise()
}

// signal wakes one waiter; raising it again before it is taken does nothing.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}
