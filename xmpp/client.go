package xmpp

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
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
	Log                                                          *slog.Logger
	// Dial replaces net.Dialer, for tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client is one account's supervised session.
type Client struct{ cfg Config }

// New returns a client that is offline until Run.
func New(cfg Config) *Client { return &Client{cfg: cfg} }

// Run keeps the session until ctx ends, then returns nil; or returns a
// *FatalError that no reconnect can heal. Call it once.
func (c *Client) Run(ctx context.Context) error { return nil }

// Online reports whether there is a session.
func (c *Client) Online() bool { return false }

// Addr returns the full JID: the bound one, before the first login the wanted one.
func (c *Client) Addr() jid.JID { return jid.JID{} }

// LastError returns why there is no session, nil while there is one.
func (c *Client) LastError() error { return nil }

// OnOnline registers fn, called in a goroutine of its own after every
// (re)connect; its ctx ends with that connection. If there is a session
// already, fn is called for it at once.
func (c *Client) OnOnline(fn func(ctx context.Context)) {}

// OnState registers fn, called in order with every change of state: true, nil
// or false and the reason. It must not block.
func (c *Client) OnState(fn func(online bool, err error)) {}

// Send writes a stanza; a missing id is filled in. It returns ErrOffline when
// there is no session and ErrTooLarge for a stanza that servers would refuse.
// A nil error does not mean that the server has it. Once started, a write is
// not abandoned when ctx ends.
func (c *Client) Send(ctx context.Context, st *element.Element) error { return nil }

// IQ sends a request (typ get or set; the zero JID means our own account) and
// returns the whole result. An error reply is a *StanzaError; when the
// session ends first, the error wraps ErrOffline. Many requests may be
// outstanding; they leave in the order in which IQ was called.
func (c *Client) IQ(ctx context.Context, to jid.JID, typ string, payload *element.Element) (*element.Element, error) {
	return nil, nil
}

// HandleMessage registers fn for messages. All handlers of a client run one
// after the other in one goroutine in order of arrival, the first that
// returns true ends the search. It may be called at any time and returns a
// function that removes the handler. A handler may call Send, never IQ.
func (c *Client) HandleMessage(fn func(msg *element.Element) bool) (remove func()) {
	return func() {}
}

// HandlePresence is HandleMessage for presence.
func (c *Client) HandlePresence(fn func(p *element.Element) bool) (remove func()) {
	return func() {}
}

// HandleIQ registers fn for requests whose payload has this name. Each request
// runs in a goroutine of its own, a bounded number at a time; ctx ends with
// the connection. The returned payload, or nil, becomes the result; a
// *StanzaError is sent as such, any other error as internal-server-error.
func (c *Client) HandleIQ(space, local string, fn func(ctx context.Context, iq *element.Element) (*element.Element, error)) {
}
