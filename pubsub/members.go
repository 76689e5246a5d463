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

// ErrStillSubscribed means that an account was revoked and yet the service may
// go on sending it events. Only deleting the node ends that.
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
	members, _, err := n.members(ctx)
	return members, err
}

// members is Members; listed reports whether the service lists subscriptions.
func (n *Node) members(ctx context.Context) (members []Member, listed bool, err error) {
	affiliations, err := n.list(ctx, "affiliations", "affiliation")
	if err != nil {
		return nil, false, err
	}
	subscriptions, err := n.list(ctx, "subscriptions", "subscription")
	listed = !xmpp.IsCondition(err, "feature-not-implemented")
	if err != nil && listed {
		return nil, false, err
	}
	all := roster{}
	for _, a := range affiliations {
		m, _, err := all.member(a.Attr("jid"))
		if err != nil {
			return nil, false, fmt.Errorf("affiliations of %s: %w", n.name, err)
		}
		m.Affiliation = a.Attr("affiliation")
	}
	for _, s := range subscriptions {
		if s.Attr("subscription") == "none" {
			continue
		}
		m, address, err := all.member(s.Attr("jid"))
		if err != nil {
			return nil, false, fmt.Errorf("subscriptions of %s: %w", n.name, err)
		}
		m.Subscribed = append(m.Subscribed, address)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		members = append(members, *all[key])
	}
	return members, listed, nil
}

// roster holds members by bare JID.
type roster map[string]*Member

// member returns the member with this address, added if need be.
func (r roster) member(address string) (*Member, jid.JID, error) {
	j, err := jid.Parse(address)
	if err != nil {
		return nil, j, err
	}
	bare := j.Bare()
	if r[bare.String()] == nil {
		r[bare.String()] = &Member{JID: bare, Affiliation: "none"}
	}
	return r[bare.String()], j, nil
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
// ErrStillSubscribed is wrapped where the service cannot end subscriptions, or
// cannot show that there is none.
func (n *Node) Revoke(ctx context.Context, bare jid.JID) error {
	bare = bare.Bare()
	if err := n.revoke(ctx, bare); err != nil {
		return fmt.Errorf("revoke %s from %s: %w", bare, n.name, err)
	}
	return nil
}

func (n *Node) revoke(ctx context.Context, bare jid.JID) error {
	m, listed, err := n.member(ctx, bare)
	if err != nil || !m.reads() {
		return err
	}
	var refused error
	for round := 0; round < rounds && m.reads(); round++ {
		refused = n.unsubscribe(ctx, m.Subscribed)
		if m.allowed() {
			refused = errors.Join(refused, n.affiliate(ctx, bare, "none"))
		}
		if m, listed, err = n.member(ctx, bare); err != nil {
			return err
		}
	}
	switch {
	case m.allowed():
		return errors.Join(fmt.Errorf("the affiliation is still %s", m.Affiliation), refused)
	case len(m.Subscribed) > 0:
		return errors.Join(ErrStillSubscribed, refused)
	case !listed:
		return fmt.Errorf("%w: the service does not list subscriptions", ErrStillSubscribed)
	}
	return nil
}

// allowed reports whether m may subscribe.
func (m Member) allowed() bool { return m.Affiliation != "none" && m.Affiliation != "outcast" }

// reads reports whether m gets events or may come to.
func (m Member) reads() bool { return m.allowed() || len(m.Subscribed) > 0 }

func (n *Node) member(ctx context.Context, bare jid.JID) (m Member, listed bool, err error) {
	members, listed, err := n.members(ctx)
	if i := slices.IndexFunc(members, func(m Member) bool { return m.JID.Equal(bare) }); i >= 0 {
		return members[i], listed, err
	}
	return Member{JID: bare, Affiliation: "none"}, listed, err
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
