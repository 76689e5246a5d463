package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"mellium.im/xmpp/jid"

	"ldapsync/pubsub"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// fakeService answers as a service that has one node, which takes no
// configuration.
type fakeService struct {
	*xmpp.Client
	// settings is the configuration, as field, value pairs.
	settings []string

	// owner, if set, answers what the owner asks but for the configuration.
	owner func(request *element.Element, set bool) (*element.Element, error)

	mu sync.Mutex
	// published are the ids of the items that have arrived.
	published []string
	// answer is called with an item's id and the number of items so far.
	answer func(id string, n int) error
}

func newFakeService(t *testing.T, w *world, settings ...string) *fakeService {
	c, _ := w.login(t, "mallory")
	f := &fakeService{Client: c, settings: settings, answer: func(string, int) error { return nil }}
	c.HandleIQ(nsOwner, "pubsub", func(_ context.Context, iq *element.Element) (*element.Element, error) {
		request := iq.Child(nsOwner, "pubsub").Children[0]
		if f.owner != nil && request.Name.Local != "configure" {
			reply, err := f.owner(request, iq.Attr("type") == "set")
			return element.New(nsOwner, "pubsub").With(reply), err
		}
		x := element.New("jabber:x:data", "x", "type", "form")
		for i := 0; i+1 < len(f.settings); i += 2 {
			x.With(element.New("jabber:x:data", "field", "var", f.settings[i]).
				With(element.New("jabber:x:data", "value").WithText(f.settings[i+1])))
		}
		return element.New(nsOwner, "pubsub").With(element.New(nsOwner, "configure").With(x)), nil
	})
	c.HandleIQ(nsPubsub, "pubsub", func(_ context.Context, iq *element.Element) (*element.Element, error) {
		it := iq.Child(nsPubsub, "pubsub").Child(nsPubsub, "publish").Child(nsPubsub, "item")
		f.mu.Lock()
		f.published = append(f.published, it.Attr("id"))
		n := len(f.published)
		f.mu.Unlock()
		return nil, f.answer(it.Attr("id"), n)
	})
	return f
}

