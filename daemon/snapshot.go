package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/dit"
	"ldapsync/protocol"
	"ldapsync/replica"
	"ldapsync/store"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Snapshot implements replica.Network: one page, in as many replies as it takes.
func (l *link) Snapshot(ctx context.Context, peer string, after *dit.Mark) (replica.StatePage, error) {
	to, err := jid.Parse(peer)
	if err != nil {
		return replica.StatePage{}, fmt.Errorf("address of a peer: %w", err)
	}
	ask := protocol.Snapshot{Suffix: l.suffix}
	if after != nil {
		ask.After = &protocol.Place{ID: after.ID, Within: after.Within}
	}
	var pages protocol.Pages
	for {
		ask.From = pages.From()
		reply, err := l.client.IQ(ctx, to, "get", ask.Element())
		if errors.Is(err, xmpp.ErrOffline) {
			err = fmt.Errorf("%w: %w", replica.ErrOffline, err)
		}
		if err != nil {
			return replica.StatePage{}, err
		}
		page, complete, err := pages.Add(answer(reply, "snapped"))
		switch {
		case err != nil:
			return replica.StatePage{}, err
		case complete && page.Suffix != l.suffix:
			return replica.StatePage{}, fmt.Errorf("%w: snapshot of another suffix", protocol.ErrMalformed)
		case complete:
			return replica.StatePage{
				Vector: page.Vector, Members: page.Members, Records: page.Records, More: page.More,
				Next: dit.Mark{ID: page.Next.ID, Within: page.Next.Within},
			}, nil
		}
	}
}

// answer returns the element of ours in a reply, which may say that the server
// is busy.
func answer(reply *element.Element, local string) *element.Element {
	if busy := reply.Child(protocol.NS, "busy"); busy != nil {
		return busy
	}
	return reply.Child(protocol.NS, local)
}

// snapshot hands the request for a snapshot to the suffix it is for.
func (d *daemon) snapshot(_ context.Context, iq *element.Element) (*element.Element, error) {
	ask, err := protocol.ParseSnapshot(iq.Child(protocol.NS, "snapshot"))
	if err != nil {
		return nil, &xmpp.StanzaError{Type: "modify", Condition: "bad-request", Text: err.Error()}
	}
	l, err := d.linkOf(ask.Suffix)
	if err != nil {
		return nil, err
	}
	return l.serveSnapshot(iq, ask)
}

// postponed is when to ask a server again that does not know how far its state
// reaches.
const postponed = time.Minute

// serveSnapshot answers another server of the room with a page of our state. One
// that does not fit is made smaller, until it holds one record: that one is sent
// in parts.
func (l *link) serveSnapshot(iq *element.Element, ask protocol.Snapshot) (*element.Element, error) {
	if !l.isOccupant(iq.Attr("from")) {
		return nil, &xmpp.StanzaError{Type: "auth", Condition: "forbidden", Text: "only servers of the room may ask for a snapshot"}
	}
	var after *dit.Mark
	if ask.After != nil {
		after = &dit.Mark{ID: ask.After.ID, Within: ask.After.Within}
	}
	for budget := serveRatio * ask.Page(); ; budget /= 2 {
		state, err := l.replica.ServeSnapshot(after, budget)
		if errors.Is(err, store.ErrPostponed) {
			return (&protocol.Busy{Suffix: l.suffix, Retry: postponed}).Element(), nil
		}
		if err != nil {
			return nil, &xmpp.StanzaError{Type: "wait", Condition: "resource-constraint", Text: err.Error()}
		}
		page := protocol.Page{
			Suffix: l.suffix, More: state.More, Vector: state.Vector, Members: state.Members, Records: state.Records,
			Next: protocol.Place{ID: state.Next.ID, Within: state.Next.Within},
		}
		e, parts := page.Element(ask.From, ask.Page())
		if parts == 1 || len(state.Records) <= 1 || budget == 0 {
			return e, nil
		}
	}
}
