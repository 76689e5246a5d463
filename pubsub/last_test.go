package pubsub_test

import (
	"errors"
	"fmt"
	"testing"

	"ldapsync/pubsub"
	"ldapsync/xmpp"
)

// TestLast promises the item that was published last, also after everybody has been
// away and the service was killed.
func TestLast(t *testing.T) {
	w := newWorld(t, false)
	for _, kind := range []string{"service", "account"} {
		t.Run(kind, func(t *testing.T) {
			alice, logout := w.login(t, "alice")
			n := must(pubsub.Ensure(t.Context(), alice, w.service(kind), "last", "a title"))(t)
			if last, err := n.Last(t.Context()); err != nil || last.ID != "" || last.Payload != nil {
				t.Errorf("of an empty node: %+v, %v", last, err)
			}
			var items []pubsub.Item
			for i := range 20 {
				items = append(items, item(fmt.Sprint(i)))
			}
			must(n.Publish(t.Context(), items...))(t)
			check := func(n *pubsub.Node) {
				t.Helper()
				last, err := n.Last(t.Context())
				if err != nil || last.ID != "19" || last.Payload == nil || last.Payload.String() != items[19].Payload.String() {
					t.Errorf("%+v, %v", last, err)
				}
			}
			check(n)
			logout()
			if err := w.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := w.Restart(); err != nil {
				t.Fatal(err)
			}
			if n.Current() {
				t.Error("the node is of a session that has ended")
			}
			again, _ := w.login(t, "alice")
			if _, err := n.Last(t.Context()); err == nil {
				t.Error("read without a session")
			}
			check(must(pubsub.Ensure(t.Context(), again, w.service(kind), "last", "a title"))(t))
		})
	}
}

// TestNodeOfAnEarlierSession promises that nothing is published on a node that was
// checked in another session.
func TestNodeOfAnEarlierSession(t *testing.T) {
	w := newWorld(t, false)
	alice := w.client("alice")
	stop := run(t, alice)
	n := must(pubsub.Ensure(t.Context(), alice, w.service("account"), "earlier", "a title"))(t)
	stop()
	run(t, alice)
	if acked, err := n.Publish(t.Context(), item("1")); acked != 0 || !errors.Is(err, xmpp.ErrOffline) {
		t.Errorf("%d, %v", acked, err)
	}
	if last, err := n.Last(t.Context()); err != nil || last.ID != "" {
		t.Errorf("%+v, %v", last, err)
	}
}