func TestEnsureRefusesAnUnsafeNode(t *testing.T) {
	w := newWorld(t, true)
	alice, _ := w.login(t, "alice")
	good := []string{"pubsub#access_model", "whitelist", "pubsub#publish_model", "publishers", "pubsub#deliver_payloads", "true"}
	f := newFakeService(t, w)
	for name, tc := range map[string]struct {
		settings []string
		want     string
	}{
		"open":        {append([]string{}, append(good, "pubsub#access_model", "open")...), `pubsub#access_model is "open" instead of "whitelist"`},
		"all publish": {append([]string{}, append(good, "pubsub#publish_model", "open")...), `pubsub#publish_model is "open"`},
		"no payloads": {append([]string{}, append(good, "pubsub#deliver_payloads", "0")...), `pubsub#deliver_payloads is "0"`},
		"no form":     {nil, `pubsub#access_model is ""`},
		"safe":        {good, ""},
		"odd":         {append([]string{}, append(good, "pubsub#notification_type", "headline")...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f.settings = tc.settings
			n, err := pubsub.Ensure(t.Context(), alice, f.Addr(), "node", "a title")
			var ce *pubsub.ConfigError
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want == "" && len(n.Ignored()) == 0:
				t.Error("nothing was ignored")
			case tc.want != "" && (!errors.As(err, &ce) || ce.Hint() == "" || !strings.Contains(ce.Error(), tc.want)):
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func safeNode(t *testing.T) (*fakeService, *pubsub.Node) {
	w := newWorld(t, true)
	alice, _ := w.login(t, "alice")
	f := newFakeService(t, w, "pubsub#access_model", "whitelist", "pubsub#publish_model", "publishers")
	return f, must(pubsub.Ensure(t.Context(), alice, f.Addr(), "node", "a title"))(t)
}

func numbered(n int) []pubsub.Item {
	var out []pubsub.Item
	for i := range n {
		out = append(out, item(fmt.Sprint(i+1)))
	}
	return out
}

// Acknowledged is what comes before the first refusal, whatever comes after it.
func TestPublishReportsTheGaplessPrefix(t *testing.T) {
	f, n := safeNode(t)
	f.answer = func(id string, _ int) error {
		if id == "5" {
			return &xmpp.StanzaError{Type: "wait", Condition: "resource-constraint"}
		}
		return nil
	}
	acked, err := n.Publish(t.Context(), numbered(40)...)
	if acked != 4 || !xmpp.IsCondition(err, "resource-constraint") {
		t.Errorf("%d, %v", acked, err)
	}
	if got := len(f.published); got > 4+pubsub.Window {
		t.Errorf("%d items were sent", got)
	}
}

// The window is used, and never exceeded.
func TestPublishWindow(t *testing.T) {
	f, n := safeNode(t)
	full, release := make(chan struct{}), make(chan struct{})
	f.answer = func(_ string, n int) error {
		if n == pubsub.Window {
			close(full)
		}
		<-release
		return nil
	}
	done := make(chan error, 1)
	go func() {
		_, err := n.Publish(t.Context(), numbered(40)...)
		done <- err
	}()
	<-full
	f.mu.Lock()
	if len(f.published) != pubsub.Window {
		t.Errorf("%d items are outstanding", len(f.published))
	}
	f.mu.Unlock()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPublishRefusesTheOversize(t *testing.T) {
	f, n := safeNode(t)
	items := numbered(4)
	items[2].Payload.Text = strings.Repeat("x", pubsub.MaxPayload)
	acked, err := n.Publish(t.Context(), items...)
	if acked != 2 || !errors.Is(err, pubsub.ErrTooLarge) {
		t.Errorf("%d, %v", acked, err)
	}
	if got := len(f.published); got != 2 {
		t.Errorf("%d items were sent", got)
	}
}

func TestPublishEndsWithContext(t *testing.T) {
	f, n := safeNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	f.answer = func(id string, _ int) error {
		if id != "1" {
			cancel()
			<-release
		}
		return nil
	}
	acked, err := n.Publish(ctx, numbered(3)...)
	if acked > 1 || err == nil {
		t.Errorf("%d, %v", acked, err)
	}
}

// An event is one only if a service sent it, in the form of one.
func TestEventsIgnoresWhatIsNone(t *testing.T) {
	w := newWorld(t, true)
	mallory, _ := w.login(t, "mallory")
	alice, in := w.listen(t, "alice")
	event := func(inner string) string {
		return `<event xmlns='http://jabber.org/protocol/pubsub#event'>` + inner + `</event>`
	}
	good := event(`<items node='n'><item id='1'><x xmlns='urn:test'/></item></items>`)
	for _, content := range []string{good, event(""), event(`<items/>`), event(`<items node='n'><item id='1'/></items>`)} {
		for _, typ := range []string{"normal", "headline", "chat", "error"} {
			msg := must(element.Parse([]byte(`<message xmlns='jabber:client'>`+content+`</message>`), element.StanzaLimits))(t)
			msg.SetAttr("type", typ)
			msg.SetAttr("to", alice.Addr().String())
			if err := mallory.Send(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	in.fence(t, mallory, alice)
	if len(in.events) > 0 {
		t.Errorf("got %+v", <-in.events)
	}
}

// A service that cannot end a subscription, or not even say whether there is
// one, must not pass for one that did.
func TestRevokeCannotUnsubscribe(t *testing.T) {
	unsupported := &xmpp.StanzaError{Type: "cancel", Condition: "feature-not-implemented"}
	for _, listed := range []bool{true, false} {
		f, n := safeNode(t)
		affiliation := "member"
		f.owner = func(request *element.Element, set bool) (*element.Element, error) {
			reply := element.New(nsOwner, request.Name.Local)
			switch {
			case request.Name.Local == "affiliations" && set:
				affiliation = "none"
			case request.Name.Local == "affiliations":
				reply.With(element.New(nsOwner, "affiliation", "jid", "bob@xmpp.test", "affiliation", affiliation))
			case listed && !set:
				reply.With(element.New(nsOwner, "subscription", "jid", "bob@xmpp.test", "subscription", "subscribed"))
			default:
				return reply, unsupported
			}
			return reply, nil
		}
		err := n.Revoke(t.Context(), jid.MustParse("bob@xmpp.test"))
		if !errors.Is(err, pubsub.ErrStillSubscribed) || affiliation != "none" {
			t.Errorf("listed %v: %v, affiliation %s", listed, err, affiliation)
		}
	}
}
