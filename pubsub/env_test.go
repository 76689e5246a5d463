package pubsub_test

import (
	"context"
	"crypto/x509"
	"sync"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/pubsub"
	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// world is a Prosody with some accounts, whose passwords are their names.
type world struct {
	*prosody.Server
	roots *x509.CertPool
}

func newWorld(t testing.TB, stock bool) *world {
	t.Helper()
	users := map[string]string{"alice": "alice", "bob": "bob", "carol": "carol", "mallory": "mallory"}
	s := prosody.StartTest(t, prosody.Options{Domain: "xmpp.test", Users: users, Stock: stock})
	return &world{Server: s, roots: must(s.Roots())(t)}
}

// login starts a session that can be ended before the test does.
func (w *world) login(t testing.TB, user string) (c *xmpp.Client, logout func()) {
	t.Helper()
	c = w.client(user)
	return c, run(t, c)
}

// listen is login with an inbox that misses nothing.
func (w *world) listen(t testing.TB, user string) (*xmpp.Client, *inbox) {
	t.Helper()
	c := w.client(user)
	in := &inbox{events: make(chan pubsub.Event, 10_000), others: make(chan *element.Element, 10_000)}
	pubsub.Events(c, func(e pubsub.Event) bool { in.events <- e; return true })
	c.HandleMessage(func(msg *element.Element) bool {
		in.others <- msg
		return true
	})
	run(t, c)
	return c, in
}

func (w *world) client(user string) *xmpp.Client {
	return xmpp.New(xmpp.Config{
		JID:      jid.MustParse(user + "@" + w.Domain),
		Password: func(context.Context) (string, error) { return user, nil },
		Server:   w.Addr,
		RootCAs:  w.roots,
	})
}

// run returns when c is online; stop returns when it is not any more.
func run(t testing.TB, c *xmpp.Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended, online := make(chan error, 1), make(chan struct{})
	var once sync.Once
	c.OnOnline(func(context.Context) { once.Do(func() { close(online) }) })
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-online:
	case err := <-ended:
		t.Fatal(c.Addr(), "cannot log in:", err)
	}
	return stop
}

// service is where a kind of node is: a pubsub service, or alice's account.
func (w *world) service(kind string) jid.JID {
	if kind == "account" {
		return jid.MustParse("alice@" + w.Domain)
	}
	return jid.MustParse(w.PubSub)
}

// kinds runs a test on a node of either kind.
func kinds(t *testing.T, test func(t *testing.T, w *world, kind string)) {
	w := newWorld(t, false)
	for _, kind := range []string{"service", "account"} {
		t.Run(kind, func(t *testing.T) { test(t, w, kind) })
	}
}

// inbox collects what a client receives.
type inbox struct {
	events chan pubsub.Event
	others chan *element.Element
}

func (in *inbox) next(t testing.TB) pubsub.Event {
	t.Helper()
	select {
	case e := <-in.events:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
		return pubsub.Event{}
	}
}

// fence sends a message and returns when it has arrived: everything that from
// had sent before has arrived too, or never will.
func (in *inbox) fence(t testing.TB, from, to *xmpp.Client) {
	t.Helper()
	msg := element.New("jabber:client", "message", "type", "normal", "to", to.Addr().String()).
		With(element.New("urn:test", "fence"))
	if err := from.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	timeout := time.After(10 * time.Second)
	for {
		select {
		case got := <-in.others:
			if got.Child("urn:test", "fence") != nil {
				return
			}
		case <-timeout:
			t.Fatal("the fence did not arrive")
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func item(id string) pubsub.Item {
	return pubsub.Item{ID: id, Payload: element.New("urn:test", "note").WithText("item " + id)}
}
