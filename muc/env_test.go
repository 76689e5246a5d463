package muc_test

import (
	"context"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/muc"
	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

const (
	patience = 15 * time.Second
	suffix   = "dc=example,dc=org"
)

// server starts a Prosody with some accounts, whose passwords are their names.
func server(t testing.TB, o prosody.Options) *prosody.Server {
	t.Helper()
	o.Users = map[string]string{"ann": "ann", "bob": "bob", "eve": "eve"}
	return prosody.StartTest(t, o)
}

func clientConfig(t testing.TB, s *prosody.Server, user, resource string) xmpp.Config {
	t.Helper()
	roots, err := s.Roots()
	if err != nil {
		t.Fatal(err)
	}
	return xmpp.Config{
		JID: jid.MustParse(user + "@" + s.Domain), Resource: resource,
		Password: func(context.Context) (string, error) { return user, nil },
		Server:   s.Addr, RootCAs: roots,
		BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
	}
}

// login runs a client until the test ends.
func login(t testing.TB, s *prosody.Server, user, resource string) *xmpp.Client {
	t.Helper()
	c := xmpp.New(clientConfig(t, s, user, resource))
	background(t, c.Run)
	return c
}

// background runs a service until the test ends; it must not fail.
func background(t testing.TB, run func(context.Context) error) (ended chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended = make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return ended
}

// room is a room with everything that happened to it.
type room struct {
	*muc.Room
	client  *xmpp.Client
	changes chan muc.Change
	ended   chan error
}

type option func(*muc.Config)

// enter runs a room on a new session of the user.
func enter(t testing.TB, s *prosody.Server, user string, options ...option) *room {
	t.Helper()
	return enterBy(t, s, login(t, s, user, ""), options...)
}

func enterBy(t testing.TB, s *prosody.Server, c *xmpp.Client, options ...option) *room {
	t.Helper()
	cfg := muc.Config{
		Client: c, Service: jid.MustParse("rooms." + s.Domain), Suffix: suffix,
		RetryMin: 20 * time.Millisecond, RetryMax: 100 * time.Millisecond,
	}
	for _, o := range options {
		o(&cfg)
	}
	m := muc.New(cfg)
	r := &room{Room: m, client: c, changes: make(chan muc.Change, 10_000)}
	m.OnChange(func(c muc.Change) { r.changes <- c })
	m.SetPayload(payload(c.Addr().Localpart()+" 0"), "status of "+c.Addr().Localpart())
	r.ended = background(t, m.Run)
	return r
}

func payload(text string) *element.Element {
	return element.New(xmpp.Namespace, "replica", "state", "ready").
		With(element.New(xmpp.Namespace, "csn", "sid", "1").WithText(text))
}

func text(o muc.Occupant) string {
	if c := o.Payload.Child(xmpp.Namespace, "csn"); c != nil {
		return c.Text
	}
	return ""
}

// until waits for a change.
func (r *room) until(t testing.TB, what string, is func(muc.Change) bool) muc.Change {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case c := <-r.changes:
			if is(c) {
				return c
			}
		case err := <-r.ended:
			t.Fatalf("waiting for %s: Run ended: %v", what, err)
		case <-timeout:
			state, err := r.State()
			t.Fatalf("waiting for %s: %s, %v, %v", what, state, err, r.Occupants())
		}
	}
}

func (r *room) untilState(t testing.TB, want muc.State) error {
	t.Helper()
	return r.until(t, want.String(), func(c muc.Change) bool { return c.Occupant.Nick == "" && c.State == want }).Err
}

// untilSees waits for somebody's presence of this kind.
func (r *room) untilSees(t testing.TB, nick string, is func(muc.Occupant) bool) muc.Occupant {
	t.Helper()
	return r.until(t, nick, func(c muc.Change) bool { return c.Occupant.Nick == nick && !c.Left && is(c.Occupant) }).Occupant
}

func anything(muc.Occupant) bool { return true }

func says(what string) func(muc.Occupant) bool {
	return func(o muc.Occupant) bool { return text(o) == what }
}

func ctxFor(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func bare(s *prosody.Server, user string) jid.JID { return jid.MustParse(user + "@" + s.Domain) }

func (r *room) admit(t testing.TB, who jid.JID, affiliation string) {
	t.Helper()
	if err := r.SetAffiliation(ctxFor(t), who, affiliation); err != nil {
		t.Fatal(err)
	}
}
