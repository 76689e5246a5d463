package pubsub

import (
	"context"
	"fmt"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Subscription is one of ours.
type Subscription struct {
	Node string
	// JID is the address that gets the events.
	JID jid.JID
	// State is subscribed, pending or unconfigured.
	State string
	ID    string
}

// Subscribe subscribes our bare JID, so that the service's events reach us
// under any resource and are kept while we are offline where the service does
// that. Doing it again is harmless. The owner must have admitted us.
func Subscribe(ctx context.Context, c *xmpp.Client, service jid.JID, node string) error {
	reply, err := request(ctx, c, target(c, service), "set", nsPubsub,
		element.New(nsPubsub, "subscribe", "node", node, "jid", c.Addr().Bare().String()))
	if err != nil {
		return fmt.Errorf("subscribe to %s at %s: %w", node, service, err)
	}
	s := reply.Child(nsPubsub, "subscription")
	if state := s.Attr("subscription"); s != nil && state != "subscribed" {
		return fmt.Errorf("subscribe to %s at %s: subscription is %q", node, service, state)
	}
	return nil
}

// Unsubscribe ends all our subscriptions to a node; there need not be any.
func Unsubscribe(ctx context.Context, c *xmpp.Client, service jid.JID, node string) error {
	subscriptions, err := Subscriptions(ctx, c, service)
	if err != nil {
		return err
	}
	for _, s := range subscriptions {
		if s.Node != node {
			continue
		}
		_, err := request(ctx, c, target(c, service), "set", nsPubsub,
			element.New(nsPubsub, "unsubscribe", "node", node, "jid", s.JID.String(), "subid", s.ID))
		if err != nil && !xmpp.IsCondition(err, "unexpected-request") {
			return fmt.Errorf("unsubscribe from %s at %s: %w", node, service, err)
		}
	}
	return nil
}

// Subscriptions returns our subscriptions at a service.
func Subscriptions(ctx context.Context, c *xmpp.Client, service jid.JID) ([]Subscription, error) {
	reply, err := request(ctx, c, target(c, service), "get", nsPubsub, element.New(nsPubsub, "subscriptions"))
	if err != nil {
		return nil, fmt.Errorf("subscriptions at %s: %w", service, err)
	}
	var out []Subscription
	for _, e := range reply.Child(nsPubsub, "subscriptions").All(nsPubsub, "subscription") {
		s := Subscription{Node: e.Attr("node"), State: e.Attr("subscription"), ID: e.Attr("subid")}
		if s.JID, err = jid.Parse(e.Attr("jid")); err != nil {
			return nil, fmt.Errorf("subscriptions at %s: %w", service, err)
		}
		if s.State != "none" {
			out = append(out, s)
		}
	}
	return out, nil
}
