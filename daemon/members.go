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
	f := control.Forgetting{Holding: int(r.Stable.Holding)}
	if !r.Stable.CSN.IsZero() {
		at := r.Stable.CSN.When()
		f.Before = &at
	}
	for _, m := range r.Members {
		if !m.Silent || m.SID != r.Stable.Holding {
			continue
		}
		since := "never"
		if m.Beat != nil {
			since = "since " + m.Beat.CSN.When().UTC().Format(time.DateTime)
		}
		f.Alarm = fmt.Sprintf("sid %d (%s) has not been heard of %s: nothing that it may lack is forgotten; if it does not come back: ldapsync forget-peer %s",
			m.SID, nameOr(m.JID), since, forgetArgument(m))
	}
	return f
}

func forgetArgument(m replica.MemberStatus) string {
	if m.JID == "" {
		return fmt.Sprintf("%d --name ''", m.SID)
	}
	return m.JID
}
