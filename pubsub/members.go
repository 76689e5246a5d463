package pubsub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// ErrStillSubscribed means that an account was revoked and yet the service
// goes on sending it events. Only deleting the node ends that.
var ErrStillSubscribed = errors.New("pubsub: still subscribed after revocation")

// Member is an account that has an affiliation with a node or a subscription.
type Member struct {
	// JID is bare.
	JID jid.JID
	// Affiliation is owner, publisher, publish-only, member, outcast or none.
	Affiliation string
	// Subscribed are the addresses that get events.
	Subscribed []jid.JID
}

// Members returns who may read the node and who gets its events, by address.
// A service that does not list subscriptions shows none.
func (n *Node) Members(ctx context.Context) ([]Member, error) {
	found := map[string]*Member{}
	member := func(address string) (*Member, jid.JID, error) {
		j, err := jid.Parse(address)
		if err != nil {
			return nil, j, fmt.Errorf("members of %s: %w", n.name, err)
		}
		bare := j.Bare()
		if found[bare.String()] == nil {
			found[bare.String()] = &Member{JID: bare, Affiliation: "none"}
		}
		return found[bare.String()], j, nil
	}
	affiliations, err := n.list(ctx, "affiliations", "affiliation")
	if err != nil {
		return nil, err
	}
	for _, a := range affiliations {
		m, _, err := member(a.Attr("jid"))
		if err != nil {
			return nil, err
		}
		m.Affiliation = a.Attr("affiliation")
	}
	subscriptions, err := n.list(ctx, "subscriptions", "subscription")
	if err != nil && !xmpp.IsCondition(err, "feature-not-implemented") {
		return nil, err
	}
	for _, s := range subscriptions {
		if s.Attr("subscription") == "none" {
			continue
		}
		m, address, err := member(s.Attr("jid"))
		if err != nil {
			return nil, err
		}
		m.Subscribed = append(m.Subscribed, address)
	}
	out := make([]Member, 0, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		out = append(out, *found[key])
	}
	return out, nil
}

// list reads the owner's list of that name (XEP-0060 sections 8.8 and 8.9).
func (n *Node) list(ctx context.Context, list, entry string) ([]*element.Element, error) {
	reply, err := n.ask(ctx, "get", nsOwner, element.New(nsOwner, list, "node", n.name))
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", list, n.name, err)
	}
	return reply.Child(nsOwner, list).All(nsOwner, entry), nil
}

// Admit lets an account subscribe.
func (n *Node) Admit(ctx context.Context, bare jid.JID) error {
	if err := n.affiliate(ctx, bare, "member"); err != nil {
		return fmt.Errorf("admit %s to %s: %w", bare.Bare(), n.name, err)
	}
	return nil
}

// rounds is how often Revoke tries: the account may subscribe again while it
// still is a member.
const rounds = 3

// Revoke ends an account's subscriptions and then its membership: services go
// on delivering to a subscriber that is no member any more. The outcome is
// read back, as a refusal does not mean that nothing was done (Prosody 0.12).
// ErrStillSubscribed is wrapped where the service cannot end a subscription.
func (n *Node) Revoke(ctx context.Context, bare jid.JID) error {
	bare = bare.Bare()
	var last error
	for range rounds {
		m, err := n.member(ctx, bare)
		if err != nil {
			return fmt.Errorf("revoke %s: %w", bare, err)
		}
		allowed := m.Affiliation != "none" && m.Affiliation != "outcast"
		if !allowed && len(m.Subscribed) == 0 {
			return nil
		}
		last = n.unsubscribe(ctx, m.Subscribed)
		if allowed {
			last = errors.Join(last, n.affiliate(ctx, bare, "none"))
		}
	}
	m, err := n.member(ctx, bare)
	switch {
	case err != nil:
		return fmt.Errorf("revoke %s: %w", bare, err)
	case len(m.Subscribed) > 0:
		return fmt.Errorf("revoke %s from %s: %w: %w", bare, n.name, ErrStillSubscribed, last)
	case m.Affiliation != "none" && m.Affiliation != "outcast":
		return fmt.Errorf("revoke %s from %s: still %s: %w", bare, n.name, m.Affiliation, last)
	}
	return nil
}

func (n *Node) member(ctx context.Context, bare jid.JID) (Member, error) {
	members, err := n.Members(ctx)
	if err != nil {
		return Member{}, err
	}
	for _, m := range members {
		if m.JID.Equal(bare) {
			return m, nil
		}
	}
	return Member{JID: bare, Affiliation: "none"}, nil
}

func (n *Node) affiliate(ctx context.Context, bare jid.JID, affiliation string) error {
	_, err := n.ask(ctx, "set", nsOwner, element.New(nsOwner, "affiliations", "node", n.name).
		With(element.New(nsOwner, "affiliation", "jid", bare.Bare().String(), "affiliation", affiliation)))
	return err
}

func (n *Node) unsubscribe(ctx context.Context, addresses []jid.JID) error {
	var errs error
	for _, a := range addresses {
		_, err := n.ask(ctx, "set", nsOwner, element.New(nsOwner, "subscriptions", "node", n.name).
			With(element.New(nsOwner, "subscription", "jid", a.String(), "subscription", "none")))
		errs = errors.Join(errs, err)
	}
	return errs
}
