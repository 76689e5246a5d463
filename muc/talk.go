package muc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Say writes a line for people.
func (r *Room) Say(ctx context.Context, body string) error {
	if state, _ := r.State(); state != Joined {
		return fmt.Errorf("say something in %s: %w", r.name, ErrNotJoined)
	}
	msg := element.New(nsClient, "message", "to", r.name, "type", "groupchat").
		With(element.New(nsClient, "body").WithText(body))
	return r.cfg.Client.Send(ctx, msg)
}

// OnMessage registers fn for what people write in the room from now on; our
// own lines come back too, with Self set. It must not block.
func (r *Room) OnMessage(fn func(from Occupant, body string, msg *element.Element)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hearers = append(r.hearers, fn)
}

func (r *Room) receiveMessage(msg *element.Element) bool {
	room, nick, _ := strings.Cut(msg.Attr("from"), "/")
	if room != r.name {
		return r.directInvitation(msg)
	}
	switch msg.Attr("type") {
	case "groupchat":
		if nick == "" {
			r.notice(msg)
		} else {
			r.hear(nick, msg)
		}
	case "error":
		if xmpp.ErrorOf(msg).Condition == "not-acceptable" {
			r.evict(r.fail(ErrEvicted, xmpp.ErrorOf(msg)))
		}
	default:
		return nick == "" && r.roomMessage(msg)
	}
	return true
}

// roomMessage takes what the room itself tells us: a mediated invitation
// (XEP-0045 section 7.8.2), or a change of our affiliation (section 9.3) or of the room.
func (r *Room) roomMessage(msg *element.Element) bool {
	x := msg.Child(nsUser, "x")
	if x == nil {
		return r.directInvitation(msg)
	}
	signal(r.invited)
	return true
}

// directInvitation takes an invitation to this room from anybody (XEP-0249):
// all it does is to make the next attempt come at once.
func (r *Room) directInvitation(msg *element.Element) bool {
	x := msg.Child(nsInvite, "x")
	if x == nil || msg.Attr("type") == "error" {
		return false
	}
	to, err := jid.Parse(x.Attr("jid"))
	if err != nil || !to.Equal(r.jid) {
		return false
	}
	signal(r.invited)
	return true
}

// notice has the room checked when it says that its configuration changed.
func (r *Room) notice(msg *element.Element) {
	codes := statusCodes(msg.Child(nsUser, "x"))
	if slices.ContainsFunc(codes, func(c string) bool { return c == "104" || c >= "170" && c <= "174" }) {
		signal(r.inspect)
	}
}

func (r *Room) hear(nick string, msg *element.Element) {
	body := msg.Child(nsClient, "body")
	if body == nil || body.Text == "" || msg.Child(nsDelay, "delay") != nil {
		return
	}
	r.mu.Lock()
	from, known := r.occupants[nick]
	hearers := r.hearers
	known = known && r.state == Joined
	r.mu.Unlock()
	if !known {
		return
	}
	for _, fn := range hearers {
		fn(from, body.Text, msg)
	}
}
