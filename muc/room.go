package muc

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

const (
	nsClient   = "jabber:client"
	nsMUC      = "http://jabber.org/protocol/muc"
	nsUser     = nsMUC + "#user"
	nsAdmin    = nsMUC + "#admin"
	nsOwner    = nsMUC + "#owner"
	nsData     = "jabber:x:data"
	nsInvite   = "jabber:x:conference"
	nsPing     = "urn:xmpp:ping"
	nsDelay    = "urn:xmpp:delay"
	payloadTag = "replica"
)

// Config of a room. Client, Service and Suffix are required.
type Config struct {
	Client *xmpp.Client
	// Service is the address of the multi-user chat service.
	Service jid.JID
	// Suffix is the normalised DN that the room is for.
	Suffix string
	// Nick is the name shown to people, the account's localpart by default.
	Nick string
	// Log may be nil.
	Log *slog.Logger
	// SelfPingEvery is how often we ask whether we are still in the room
	// (XEP-0410), 60 s by default.
	SelfPingEvery time.Duration
	// RetryMin (500 ms) and RetryMax (30 s) bound the pauses between attempts
	// to join.
	RetryMin, RetryMax time.Duration
}

// State is our relation to the room.
type State int

// The states. Only while Joined there are occupants.
const (
	// Offline means there is no XMPP session.
	Offline State = iota
	// Joining means that an attempt is being made, or waited for.
	Joining
	// NotAdmitted means that an owner of the room has to admit us first.
	NotAdmitted
	// Unsafe means that we left since the room is not members-only or hides
	// real addresses.
	Unsafe
	Joined
)

func (s State) String() string {
	return [...]string{"offline", "joining", "not-admitted", "unsafe", "joined"}[s]
}

// Occupant is somebody in the room.
type Occupant struct {
	Nick string
	// JID is the real, full address as the room states it; the zero JID where
	// it does not.
	JID jid.JID
	// Affiliation is owner, admin, member, none or outcast; Role moderator,
	// participant, visitor or none.
	Affiliation, Role string
	// Payload is the presence's {urn:ldapsync:0}replica element, or nil. It
	// must not be changed.
	Payload *element.Element
	// Status is the presence's text for people.
	Status string
	// Self marks us.
	Self bool
}

// Change is something that happened to the room as we see it.
type Change struct {
	// Occupant as it is now; as it last was if Left. Its Nick is empty if the
	// change is only one of State.
	Occupant Occupant
	Left     bool
	// Reason says why somebody left, if it was not of their own will.
	Reason string
	// State is ours, and Err why we are not joined. When it becomes Joined, a
	// change follows for each occupant; when it ceases to be, everybody is
	// gone without further notice.
	State State
	Err   error
}

// Room is one room that we are in or try to be in. All methods may be called
// at any time from any goroutine.
type Room struct {
	cfg  Config
	jid  jid.JID
	name string // jid as a string
	log  *slog.Logger

	// Signals for Run, each holding at most one.
	connected chan context.Context
	evicted   chan error
	invited   chan struct{}
	announce  chan struct{}
	inspect   chan struct{}

	mu        sync.Mutex
	state     State
	err       error
	created   bool
	everIn    bool
	attempt   *attempt
	self      string
	occupants map[string]Occupant
	payload   *element.Element
	status    string
	listeners []func(Change)
	hearers   []func(Occupant, string, *element.Element)
	outbox    []Change

	// emitting is held while listeners are called.
	emitting sync.Mutex
}

// New returns the room of a suffix; Run joins it.
func New(cfg Config) *Room {
	if cfg.Nick == "" {
		cfg.Nick = cfg.Client.Addr().Localpart()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.SelfPingEvery <= 0 {
		cfg.SelfPingEvery = time.Minute
	}
	if cfg.RetryMin <= 0 {
		cfg.RetryMin = 500 * time.Millisecond
	}
	if cfg.RetryMax <= 0 {
		cfg.RetryMax = 30 * time.Second
	}
	// LocalPart is legal for every domain.
	address, _ := cfg.Service.Domain().WithLocal(LocalPart(cfg.Suffix))
	return &Room{
		cfg: cfg, jid: address, name: address.String(), log: cfg.Log.With("room", address.String()),
		connected: make(chan context.Context, 1), evicted: make(chan error, 1),
		invited: make(chan struct{}, 1), announce: make(chan struct{}, 1), inspect: make(chan struct{}, 1),
		err: xmpp.ErrOffline, occupants: map[string]Occupant{},
	}
}

// JID is the room's address.
func (r *Room) JID() jid.JID { return r.jid }

// State returns our relation to the room and, unless Joined, the reason.
func (r *Room) State() (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.err
}

// Created reports whether we created the room when we joined last.
func (r *Room) Created() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.created
}

// Occupants returns who is there, by nick; nobody unless Joined.
func (r *Room) Occupants() []Occupant {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list()
}

func (r *Room) list() []Occupant {
	if r.state != Joined {
		return nil
	}
	out := make([]Occupant, 0, len(r.occupants))
	for _, o := range r.occupants {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b Occupant) int { return strings.Compare(a.Nick, b.Nick) })
	return out
}

// Self returns our own occupant; false unless Joined.
func (r *Room) Self() (Occupant, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, ok := r.occupants[r.self]
	return o, ok && r.state == Joined
}

// SetPayload sets the element and the text for people that our presence
// carries from now on, and sends it if we are in the room. Of several calls in
// a short time only the last may be sent. The element must not be changed
// afterwards.
func (r *Room) SetPayload(payload *element.Element, status string) {
	r.mu.Lock()
	r.payload, r.status = payload, status
	r.mu.Unlock()
	signal(r.announce)
}

// OnChange registers fn, which is called with every change, one at a time and
// in order, starting with the next. It must not block.
func (r *Room) OnChange(fn func(Change)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(r.listeners, fn)
}

// setState records what became of the connection whose context is ctx; if
// that has ended, it is for the next connection to say.
func (r *Room) setState(ctx context.Context, s State, err error) {
	r.mu.Lock()
	if ctx.Err() == nil {
		r.become(s, err)
	}
	r.mu.Unlock()
	r.emit()
}

// become changes the state, with mu held; emit tells. A repeated state is told
// only if the reason differs.
func (r *Room) become(s State, err error) {
	if s == r.state && errorText(err) == errorText(r.err) {
		return
	}
	was := r.state
	r.state, r.err = s, err
	if s == Joined {
		r.everIn = true
	} else if was == Joined || s == Offline {
		clear(r.occupants)
		r.self = ""
	}
	r.outbox = append(r.outbox, Change{State: s, Err: err})
	for _, o := range r.list() {
		r.outbox = append(r.outbox, Change{Occupant: o, State: s})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// emit tells the listeners what is in the outbox, in order whoever calls it.
func (r *Room) emit() {
	r.emitting.Lock()
	defer r.emitting.Unlock()
	for {
		r.mu.Lock()
		changes, listeners := r.outbox, r.listeners
		r.outbox = nil
		r.mu.Unlock()
		if len(changes) == 0 {
			return
		}
		for _, c := range changes {
			for _, fn := range listeners {
				fn(c)
			}
		}
	}
}

// fail makes an *Error of this room.
func (r *Room) fail(reason, err error) *Error {
	return &Error{Reason: reason, Room: r.name, JID: r.cfg.Client.Addr().Bare().String(), Err: err}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
