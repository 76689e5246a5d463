package xmpp

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp/element"
)

// Config says how to reach the account. JID and Password are required.
type Config struct {
	// JID is the bare address of the account.
	JID jid.JID
	// Resource is bound at every login, "ldapsync" by default.
	Resource string
	// Password is asked at every login, so that it may change while running.
	Password func(ctx context.Context) (string, error)
	// Server is host:port; empty means the SRV records of the domain, else
	// its standard ports.
	Server string
	// DirectTLS starts TLS at once (XEP-0368) instead of by STARTTLS. It
	// applies to Server; SRV records say it themselves.
	DirectTLS bool
	// RootCAs are trusted instead of the system's.
	RootCAs *x509.CertPool
	// PingEvery (30 s), ReadTimeout (90 s: nothing heard), WriteTimeout (30 s:
	// one write not taken), BackoffMin (250 ms) and BackoffMax (30 s) have
	// defaults.
	PingEvery, ReadTimeout, WriteTimeout, BackoffMin, BackoffMax time.Duration
	// Log may be nil.
	Log *slog.Logger
	// Dial replaces net.Dialer, for tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (cfg *Config) setDefaults() {
	or := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	or(&cfg.PingEvery, 30*time.Second)
	or(&cfg.ReadTimeout, 90*time.Second)
	or(&cfg.WriteTimeout, 30*time.Second)
	or(&cfg.BackoffMin, 250*time.Millisecond)
	or(&cfg.BackoffMax, 30*time.Second)
	if cfg.Resource == "" {
		cfg.Resource = "ldapsync"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
}

type iqHandler func(ctx context.Context, iq *element.Element) (*element.Element, error)

// Client is one account's supervised session. All methods may be called at any
// time from any goroutine.
type Client struct {
	cfg   Config
	queue *queue
	// handlers is held, by having put a token in, by each request in work.
	handlers chan struct{}
	// quick are the handlers that never wait; they run in the read loop.
	quick map[xml.Name]iqHandler

	mu       sync.Mutex
	session  *session
	sessions uint64
	addr     jid.JID
	lastErr  error
	requests map[xml.Name]iqHandler
	messages registry[func(*element.Element) bool]
	presence registry[func(*element.Element) bool]

	// These belong to the dispatcher.
	onOnline registry[func(context.Context)]
	onState  registry[func(bool, error)]
	online   *session
	running  sync.WaitGroup
}

// New returns a client that is offline until Run.
func New(cfg Config) *Client {
	cfg.setDefaults()
	c := &Client{cfg: cfg, queue: newQueue(), handlers: make(chan struct{}, maxHandlers), requests: map[xml.Name]iqHandler{}, lastErr: ErrOffline}
	c.addr, _ = cfg.JID.WithResource(cfg.Resource)
	c.quick = map[xml.Name]iqHandler{
		{Space: nsPing, Local: "ping"}:        func(context.Context, *element.Element) (*element.Element, error) { return nil, nil },
		{Space: nsDiscoInfo, Local: "query"}:  c.describe,
		{Space: nsDiscoItems, Local: "query"}: noItems,
	}
	return c
}

// Online reports whether there is a session.
func (c *Client) Online() bool { return c.current() != nil }

// Addr returns the full JID: the bound one, before the first login the wanted one.
func (c *Client) Addr() jid.JID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addr
}

// Session returns a number that no other session of this client has, also before
// the handlers of OnOnline know of it; 0 while there is none.
func (c *Client) Session() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return 0
	}
	return c.sessions
}

// LastError returns why there is no session, nil while there is one.
func (c *Client) LastError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastErr
}

func (c *Client) current() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// OnOnline registers fn, called in a goroutine of its own after every
// (re)connect; its ctx ends with that connection, and fn must return then. If
// there is a session already, fn is called for it too. Stanzas that arrived on
// an earlier connection have been handled before fn is called.
func (c *Client) OnOnline(fn func(ctx context.Context)) (remove func()) {
	var id int
	c.queue.call(func() {
		id = c.onOnline.add(fn)
		if c.online != nil {
			c.callOnline(fn)
		}
	})
	return func() { c.queue.call(func() { c.onOnline.remove(id) }) }
}

// OnState registers fn, called with every change of state: true and nil, or
// false and the reason. It is called as the handlers are, in order with them.
func (c *Client) OnState(fn func(online bool, err error)) (remove func()) {
	var id int
	c.queue.call(func() {
		id = c.onState.add(fn)
		if c.online != nil {
			fn(true, nil)
		}
	})
	return func() { c.queue.call(func() { c.onState.remove(id) }) }
}

// HandleMessage registers fn for messages. All handlers of a client run one
// after the other in one goroutine in order of arrival, the first that
// returns true ends the search. A handler may call Send, but never wait for an
// answer. Those registered before Run miss nothing.
func (c *Client) HandleMessage(fn func(msg *element.Element) bool) (remove func()) {
	return c.handle(&c.messages, fn)
}

// HandlePresence is HandleMessage for presence.
func (c *Client) HandlePresence(fn func(p *element.Element) bool) (remove func()) {
	return c.handle(&c.presence, fn)
}

func (c *Client) handle(r *registry[func(*element.Element) bool], fn func(*element.Element) bool) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := r.add(fn)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		r.remove(id)
	}
}

// HandleIQ registers fn for requests, get or set, whose payload has this name,
// and announces the namespace as a feature. Each request runs in a goroutine
// of its own, a bounded number at a time; ctx ends with the connection. The
// returned payload, or nil, becomes the result; a *StanzaError is sent as such,
// any other error as internal-server-error. The sender is in iq's attribute
// from as the server vouches for it; it may be missing for our own account.
func (c *Client) HandleIQ(space, local string, fn func(ctx context.Context, iq *element.Element) (*element.Element, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[xml.Name{Space: space, Local: local}] = fn
}

// handlerOf returns the handler of a request, nil if there is none.
func (c *Client) handlerOf(iq *element.Element) (handler iqHandler, quick bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, payload := range iq.Children {
		if h := c.requests[payload.Name]; h != nil {
			return h, false
		}
		if h := c.quick[payload.Name]; h != nil {
			return h, true
		}
	}
	return nil, false
}

// Send writes a stanza; a missing id is filled in. It returns ErrOffline when
// there is no session and ErrTooLarge for a stanza that servers would refuse.
// A nil error does not mean that the server has it. Waiting for other writes
// ends with ctx; a write that has begun is not abandoned.
func (c *Client) Send(ctx context.Context, st *element.Element) error {
	s := c.current()
	if s == nil {
		return ErrOffline
	}
	if st.Attr("id") == "" {
		withID := *st
		withID.Attrs = slices.Clone(st.Attrs)
		withID.SetAttr("id", rand.Text())
		st = &withID
	}
	b := st.Bytes()
	if len(b) > MaxStanza {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	return s.write(ctx, b)
}

// registry keeps functions in order of registration.
type registry[F any] struct {
	next    int
	entries []entry[F]
}

type entry[F any] struct {
	id int
	fn F
}

func (r *registry[F]) add(fn F) int {
	r.next++
	r.entries = append(slices.Clone(r.entries), entry[F]{r.next, fn})
	return r.next
}

func (r *registry[F]) remove(id int) {
	r.entries = slices.DeleteFunc(slices.Clone(r.entries), func(e entry[F]) bool { return e.id == id })
}
