package muc

import (
	"fmt"
	"slices"
	"strings"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// maxOccupants bounds what a room's server can make us keep.
const maxOccupants = 10_000

// Status codes of XEP-0045 section 15.6.
const (
	codeSelf    = "110"
	codeCreated = "201"
	codeNick    = "303"
)

// removals are the status codes that say why an occupant had to leave.
var removals = map[string]string{
	"301": "banned",
	"307": "kicked",
	"321": "affiliation changed",
	"322": "the room became members-only",
	"332": "the service shuts down",
	"333": "error",
}

// receivePresence takes the room's presences, and nobody else's: only the room
// can vouch for addresses and affiliations.
func (r *Room) receivePresence(p *element.Element) bool {
	room, nick, _ := strings.Cut(p.Attr("from"), "/")
	if room != r.name {
		return false
	}
	switch p.Attr("type") {
	case "":
		r.arrived(nick, p)
	case "unavailable":
		r.left(nick, p)
	case "error":
		r.refused(nick, p)
	}
	r.emit()
	return true
}

func (r *Room) arrived(nick string, p *element.Element) {
	x := p.Child(nsUser, "x")
	r.mu.Lock()
	defer r.mu.Unlock()
	if nick == "" || x == nil || r.attempt == nil && r.self == "" {
		return
	}
	codes := statusCodes(x)
	o := occupant(nick, p, x)
	o.Self = nick == r.self || slices.Contains(codes, codeSelf)
	if _, known := r.occupants[nick]; !known && !o.Self && len(r.occupants) >= maxOccupants {
		return
	}
	r.occupants[nick] = o
	if r.state == Joined {
		r.outbox = append(r.outbox, Change{Occupant: o, State: Joined})
	}
	if !o.Self {
		return
	}
	r.self = nick
	if a := r.attempt; a != nil {
		r.created = slices.Contains(codes, codeCreated)
		r.attempt = nil
		a.answer <- nil
	}
}

func occupant(nick string, p, x *element.Element) Occupant {
	item := x.Child(nsUser, "item")
	o := Occupant{Nick: nick, Affiliation: item.Attr("affiliation"), Role: item.Attr("role"), Payload: p.Child(xmpp.Namespace, payloadTag)}
	if real, err := jid.Parse(item.Attr("jid")); err == nil {
		o.JID = real
	}
	if status := p.Child(nsClient, "status"); status != nil {
		o.Status = status.Text
	}
	return o
}

func statusCodes(x *element.Element) []string {
	var out []string
	for _, s := range x.All(nsUser, "status") {
		out = append(out, s.Attr("code"))
	}
	return out
}

func (r *Room) left(nick string, p *element.Element) {
	x := p.Child(nsUser, "x")
	codes := statusCodes(x)
	r.mu.Lock()
	defer r.mu.Unlock()
	o, known := r.occupants[nick]
	if !known {
		return
	}
	delete(r.occupants, nick)
	if item := x.Child(nsUser, "item"); item != nil {
		o.Affiliation, o.Role = item.Attr("affiliation"), item.Attr("role")
	}
	reason := removal(codes, x)
	switch {
	case !o.Self:
		if r.state == Joined {
			r.outbox = append(r.outbox, Change{Occupant: o, Left: true, Reason: reason, State: Joined})
		}
	case slices.Contains(codes, codeNick):
		r.self = x.Child(nsUser, "item").Attr("nick")
	default:
		err := r.fail(ErrEvicted, fmt.Errorf("%s", orElse(reason, "we left")))
		if r.state == Joined {
			r.become(Joining, err)
		}
		r.self = ""
		r.evict(err)
	}
}

// removal says why somebody had to leave, and what the actor gave as reason.
func removal(codes []string, x *element.Element) string {
	for _, c := range codes {
		if why, ok := removals[c]; ok {
			if text := x.Child(nsUser, "item").Child(nsUser, "reason"); text != nil && text.Text != "" {
				why += ": " + text.Text
			}
			return why
		}
	}
	return ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// refused passes the answer to our join on. An error for any other presence of
// ours means that the room does not know us.
func (r *Room) refused(nick string, p *element.Element) {
	answer := xmpp.ErrorOf(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.attempt; a != nil && (p.Attr("id") == a.id || p.Attr("id") == "" && nick == a.nick) {
		r.attempt = nil
		a.answer <- answer
		return
	}
	if r.state == Joined {
		r.evict(r.fail(ErrEvicted, answer))
	}
}
