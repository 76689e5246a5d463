package pubsub_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"mellium.im/xmpp/jid"

	"ldapsync/pubsub"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

const (
	nsOwner  = "http://jabber.org/protocol/pubsub#owner"
	nsPubsub = "http://jabber.org/protocol/pubsub"
)

func TestNodeName(t *testing.T) {
	const suffix = "dc=example,dc=org"
	if node := pubsub.NodeName(7, suffix); !pubsub.IsNodeOf(suffix, node) || pubsub.IsNodeOf("dc=second,dc=net", node) {
		t.Errorf("whose node is %s?", node)
	}
	got := pubsub.NodeName(1, suffix)
	if want := "urn:ldapsync:0:1:x3bocruul2qz3czkyu6f5y7tlk"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// settings reads a node's configuration as the owner sees it.
func settings(t *testing.T, c *xmpp.Client, service jid.JID, node string) map[string]string {
	t.Helper()
	reply := must(c.IQ(t.Context(), service, "get", element.New(nsOwner, "pubsub").
		With(element.New(nsOwner, "configure", "node", node))))(t)
	out := map[string]string{}
	form := reply.Child(nsOwner, "pubsub").Child(nsOwner, "configure").Child("jabber:x:data", "x")
	for _, f := range form.All("jabber:x:data", "field") {
		if v := f.Child("jabber:x:data", "value"); v != nil {
			out[f.Attr("var")] = v.Text
		}
	}
	return out
}

func checkSettings(t *testing.T, c *xmpp.Client, service jid.JID, node string) {
	t.Helper()
	have := settings(t, c, service, node)
	for field, want := range map[string]string{
		"pubsub#access_model": "whitelist", "pubsub#publish_model": "publishers", "pubsub#deliver_payloads": "1",
		"pubsub#persist_items": "1", "pubsub#title": "a title",
	} {
		if have[field] != want {
			t.Errorf("%s is %q, want %q", field, have[field], want)
		}
	}
}

func TestEnsure(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		for range 2 {
			n := must(pubsub.Ensure(t.Context(), alice, w.service(kind), "ensured", "a title"))(t)
			if !n.Service().Equal(w.service(kind)) || n.Name() != "ensured" {
				t.Errorf("node %s at %s", n.Name(), n.Service())
			}
			checkSettings(t, alice, w.service(kind), "ensured")
			t.Log("ignored:", n.Ignored())
		}
	})
}

// A node that is there already, open to all, is closed.
func TestEnsureClosesAnOpenNode(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		create := element.New(nsPubsub, "pubsub").With(element.New(nsPubsub, "create", "node", "open"))
		must(alice.IQ(t.Context(), w.service(kind), "set", create))(t)
		if model := settings(t, alice, w.service(kind), "open")["pubsub#access_model"]; model == "whitelist" {
			t.Fatal("a new node is closed by default")
		}
		must(pubsub.Ensure(t.Context(), alice, w.service(kind), "open", "a title"))(t)
		checkSettings(t, alice, w.service(kind), "open")
	})
}

func TestStrangersAreRefused(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		mallory, _ := w.login(t, "mallory")
		service := w.service(kind)
		must(pubsub.Ensure(t.Context(), alice, service, "closed", "a title"))(t)
		if err := pubsub.Subscribe(t.Context(), mallory, service, "closed"); !xmpp.IsCondition(err, "not-allowed", "forbidden") {
			t.Errorf("subscribe: %v", err)
		}
		if _, err := pubsub.Ensure(t.Context(), mallory, service, "closed", "mine"); !xmpp.IsCondition(err, "not-allowed", "forbidden") {
			t.Errorf("take over: %v", err)
		}
		publish := element.New(nsPubsub, "pubsub").With(element.New(nsPubsub, "publish", "node", "closed").
			With(element.New(nsPubsub, "item", "id", "1").With(element.New("urn:test", "note"))))
		if _, err := mallory.IQ(t.Context(), service, "set", publish); !xmpp.IsCondition(err, "not-allowed", "forbidden") {
			t.Errorf("publish: %v", err)
		}
	})
}

