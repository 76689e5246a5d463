package pubsub

import (
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

const nsDelay = "urn:xmpp:delay"

// Event is one published item as a subscriber gets it (XEP-0060 section 7.1.2).
type Event struct {
	// Service is who sent it: the address of a service, or the bare JID of
	// the account whose node it is; ours for our own.
	Service jid.JID
	Node    string
	// Publisher is what the service says of who published it, if anything.
	Publisher string
	// Delayed says that the event was kept for us while we were offline,
	// Stamp since when; zero where that is unknown.
	Delayed bool
	Stamp   time.Time
	ItemID  string
	// Payload is the item's only element.
	Payload *element.Element
}

// Events calls fn for every item that arrives, in order, in the goroutine that
// runs the client's handlers: fn must not block. Only messages whose sender
// has no resource are events: a server stamps what a client sends with the
// client's full JID, so none of them can speak for a service or an account.
// Where fn returns false the item is none of its business, and others who asked
// for events are given it. The returned function ends the calls.
func Events(c *xmpp.Client, fn func(Event) bool) (remove func()) {
	return c.HandleMessage(func(msg *element.Element) bool {
		taken := false
		for _, e := range parseEvents(msg, c.Addr().Bare()) {
			taken = fn(e) || taken
		}
		return taken
	})
}

// parseEvents returns the items that msg notifies us of; none when it is not a
// well-formed notification. The own account's messages have no sender (RFC
// 6120 section 8.1.2.1).
func parseEvents(msg *element.Element, own jid.JID) []Event {
	if t := msg.Attr("type"); t == "error" || t == "groupchat" {
		return nil
	}
	template := Event{Service: own}
	if from := msg.Attr("from"); from != "" {
		j, err := jid.Parse(from)
		if err != nil || j.Resourcepart() != "" {
			return nil
		}
		template.Service = j
	}
	items := msg.Child(nsEvent, "event").Child(nsEvent, "items")
	template.Node = items.Attr("node")
	if template.Node == "" {
		return nil
	}
	if d := msg.Child(nsDelay, "delay"); d != nil {
		template.Delayed = true
		// An unreadable stamp leaves the zero time.
		template.Stamp, _ = time.Parse(time.RFC3339Nano, d.Attr("stamp"))
	}
	var out []Event
	for _, item := range items.All(nsEvent, "item") {
		if len(item.Children) != 1 {
			continue
		}
		e := template
		e.ItemID, e.Publisher, e.Payload = item.Attr("id"), item.Attr("publisher"), item.Children[0]
		out = append(out, e)
	}
	return out
}
