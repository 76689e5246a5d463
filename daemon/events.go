package daemon

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/pubsub"
	"ldapsync/replica"
	"ldapsync/xmpp"
)

// receive hands events to the replica, a run of one server at a time.
func (l *link) receive(ctx context.Context) {
	var parts protocol.Assembler
	for {
		events, ok := l.events.take(ctx)
		if !ok {
			return
		}
		for len(events) > 0 {
			var d replica.Delivery
			d, events = l.collect(&parts, events)
			if len(d.Changes) == 0 {
				continue
			}
			if _, err := l.replica.Receive(d); err != nil {
				l.log.Error("receive", "error", err)
			}
		}
	}
}

// collect opens the events of one server at the head of a run.
func (l *link) collect(parts *protocol.Assembler, events []pubsub.Event) (d replica.Delivery, rest []pubsub.Event) {
	for i, e := range events {
		author, ok := l.authorOf(e)
		if !ok {
			continue
		}
		if d.Relay != 0 && author.SID != d.Relay {
			return d, events[i:]
		}
		b, complete, err := parts.Add(e.Service.String()+"\x00"+e.Node, e.Payload)
		switch {
		case err != nil || complete && (b.SID != author.SID || b.Suffix != l.suffix):
			l.replica.Reject()
			l.log.Warn("rejected an event", "node", e.Node, "from", e.Service, "error", err)
		case complete:
			d.Relay, d.RelayRole = author.SID, author.Role
			d.Changes = append(d.Changes, b.Changes...)
		}
	}
	return d, nil
}

// authorOf returns the server whose node an event came from, as the room shows
// it, or else as it was last seen: events that were kept for us arrive before
// the room is joined. An event from elsewhere is none of our business.
func (l *link) authorOf(e pubsub.Event) (replica.Peer, bool) {
	for _, p := range l.replica.Known() {
		if e.Node == pubsub.NodeName(uint16(p.SID), l.suffix) && p.Service == e.Service.String() {
			return p, true
		}
	}
	return replica.Peer{}, false
}

// Publish implements replica.Network.
func (l *link) Publish(ctx context.Context, changes []changelog.Change) (uint64, error) {
	node := l.ownNode()
	if node == nil {
		return 0, replica.ErrOffline
	}
	if !l.hasRead(node) {
		return 0, replica.ErrUnread
	}
	id := l.replica.Identity()
	items, _, packErr := protocol.Pack(l.suffix, id.SID, id.Epoch, changes, protocol.MaxItem)
	out := make([]pubsub.Item, len(items))
	for i, item := range items {
		out[i] = pubsub.Item{ID: item.ID, Payload: item.Payload}
	}
	n, err := node.Publish(ctx, out...)
	var acked uint64
	if n > 0 {
		acked = items[n-1].Last
	}
	if xmpp.IsCondition(err, "forbidden", "item-not-found") {
		l.newSession() // the node is gone: make it again
	}
	if errors.Is(err, xmpp.ErrOffline) {
		err = fmt.Errorf("%w: %w", replica.ErrOffline, err)
	}
	return acked, errors.Join(err, packErr)
}