// follow makes bob a subscriber of alice's node.
func follow(t testing.TB, n *pubsub.Node, bob *xmpp.Client) {
	t.Helper()
	if err := n.Admit(t.Context(), bob.Addr()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := pubsub.Subscribe(t.Context(), bob, n.Service(), n.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPublishArrivesInOrder(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		bob, in := w.listen(t, "bob")
		n := must(pubsub.Ensure(t.Context(), alice, w.service(kind), "changes", "a title"))(t)
		follow(t, n, bob)
		var items []pubsub.Item
		for i := range 200 {
			items = append(items, item(fmt.Sprintf("3-%d", i+1)))
		}
		if acked, err := n.Publish(t.Context(), items...); acked != len(items) || err != nil {
			t.Fatal(acked, err)
		}
		for _, want := range items {
			e := in.next(t)
			if e.ItemID != want.ID || e.Payload.Text != want.Payload.Text || e.Node != "changes" || !e.Service.Equal(n.Service()) || e.Delayed {
				t.Fatalf("got %+v, want item %s", e, want.ID)
			}
		}
	})
}

// What the account that owns the node gets of its own node comes from itself.
func TestOwnEvents(t *testing.T) {
	w := newWorld(t, true)
	alice, in := w.listen(t, "alice")
	n := must(pubsub.Ensure(t.Context(), alice, jid.JID{}, "own", "a title"))(t)
	if err := pubsub.Subscribe(t.Context(), alice, n.Service(), "own"); err != nil {
		t.Fatal(err)
	}
	must(n.Publish(t.Context(), item("1")))(t)
	if e := in.next(t); !e.Service.Equal(alice.Addr().Bare()) || e.ItemID != "1" {
		t.Errorf("got %+v", e)
	}
}

func TestOfflineSubscriberGetsEventsLater(t *testing.T) {
	w := newWorld(t, false)
	alice, _ := w.login(t, "alice")
	bob, logout := w.login(t, "bob")
	n := must(pubsub.Ensure(t.Context(), alice, w.service("service"), "changes", "a title"))(t)
	follow(t, n, bob)
	logout()
	for i := range 5 {
		must(n.Publish(t.Context(), item(fmt.Sprint(i))))(t)
	}
	_, in := w.listen(t, "bob")
	for i := range 5 {
		if e := in.next(t); e.ItemID != fmt.Sprint(i) || !e.Delayed || e.Stamp.IsZero() {
			t.Fatalf("got %+v, want delayed item %d", e, i)
		}
	}
}

func TestRevoke(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		bob, in := w.listen(t, "bob")
		n := must(pubsub.Ensure(t.Context(), alice, w.service(kind), "revoked", "a title"))(t)
		follow(t, n, bob)
		must(n.Publish(t.Context(), item("1")))(t)
		in.next(t)
		for range 2 {
			if err := n.Revoke(t.Context(), bob.Addr()); err != nil {
				t.Fatal(err)
			}
		}
		must(n.Publish(t.Context(), item("2")))(t)
		in.fence(t, alice, bob)
		if len(in.events) > 0 {
			t.Errorf("got %+v after revocation", <-in.events)
		}
		if err := pubsub.Subscribe(t.Context(), bob, n.Service(), n.Name()); !xmpp.IsCondition(err, "not-allowed", "forbidden") {
			t.Errorf("subscribe again: %v", err)
		}
	})
}

func TestMembers(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		bob, _ := w.login(t, "bob")
		n := must(pubsub.Ensure(t.Context(), alice, w.service(kind), "members", "a title"))(t)
		follow(t, n, bob)
		if err := n.Admit(t.Context(), jid.MustParse("carol@"+w.Domain)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range must(n.Members(t.Context()))(t) {
			got = append(got, fmt.Sprintf("%s %s %v", m.JID, m.Affiliation, m.Subscribed))
		}
		want := []string{"alice@xmpp.test owner []", "bob@xmpp.test member [bob@xmpp.test]", "carol@xmpp.test member []"}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func TestSubscriptions(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		bob, _ := w.login(t, "bob")
		for _, node := range []string{"one", "two"} {
			follow(t, must(pubsub.Ensure(t.Context(), alice, w.service(kind), node, "a title"))(t), bob)
		}
		nodes := func() map[string]string {
			out := map[string]string{}
			for _, s := range must(pubsub.Subscriptions(t.Context(), bob, w.service(kind)))(t) {
				out[s.Node] = s.State + " " + s.JID.String()
			}
			return out
		}
		if d := cmp.Diff(map[string]string{"one": "subscribed bob@xmpp.test", "two": "subscribed bob@xmpp.test"}, nodes()); d != "" {
			t.Error(d)
		}
		for range 2 {
			if err := pubsub.Unsubscribe(t.Context(), bob, w.service(kind), "one"); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(map[string]string{"two": "subscribed bob@xmpp.test"}, nodes()); d != "" {
			t.Error(d)
		}
	})
}

// A stock Prosody lets only administrators create nodes on its service.
func TestLocate(t *testing.T) {
	for _, stock := range []bool{false, true} {
		w := newWorld(t, stock)
		alice, _ := w.login(t, "alice")
		want := w.service("service")
		if stock {
			want = w.service("account")
		}
		n := must(pubsub.Locate(t.Context(), alice, w.service("service"), "located", "a title"))(t)
		if !n.Service().Equal(want) {
			t.Errorf("stock %v: node at %s, want %s", stock, n.Service(), want)
		}
		checkSettings(t, alice, n.Service(), "located")
		n = must(pubsub.Locate(t.Context(), alice, jid.JID{}, "located", "a title"))(t)
		if !n.Service().Equal(w.service("account")) {
			t.Errorf("no preference: node at %s", n.Service())
		}
	}
}

func TestDelete(t *testing.T) {
	kinds(t, func(t *testing.T, w *world, kind string) {
		alice, _ := w.login(t, "alice")
		n := must(pubsub.Ensure(t.Context(), alice, w.service(kind), "gone", "a title"))(t)
		if err := n.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		acked, err := n.Publish(t.Context(), item("1"))
		if kind == "service" && !xmpp.IsCondition(err, "item-not-found", "forbidden") {
			t.Errorf("publish to a deleted node: %d, %v", acked, err)
		}
		// An account's service creates what is missing; never open to others.
		if err == nil && settings(t, alice, n.Service(), "gone")["pubsub#access_model"] != "whitelist" {
			t.Error("the node came back open")
		}
	})
}
