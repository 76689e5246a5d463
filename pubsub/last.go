package pubsub

import (
	"context"
	"fmt"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Last returns the item that was published last, as far as the service kept any
// (XEP-0060 section 6.5.7), the zero Item when it has none. Its Payload is nil where
// the service does not send it.
func (n *Node) Last(ctx context.Context) (Item, error) {
	reply, err := n.ask(ctx, "get", nsPubsub, element.New(nsPubsub, "items", "node", n.name, "max_items", "1"))
	if xmpp.IsCondition(err, "feature-not-implemented") {
		return Item{}, nil // the node keeps none
	}
	if err != nil {
		return Item{}, fmt.Errorf("read the last item of pubsub node %s: %w", n.name, err)
	}
	var last Item
	for _, item := range reply.Child(nsPubsub, "items").All(nsPubsub, "item") {
		last = Item{ID: item.Attr("id")}
		if len(item.Children) == 1 {
			last.Payload = item.Children[0]
		}
	}
	return last, nil
}
