package xmpp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"mellium.im/xmpp/jid"

	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

func TestRequestsArePipelined(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := online(t, config(t, s, "ann")), online(t, config(t, s, "bob"))
	bob.HandleIQ("urn:test", "echo", func(_ context.Context, iq *element.Element) (*element.Element, error) {
		return iq.Child("urn:test", "echo"), nil
	})
	const n, window = 500, 8
	var pending []*xmpp.Pending
	settle := func() {
		reply, err := pending[0].Wait(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = reply
		pending = pending[1:]
	}
	for i := range n {
		p, err := ann.Request(deadline(t), bob.Addr(), "set", element.New("urn:test", "echo").WithText(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if pending = append(pending, p); len(pending) > window {
			settle()
		}
	}
	for len(pending) > 0 {
		settle()
	}
}

func TestErrorReplies(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := online(t, config(t, s, "ann")), online(t, config(t, s, "bob"))
	bob.HandleIQ("urn:test", "typed", func(context.Context, *element.Element) (*element.Element, error) {
		return nil, &xmpp.StanzaError{Type: "wait", Condition: "recipient-unavailable", Text: "busy"}
	})
	bob.HandleIQ("urn:test", "plain", func(context.Context, *element.Element) (*element.Element, error) {
		return nil, errors.New("private detail")
	})
	bob.HandleIQ("urn:test", "huge", func(context.Context, *element.Element) (*element.Element, error) {
		return element.New("urn:test", "huge").WithText(strings.Repeat("x", xmpp.MaxStanza)), nil
	})
	from := bob.Addr().String()
	for name, want := range map[string]xmpp.StanzaError{
		"typed":   {Type: "wait", Condition: "recipient-unavailable", Text: "busy", By: from},
		"plain":   {Type: "cancel", Condition: "internal-server-error", By: from},
		"huge":    {Type: "cancel", Condition: "internal-server-error", By: from},
		"unknown": {Type: "cancel", Condition: "service-unavailable", By: from},
	} {
		_, err := ann.IQ(deadline(t), bob.Addr(), "get", element.New("urn:test", name))
		var got *xmpp.StanzaError
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRequestsBeyondTheBoundAreRefused(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := online(t, config(t, s, "ann")), online(t, config(t, s, "bob"))
	release := make(chan struct{})
	bob.HandleIQ("urn:test", "slow", func(context.Context, *element.Element) (*element.Element, error) {
		<-release
		return nil, nil
	})
	var pending []*xmpp.Pending
	for range 20 {
		p, err := ann.Request(deadline(t), bob.Addr(), "get", element.New("urn:test", "slow"))
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, p)
	}
	// Even then a ping is answered, after the refusals.
	if err := ping(deadline(t), ann.Client, bob.Addr()); err != nil {
		t.Error(err)
	}
	close(release)
	refused := 0
	for _, p := range pending {
		if _, err := p.Wait(deadline(t)); xmpp.IsCondition(err, "resource-constraint") {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refused != 4 {
		t.Errorf("%d of 20 refused, want 4", refused)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := online(t, config(t, s, "ann")), online(t, config(t, s, "bob"))
	bob.HandleIQ("urn:test", "never", func(ctx context.Context, _ *element.Element) (*element.Element, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := ann.IQ(ctx, bob.Addr(), "get", element.New("urn:test", "never")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := ping(deadline(t), ann.Client, bob.Addr()); err != nil {
		t.Error(err)
	}
}

func TestMessagesArriveInOrderAndSlowHandlersHinderNobody(t *testing.T) {
	s := server(t, prosody.Options{})
	release := make(chan struct{})
	got := make(chan string, 2000)
	c := xmpp.New(config(t, s, "bob"))
	c.HandleMessage(func(msg *element.Element) bool {
		<-release
		got <- body(msg)
		return true
	})
	c.HandleMessage(func(*element.Element) bool {
		t.Error("second handler called for a consumed message")
		return true
	})
	bob := run(t, c)
	bob.await(t, true)
	ann := online(t, config(t, s, "ann"))
	const n = 1000
	for i := range n {
		if err := ann.Send(deadline(t), message(bob.Addr(), fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := ping(deadline(t), bob.Client, bob.Addr().Domain()); err != nil {
		t.Error(err)
	}
	if err := ping(deadline(t), ann.Client, bob.Addr()); err != nil {
		t.Error(err)
	}
	close(release)
	for i := range n {
		if b := <-got; b != fmt.Sprint(i) {
			t.Fatalf("message %s at place %d", b, i)
		}
	}
}

// Offline messages come with the first presence; handlers must be in place.
func TestMessagesKeptForUsAreNotMissed(t *testing.T) {
	s := server(t, prosody.Options{})
	ann := online(t, config(t, s, "ann"))
	for i := range 50 {
		if err := ann.Send(deadline(t), message(jid.MustParse("bob@"+s.Domain), fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := ping(deadline(t), ann.Client, ann.Addr().Domain()); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 100)
	c := xmpp.New(config(t, s, "bob"))
	c.HandleMessage(func(msg *element.Element) bool { got <- body(msg); return true })
	run(t, c)
	for i := range 50 {
		select {
		case b := <-got:
			if b != fmt.Sprint(i) {
				t.Fatalf("message %s at place %d", b, i)
			}
		case <-time.After(patience):
			t.Fatalf("message %d did not arrive", i)
		}
	}
}

func TestTooLargeStanzaIsNotSent(t *testing.T) {
	s := server(t, prosody.Options{})
	c := online(t, config(t, s, "ann"))
	big := message(c.Addr(), strings.Repeat("x", xmpp.MaxStanza))
	if err := c.Send(deadline(t), big); !errors.Is(err, xmpp.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := c.IQ(deadline(t), jid.JID{}, "set", big); !errors.Is(err, xmpp.ErrTooLarge) {
		t.Error(err)
	}
	if err := ping(deadline(t), c.Client, c.Addr().Domain()); err != nil {
		t.Error(err)
	}
}

// A stream error inside of a stanza is somebody's joke, not the server's word.
func TestForeignStreamErrorIsHarmless(t *testing.T) {
	s := server(t, prosody.Options{})
	got := make(chan string, 10)
	c := xmpp.New(config(t, s, "bob"))
	c.HandleMessage(func(msg *element.Element) bool { got <- body(msg); return true })
	bob := run(t, c)
	bob.await(t, true)
	ann := online(t, config(t, s, "ann"))
	const ns = "http://etherx.jabber.org/streams"
	evil := message(bob.Addr(), "evil").With(
		element.New(ns, "error").With(element.New("urn:ietf:params:xml:ns:xmpp-streams", "conflict")),
		element.New(ns, "stream"), element.New(ns, "features"))
	for _, st := range []*element.Element{evil, message(bob.Addr(), "good")} {
		if err := ann.Send(deadline(t), st); err != nil {
			t.Fatal(err)
		}
	}
	for b := ""; b != "good"; {
		select {
		case b = <-got:
		case err := <-bob.ended:
			t.Fatal(err)
		case <-time.After(patience):
			t.Fatal("nothing arrived")
		}
	}
	if len(bob.state) != 0 {
		t.Error("the session was interrupted")
	}
}

func TestDisco(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := online(t, config(t, s, "ann")), online(t, config(t, s, "bob"))
	bob.HandleIQ("urn:test", "x", func(context.Context, *element.Element) (*element.Element, error) { return nil, nil })
	d, err := ann.DiscoInfo(deadline(t), bob.Addr(), "")
	if err != nil {
		t.Fatal(err)
	}
	want := xmpp.Disco{
		Identities: []xmpp.Identity{{Category: "client", Type: "bot", Name: "ldapsync"}},
		Features: []string{
			"http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items",
			xmpp.Namespace, "urn:test", "urn:xmpp:ping",
		},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	if _, err := ann.DiscoInfo(deadline(t), bob.Addr(), "caps"); !xmpp.IsCondition(err, "item-not-found") {
		t.Error(err)
	}
	for category, want := range map[string]string{"conference": s.MUC, "pubsub": s.PubSub, "teleport": ""} {
		got, found, err := ann.DiscoverService(deadline(t), ann.Addr().Domain(), category)
		if err != nil || found != (want != "") || found && got.String() != want {
			t.Errorf("%s: %s, %v, %v", category, got, found, err)
		}
	}
}

func TestDiscoverOnABareServer(t *testing.T) {
	s := server(t, prosody.Options{NoMUC: true, NoPubSub: true})
	c := online(t, config(t, s, "ann"))
	for _, category := range []string{"conference", "pubsub"} {
		if got, found, err := c.DiscoverService(deadline(t), c.Addr().Domain(), category); found || err != nil {
			t.Errorf("%s: %s, %v", category, got, err)
		}
	}
}
