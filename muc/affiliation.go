package muc

import (
	"context"
	"fmt"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// listed are the affiliations that have a list of their own.
var listed = []string{"owner", "admin", "member"}

// Affiliations returns everybody who may be in the room, present or not, as
// bare JID and affiliation. Where we may not read a list the error is a
// *xmpp.StanzaError, forbidden or not-allowed.
func (r *Room) Affiliations(ctx context.Context) (map[string]string, error) {
	var asked []*xmpp.Pending
	for _, affiliation := range listed {
		item := element.New(nsAdmin, "item", "affiliation", affiliation)
		p, err := r.cfg.Client.Request(ctx, r.jid, "get", element.New(nsAdmin, "query").With(item))
		if err != nil {
			return nil, fmt.Errorf("list the members of %s: %w", r.name, err)
		}
		asked = append(asked, p)
	}
	out := map[string]string{}
	var failed error
	for i, p := range asked {
		reply, err := p.Wait(ctx)
		if err != nil {
			failed = fmt.Errorf("list each %s of %s: %w", listed[i], r.name, err)
			continue
		}
		for _, item := range reply.Child(nsAdmin, "query").All(nsAdmin, "item") {
			if j, err := jid.Parse(item.Attr("jid")); err == nil && out[j.Bare().String()] == "" {
				out[j.Bare().String()] = listed[i]
			}
		}
	}
	if failed != nil {
		return nil, failed
	}
	return out, nil
}

// SetAffiliation makes somebody owner, admin, member, none or outcast, reads the
// lists back where we may, and invites who has become a member and is not in
// the room. Refusals are *xmpp.StanzaError.
func (r *Room) SetAffiliation(ctx context.Context, who jid.JID, affiliation string) error {
	who = who.Bare()
	item := element.New(nsAdmin, "item", "affiliation", affiliation, "jid", who.String())
	if _, err := r.cfg.Client.IQ(ctx, r.jid, "set", element.New(nsAdmin, "query").With(item)); err != nil {
		return fmt.Errorf("make %s %s of %s: %w", who, affiliation, r.name, err)
	}
	if err := r.verify(ctx, who, affiliation); err != nil {
		return err
	}
	switch affiliation {
	case "owner", "admin", "member":
		return r.invite(ctx, who)
	}
	return nil
}

func (r *Room) verify(ctx context.Context, who jid.JID, affiliation string) error {
	have, err := r.Affiliations(ctx)
	if xmpp.IsCondition(err, "forbidden", "not-allowed") {
		return nil
	}
	if err != nil {
		return err
	}
	want := affiliation
	if want == "none" || want == "outcast" {
		want = ""
	}
	if got := have[who.String()]; got != want {
		return fmt.Errorf("%s accepted %q for %s, but has %q", r.name, affiliation, who, got)
	}
	return nil
}

// invite sends a mediated invitation (XEP-0045 section 7.8.2), which the server
// keeps for who is offline.
func (r *Room) invite(ctx context.Context, who jid.JID) error {
	for _, o := range r.Occupants() {
		if o.JID.Bare().Equal(who) {
			return nil
		}
	}
	msg := element.New(nsClient, "message", "to", r.name).With(
		element.New(nsUser, "x").With(element.New(nsUser, "invite", "to", who.String())))
	if err := r.cfg.Client.Send(ctx, msg); err != nil {
		return fmt.Errorf("invite %s: %w", who, err)
	}
	return nil
}
