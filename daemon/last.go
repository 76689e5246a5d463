package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/pubsub"
	"ldapsync/replica"
	"ldapsync/xmpp"
)

// LastPublished implements replica.Network: the last item of our node tells. One
// that cannot be read holds nothing up, since its id has the number, too.
func (l *link) LastPublished(ctx context.Context) (changelog.Mark, error) {
	node := l.ownNode()
	if node == nil || !node.Current() {
		return changelog.Mark{}, replica.ErrOffline
	}
	item, err := node.Last(ctx)
	if xmpp.IsCondition(err, "forbidden", "item-not-found") {
		l.newSession() // the node is gone: make it again
		return changelog.Mark{}, fmt.Errorf("%w: %w", replica.ErrOffline, err)
	}
	if errors.Is(err, xmpp.ErrOffline) {
		return changelog.Mark{}, fmt.Errorf("%w: %w", replica.ErrOffline, err)
	}
	if err != nil {
		return changelog.Mark{}, err
	}
	m, err := markOf(item, l.suffix, l.replica.Identity().SID)
	if err != nil {
		l.log.Warn("the last item of our node is not as specified", "item", item.ID, "error", err)
	}
	l.log.Debug("published last", "seq", m.Seq, "csn", m.CSN)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = node
	return m, nil
}

// hasRead reports whether LastPublished was called for a node.
func (l *link) hasRead(node *pubsub.Node) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read == node
}

// markOf returns the last change that an item of the node of sid holds, wholly or
// in part. Where that cannot be read it is what the item's id says.
func markOf(item pubsub.Item, suffix string, sid changelog.SID) (changelog.Mark, error) {
	if item.ID == "" && item.Payload == nil {
		return changelog.Mark{}, nil
	}
	head, m, err := protocol.ParseLast(item.Payload)
	if err != nil {
		return changelog.Mark{Seq: seqOf(item.ID)}, err
	}
	if head.SID != sid || head.Suffix != suffix {
		return changelog.Mark{}, fmt.Errorf("it is of server %s for %q", head.SID, head.Suffix)
	}
	return m, nil
}

// seqOf returns the number of a change that an item's id ends with, 0 for none; see
// protocol.Item.
func seqOf(id string) uint64 {
	_, rest, _ := strings.Cut(id, "-")
	rest, _, _ = strings.Cut(rest, ".")
	seq, err := strconv.ParseUint(rest, 10, 63)
	if err != nil {
		return 0
	}
	return seq
}

// clearNode removes the node that a server which founds a room may have had before:
// what was published there was of another room, and nobody has it.
func (l *link) clearNode(ctx context.Context) error {
	node, err := l.locate(ctx)
	if err == nil {
		err = node.Delete(ctx)
	}
	if err != nil {
		return fmt.Errorf("remove the node of an earlier room: %w", err)
	}
	return nil
}
