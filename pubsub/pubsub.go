// Package pubsub is the node on which one server publishes and the others
// subscribe (XEP-0060), on a pubsub service or on the server's own account
// (XEP-0163): its creation with a configuration that was read back and
// checked, its members, publishing within a window, and events.
//
// Of the items it fetches the last of an own node only: nodes keep no more, the
// servers' own logs do. It does
// not decide whom to believe: an Event says where it came from, and that is
// all a receiver may go by.
package pubsub

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Namespaces of XEP-0060.
const (
	nsPubsub = "http://jabber.org/protocol/pubsub"
	nsOwner  = "http://jabber.org/protocol/pubsub#owner"
	nsEvent  = "http://jabber.org/protocol/pubsub#event"
)

// ErrNoService means that neither the pubsub service nor the account lets us
// have a node.
var ErrNoService = errors.New("pubsub: no node can be created")

// NodeName returns the name of the node of server sid for a suffix, which must
// be in normalised form: urn:ldapsync:0:<sid>:<hash>, the hash being 26
// characters of lower-case base32 of the suffix's SHA-256.
func NodeName(sid uint16, suffix string) string {
	return fmt.Sprintf("urn:ldapsync:0:%d:%s", sid, hashOf(suffix))
}

// IsNodeOf reports whether a node is, by its name, that of some server for a
// suffix.
func IsNodeOf(suffix, node string) bool { return strings.HasSuffix(node, ":"+hashOf(suffix)) }

func hashOf(suffix string) string {
	sum := sha256.Sum256([]byte(suffix))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}

// request sends one pubsub request and returns the pubsub element of the
// result, which is nil where the result is empty.
func request(ctx context.Context, c *xmpp.Client, to jid.JID, typ, space string, children ...*element.Element) (*element.Element, error) {
	iq, err := c.IQ(ctx, to, typ, element.New(space, "pubsub").With(children...))
	if err != nil {
		return nil, err
	}
	return iq.Child(space, "pubsub"), nil
}

// target is where requests to a service go: the zero JID, which means our own
// account, when the service is that account.
func target(c *xmpp.Client, service jid.JID) jid.JID {
	if service.Equal(c.Addr().Bare()) {
		return jid.JID{}
	}
	return service
}
