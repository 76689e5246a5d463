package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"mellium.im/xmpp/jid"

	"ldapsync/changelog"
	"ldapsync/muc"
	"ldapsync/protocol"
	"ldapsync/replica"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Pull implements replica.Network: one page, or, of a change that comes in
// parts, as many pages as it takes.
func (l *link) Pull(ctx context.Context, peer string, have changelog.Seqs) ([]changelog.Change, bool, error) {
	to, err := jid.Parse(peer)
	if err != nil {
		return nil, false, fmt.Errorf("address of a peer: %w", err)
	}
	var parts protocol.Assembler
	var changes []changelog.Change
	ask := protocol.Pull{Suffix: l.suffix, SID: l.replica.Identity().SID, Have: have}
	for {
		page, err := l.pullPage(ctx, to, ask)
		if err != nil {
			return nil, false, err
		}
		if !page.Removed.IsZero() {
			return nil, false, &replica.RemovedError{CSN: page.Removed, Own: page.Own}
		}
		if page.Trimmed {
			return nil, false, replica.ErrTrimmed
		}
		ask.From = nil
		for _, payload := range page.Payloads {
			b, complete, err := parts.Add(peer, payload)
			if err != nil {
				return nil, false, err
			}
			if complete {
				changes = append(changes, b.Changes...)
			} else {
				ask.From = after(payload)
			}
		}
		if len(changes) > 0 || ask.From == nil {
			slices.SortStableFunc(changes, func(a, b changelog.Change) int { return a.CSN.Compare(b.CSN) })
			return changes, page.More, nil
		}
	}
}

// after returns where to go on behind a part.
func after(part *element.Element) *protocol.Resume {
	sid, err1 := strconv.ParseUint(part.Attr("sid"), 10, 12)
	seq, err2 := strconv.ParseUint(part.Attr("seq"), 10, 64)
	n, err3 := strconv.Atoi(part.Attr("n"))
	if errors.Join(err1, err2, err3) != nil {
		return nil
	}
	return &protocol.Resume{SID: changelog.SID(sid), Seq: seq, Digest: part.Attr("sha256"), Part: n + 1}
}

func (l *link) pullPage(ctx context.Context, to jid.JID, ask protocol.Pull) (protocol.Pulled, error) {
	reply, err := l.client.IQ(ctx, to, "get", ask.Element())
	if errors.Is(err, xmpp.ErrOffline) {
		return protocol.Pulled{}, fmt.Errorf("%w: %w", replica.ErrOffline, err)
	}
	if err != nil {
		return protocol.Pulled{}, err
	}
	return protocol.ParsePulled(answer(reply, "pulled"))
}

// serveRatio is how many octets of changes are read for one octet of a page:
// what compresses well fills it, what does not is cut.
const serveRatio = 6

// serve answers a pull of another server of the room.
func (l *link) serve(iq *element.Element, ask protocol.Pull) (*element.Element, error) {
	if !l.isOccupant(iq.Attr("from")) {
		return nil, &xmpp.StanzaError{Type: "auth", Condition: "forbidden", Text: "only servers of the room may pull"}
	}
	switch gone, err := l.replica.RemovedAt(iq.Attr("from"), ask.SID); {
	case err != nil:
		return nil, err
	case gone != nil:
		return protocol.Pulled{Suffix: l.suffix, Removed: gone.CSN, Own: gone.Own}.Element(), nil
	}
	changes, more, err := l.replica.Serve(ask.Have, serveRatio*ask.Page())
	if errors.Is(err, replica.ErrTrimmed) {
		return protocol.Pulled{Suffix: l.suffix, Trimmed: true}.Element(), nil
	}
	if err != nil {
		return nil, err
	}
	page, err := fill(ask, l.replica.Identity().Epoch, changes)
	if err != nil {
		return nil, err
	}
	page.More = page.More || more
	return page.Element(), nil
}

// fill packs as many of changes, which come by ascending CSN, as one page takes. Those
// of one server are packed together, which takes less; so a page that holds not all of
// them would lack some that come before others: then it is made of fewer.
func fill(ask protocol.Pull, epoch uint64, changes []changelog.Change) (protocol.Pulled, error) {
	for less := false; ; less = true {
		byAuthor := slices.Clone(changes)
		slices.SortStableFunc(byAuthor, func(a, b changelog.Change) int { return cmp.Compare(a.SID(), b.SID()) })
		page, err := pack(ask, epoch, byAuthor)
		if err != nil || !page.More || byAuthor[0].SID() == byAuthor[len(byAuthor)-1].SID() {
			page.More = page.More || less
			return page, err
		}
		changes = changes[:len(changes)/2]
	}
}

// pack packs changes, of which those of one server follow each other, until
// the size asked for is reached; at least one item.
func pack(ask protocol.Pull, epoch uint64, changes []changelog.Change) (protocol.Pulled, error) {
	page := protocol.Pulled{Suffix: ask.Suffix}
	size := 0
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].SID() == changes[0].SID() {
			n++
		}
		items, _, err := protocol.Pack(ask.Suffix, changes[0].SID(), epoch, changes[:n], ask.Page())
		if err != nil && len(items) == 0 && len(page.Payloads) == 0 {
			return page, err
		}
		for _, item := range items {
			if skip(ask.From, item, changes[0].SID()) {
				continue
			}
			if size += item.Size; size > ask.Page() && len(page.Payloads) > 0 {
				page.More = true
				return page, nil
			}
			page.Payloads = append(page.Payloads, item.Payload)
		}
		changes = changes[n:]
	}
	return page, nil
}

// skip reports whether the asking server has an item already.
func skip(from *protocol.Resume, item protocol.Item, sid changelog.SID) bool {
	return from != nil && from.SID == sid && from.Seq == item.First && from.Digest == item.Digest && item.Part < from.Part
}

func (l *link) occupantsNow() []muc.Occupant {
	if room := l.room.Load(); room != nil {
		return room.Occupants()
	}
	return nil
}

func (l *link) isOccupant(address string) bool {
	for _, o := range l.occupantsNow() {
		if !o.Self && o.JID.String() == address {
			return true
		}
	}
	return false
}
