package xmpp

import (
	"context"
	"fmt"
	"slices"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp/element"
)

// Namespace is the protocol's own (docs/protocol.md).
const Namespace = "urn:ldapsync:0"

const (
	nsDiscoInfo  = "http://jabber.org/protocol/disco#info"
	nsDiscoItems = "http://jabber.org/protocol/disco#items"

	maxServices = 64
)

// Identity is one identity of an entity (XEP-0030).
type Identity struct{ Category, Type, Name string }

// Disco is what an entity says about itself.
type Disco struct {
	Identities []Identity
	Features   []string
}

// Is reports whether an entity has an identity of this category.
func (d Disco) Is(category string) bool {
	return slices.ContainsFunc(d.Identities, func(i Identity) bool { return i.Category == category })
}

// Has reports whether an entity has a feature.
func (d Disco) Has(feature string) bool { return slices.Contains(d.Features, feature) }

// DiscoInfo asks an entity, or one of its nodes where node is not empty.
func (c *Client) DiscoInfo(ctx context.Context, to jid.JID, node string) (Disco, error) {
	reply, err := c.IQ(ctx, to, "get", element.New(nsDiscoInfo, "query", "node", node))
	if err != nil {
		return Disco{}, fmt.Errorf("ask %s what it is: %w", to, err)
	}
	var d Disco
	query := reply.Child(nsDiscoInfo, "query")
	for _, i := range query.All(nsDiscoInfo, "identity") {
		d.Identities = append(d.Identities, Identity{i.Attr("category"), i.Attr("type"), i.Attr("name")})
	}
	for _, f := range query.All(nsDiscoInfo, "feature") {
		d.Features = append(d.Features, f.Attr("var"))
	}
	return d, nil
}

// DiscoverService finds the service of a category, "conference" or "pubsub",
// that domain or one of its items offers; false means there is none. An item
// that does not answer is passed over.
func (c *Client) DiscoverService(ctx context.Context, domain jid.JID, category string) (jid.JID, bool, error) {
	candidates, err := c.services(ctx, domain)
	if err != nil {
		return jid.JID{}, false, err
	}
	var waiting []*Pending
	for _, to := range candidates {
		p, err := c.Request(ctx, to, "get", element.New(nsDiscoInfo, "query"))
		if err != nil {
			return jid.JID{}, false, fmt.Errorf("discover %s: %w", category, err)
		}
		waiting = append(waiting, p)
	}
	for i, p := range waiting {
		reply, err := p.Wait(ctx)
		if ctx.Err() != nil || err != nil && !isReply(err) {
			return jid.JID{}, false, fmt.Errorf("discover %s: %w", category, err)
		}
		if err == nil && offers(reply, category) {
			return candidates[i], true, nil
		}
	}
	return jid.JID{}, false, nil
}

// services lists domain's items that are domains, then domain itself.
func (c *Client) services(ctx context.Context, domain jid.JID) ([]jid.JID, error) {
	reply, err := c.IQ(ctx, domain, "get", element.New(nsDiscoItems, "query"))
	if err != nil && !isReply(err) {
		return nil, fmt.Errorf("list the services of %s: %w", domain, err)
	}
	var out []jid.JID
	for _, item := range reply.Child(nsDiscoItems, "query").All(nsDiscoItems, "item") {
		j, err := jid.Parse(item.Attr("jid"))
		if err == nil && j.Equal(j.Domain()) && item.Attr("node") == "" && len(out) < maxServices {
			out = append(out, j)
		}
	}
	return append(out, domain), nil
}

// offers tells a pubsub service from an account that has PEP: both have the
// category, only the former the type.
func offers(reply *element.Element, category string) bool {
	for _, i := range reply.Child(nsDiscoInfo, "query").All(nsDiscoInfo, "identity") {
		if i.Attr("category") == category && i.Attr("type") != "pep" {
			return true
		}
	}
	return false
}

// describe answers what we are (XEP-0030).
func (c *Client) describe(_ context.Context, iq *element.Element) (*element.Element, error) {
	if iq.Child(nsDiscoInfo, "query").Attr("node") != "" {
		return nil, &StanzaError{Type: "cancel", Condition: "item-not-found"}
	}
	query := element.New(nsDiscoInfo, "query").
		With(element.New(nsDiscoInfo, "identity", "category", "client", "type", "bot", "name", "ldapsync"))
	for _, f := range c.features() {
		query.With(element.New(nsDiscoInfo, "feature", "var", f))
	}
	return query, nil
}

func noItems(context.Context, *element.Element) (*element.Element, error) {
	return element.New(nsDiscoItems, "query"), nil
}

func (c *Client) features() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{Namespace}
	for name := range c.requests {
		out = append(out, name.Space)
	}
	for name := range c.quick {
		out = append(out, name.Space)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
