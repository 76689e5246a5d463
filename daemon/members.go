package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ldapsync/changelog"
	"ldapsync/control"
	"ldapsync/replica"
)

// ForgetPeer implements control.Service.
func (d *daemon) ForgetPeer(_ context.Context, ask control.ForgetRequest) (control.Forgotten, error) {
	u, err := d.unitOf(ask.Suffix)
	if err != nil {
		return control.Forgotten{}, err
	}
	r := u.link.Load().replica
	status, err := r.Status()
	if err != nil {
		return control.Forgotten{}, err
	}
	m, err := memberNamed(status.Members, ask)
	if err != nil {
		return control.Forgotten{}, err
	}
	switch err := r.ForgetPeer(m.SID, ask.Force); {
	case errors.Is(err, replica.ErrOnline):
		return control.Forgotten{}, &control.Error{Code: control.CodeFailed, Text: err.Error(), HintText: "stop it first, or add --force"}
	case errors.Is(err, replica.ErrNotMaster):
		return control.Forgotten{}, &control.Error{Code: control.CodeFailed, Text: err.Error(), HintText: "run the command on a master; ldapsync status says who is"}
	case err != nil:
		return control.Forgotten{}, err
	}
	return control.Forgotten{SID: int(m.SID), JID: m.JID}, nil
}

// memberNamed returns the member that a request names: by its JID, or by its sid
// and its JID.
func memberNamed(list []replica.MemberStatus, ask control.ForgetRequest) (found replica.MemberStatus, err error) {
	sid, _ := strconv.ParseUint(ask.Peer, 10, 16)
	matches := 0
	for _, m := range list {
		switch {
		case sid != 0 && m.SID == changelog.SID(sid) && m.JID != ask.Name:
			return found, &control.Error{Code: control.CodeRequest, Text: fmt.Sprintf("sid %d is %s, not %s", sid, nameOr(m.JID), ask.Name)}
		case sid != 0 && m.SID == changelog.SID(sid), sid == 0 && m.JID == ask.Peer && m.Removed == nil:
			found, matches = m, matches+1
		}
	}
	switch matches {
	case 0:
		return found, &control.Error{Code: control.CodeRequest, Text: fmt.Sprintf("%s is no member", ask.Peer), HintText: "ldapsync status lists the members"}
	case 1:
		return found, nil
	}
	return found, &control.Error{Code: control.CodeRequest, Text: fmt.Sprintf("%s is a member under %d sids", ask.Peer, matches),
		HintText: "ldapsync status lists them; name one: ldapsync forget-peer SID --name " + ask.Peer}
}

func nameOr(jid string) string {
	if jid == "" {
		return "a server that has not said who it is"
	}
	return jid
}

// memberList returns the members as commands show them.
func memberList(r replica.Status) (out []control.Member) {
	for _, m := range r.Members {
		c := control.Member{SID: int(m.SID), JID: m.JID, Install: m.Install, Silent: m.Silent}
		if m.Beat != nil {
			at := m.Beat.CSN.When()
			c.Heartbeat = &at
		}
		if m.Removed != nil {
			c.Removed = m.Removed.CSN.String()
		}
		out = append(out, c)
	}
	return out
}

// forgetting returns what holds forgetting back.
func forgetting(r replica.Status) control.Forgetting {
	before, by := r.Held()
	f := control.Forgetting{Holding: int(by)}
	if !before.IsZero() {
		at := before.When()
		f.Before = &at
	}
	for _, m := range r.Members {
		switch {
		case m.SID != by:
		case m.Silent:
			f.Alarm = silent(m)
		case m.Stuck:
			f.Alarm = stuck(m, r)
		}
	}
	return f
}

// silent says that a member has not been heard of.
func silent(m replica.MemberStatus) string {
	since := ""
	if m.Beat != nil {
		since = " since " + inUTC(m.Beat.CSN)
	}
	return fmt.Sprintf("sid %d (%s) has not been heard of%s: nothing that it may lack is forgotten; if it does not come back: ldapsync forget-peer %s",
		m.SID, nameOr(m.JID), since, forgetArgument(m))
}

// stuck says that the directory of a member has not taken a change for long.
func stuck(m replica.MemberStatus, r replica.Status) string {
	const means = "no server forgets anything younger"
	switch since := inUTC(m.Lacks); {
	case m.SID != r.Identity.SID:
		return fmt.Sprintf("the directory of sid %d (%s) lacks a change of %s: %s; ldapsync status and ldapsync parked list there say why",
			m.SID, nameOr(m.JID), since, means)
	case r.ParkedCount > 0:
		return fmt.Sprintf("%d parked entries, which this directory refuses, lack changes since %s: %s; see ldapsync parked list, and mend, retry or drop them",
			r.ParkedCount, since, means)
	default:
		return fmt.Sprintf("this directory lacks a change of %s: %s", since, means)
	}
}

func inUTC(c changelog.CSN) string { return c.When().UTC().Format(time.DateTime) }

func forgetArgument(m replica.MemberStatus) string {
	if m.JID == "" {
		return fmt.Sprintf("%d --name ''", m.SID)
	}
	return m.JID
}
