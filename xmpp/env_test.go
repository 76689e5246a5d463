package xmpp_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

const patience = 15 * time.Second

// server starts a Prosody with the accounts ann and bob, whose passwords are
// their names.
func server(t testing.TB, o prosody.Options) *prosody.Server {
	t.Helper()
	o.Users = map[string]string{"ann": "ann", "bob": "bob"}
	return prosody.StartTest(t, o)
}

func roots(t testing.TB, s *prosody.Server) *x509.CertPool {
	t.Helper()
	pool, err := s.Roots()
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func config(t testing.TB, s *prosody.Server, user string) xmpp.Config {
	t.Helper()
	return xmpp.Config{
		JID:      jid.MustParse(user + "@" + s.Domain),
		Password: func(context.Context) (string, error) { return user, nil },
		Server:   s.Addr, RootCAs: roots(t, s),
		BackoffMin: 10 * time.Millisecond, BackoffMax: 200 * time.Millisecond,
		Log: slog.New(slog.DiscardHandler),
	}
}

// session is a client that runs until the test ends.
type session struct {
	*xmpp.Client
	state chan bool  // every change of state
	ended chan error // what Run returned
	stop  context.CancelFunc
}

func run(t testing.TB, c *xmpp.Client) *session {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{Client: c, state: make(chan bool, 1000), ended: make(chan error, 1), stop: cancel}
	c.OnState(func(online bool, err error) { s.state <- online })
	go func() { s.ended <- c.Run(ctx); close(s.ended) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-s.ended:
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return s
}

// online runs a client and waits for its session.
func online(t testing.TB, cfg xmpp.Config) *session {
	t.Helper()
	s := run(t, xmpp.New(cfg))
	s.await(t, true)
	return s
}

func (s *session) await(t testing.TB, want bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case got := <-s.state:
			if got == want {
				return
			}
		case err := <-s.ended:
			t.Fatalf("Run ended: %v", err)
		case <-timeout:
			t.Fatalf("still not online=%v: %v", want, s.LastError())
		}
	}
}

// fails expects Run to end with a fatal error for this reason.
func (s *session) fails(t testing.TB, reason error) {
	t.Helper()
	select {
	case err := <-s.ended:
		var fatal *xmpp.FatalError
		if !errors.Is(err, reason) || !errors.As(err, &fatal) || fatal.Hint() == "" {
			t.Fatalf("Run ended with %v, want %v", err, reason)
		}
	case <-time.After(patience):
		t.Fatalf("Run goes on; %v", s.LastError())
	}
}

func ping(ctx context.Context, c *xmpp.Client, to jid.JID) error {
	_, err := c.IQ(ctx, to, "get", element.New("urn:xmpp:ping", "ping"))
	return err
}

func message(to jid.JID, body string) *element.Element {
	return element.New("jabber:client", "message", "to", to.String(), "type", "chat").
		With(element.New("jabber:client", "body").WithText(body))
}

func body(msg *element.Element) string {
	if b := msg.Child("jabber:client", "body"); b != nil {
		return b.Text
	}
	return ""
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
