package pubsub

import (
	"context"
	"errors"
	"fmt"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Item is what one publish carries.
type Item struct {
	// ID makes it harmless to publish an item twice.
	ID      string
	Payload *element.Element
}

const (
	// MaxPayload is the size in bytes of the largest payload that Publish
	// sends: half of what servers pass on by default.
	MaxPayload = 128 << 10
	// Window is how many publishes are outstanding at a time: more only adds
	// to the delay of each.
	Window = 8
)

// ErrTooLarge is wrapped by the error for a payload above MaxPayload, which
// was not sent: servers cut the connection over such a stanza.
var ErrTooLarge = errors.New("pubsub: payload too large")

// Publish publishes items in order, with at most Window of them outstanding.
// It returns how many of the first items the service acknowledged without a
// gap, and why not all: items behind that may have been published too. When the
// session has ended since the node was checked the error wraps xmpp.ErrOffline. It
// ends when nothing is outstanding any more. Calls for one node must not
// overlap if the order of their items matters.
func (n *Node) Publish(ctx context.Context, items ...Item) (acked int, err error) {
	var pending []func() error
	settle := func() {
		e := pending[0]()
		pending = pending[1:]
		switch {
		case err != nil:
		case e != nil:
			err = fmt.Errorf("publish item %s to %s: %w", items[acked].ID, n.name, e)
		default:
			acked++
		}
	}
	for _, item := range items {
		if len(pending) == Window {
			settle()
		}
		if err != nil {
			break
		}
		wait, e := n.start(ctx, item)
		if e != nil {
			wait = func() error { return e }
		}
		pending = append(pending, wait)
		if e != nil {
			break
		}
	}
	for len(pending) > 0 {
		settle()
	}
	return acked, err
}

// start sends the publish of one item; wait returns the service's answer.
func (n *Node) start(ctx context.Context, item Item) (wait func() error, err error) {
	if !n.Current() {
		return nil, xmpp.ErrOffline
	}
	if size := len(item.Payload.Bytes()); size > MaxPayload {
		return nil, fmt.Errorf("%w: %d octets", ErrTooLarge, size)
	}
	payload := element.New(nsPubsub, "pubsub").With(
		element.New(nsPubsub, "publish", "node", n.name).
			With(element.New(nsPubsub, "item", "id", item.ID).With(item.Payload)))
	to := target(n.c, n.service)
	if to.Equal(jid.JID{}) {
		payload.With(guard())
	}
	pending, err := n.c.Request(ctx, to, "set", payload)
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := pending.Wait(ctx)
		return err
	}, nil
}

// guard keeps an account's own service from creating the node, with defaults
// that let others read it, should it have been deleted (XEP-0060 section
// 7.1.5).
func guard() *element.Element {
	x := element.New(nsData, "x", "type", "submit").With(
		fieldElement(formType, "http://jabber.org/protocol/pubsub#publish-options"),
		fieldElement("pubsub#access_model", "whitelist"))
	return element.New(nsPubsub, "publish-options").With(x)
}
