package xmpp

import (
	"context"

	"mellium.im/xmpp/jid"
)

// Identity is one identity of an entity (XEP-0030).
type Identity struct{ Category, Type, Name string }

// Disco is what an entity says about itself.
type Disco struct {
	Identities []Identity
	Features   []string
}

// DiscoInfo asks an entity, or one of its nodes where node is not empty.
func (c *Client) DiscoInfo(ctx context.Context, to jid.JID, node string) (Disco, error) {
	return Disco{}, nil
}

// DiscoverService finds the service of a category, "conference" or "pubsub",
// that domain or one of its items offers; false means there is none.
func (c *Client) DiscoverService(ctx context.Context, domain jid.JID, category string) (jid.JID, bool, error) {
	return jid.JID{}, false, nil
}
