package daemon

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/changelog"
	"ldapsync/control"
	"ldapsync/muc"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// Status implements control.Service.
func (d *daemon) Status(context.Context) (control.Status, error) {
	s := control.Status{Version: Version, Time: time.Now(), PID: os.Getpid(), JID: d.cfg.XMPP.JID, Started: d.started}
	for _, u := range d.units {
		us, err := u.status()
		if err != nil {
			return s, err
		}
		s.Suffixes = append(s.Suffixes, us)
	}
	return s, nil
}

func (u *unit) status() (control.SuffixStatus, error) {
	s := control.SuffixStatus{DN: u.cfg.DN, Session: u.daemon.session()}
	l := u.link.Load()
	if l == nil {
		s.State, s.Directory.State = control.Red, "disconnected"
		if err := u.away.Load(); err != nil && *err != nil {
			s.Reason, s.Directory.Reason = (*err).Error(), (*err).Error()
		}
		return s, nil
	}
	r, err := l.replica.Status()
	if err != nil {
		return s, err
	}
	s.SID, s.Install, s.Role = int(r.Identity.SID), r.Identity.Install, r.Role.String()
	if room := l.room.Load(); room != nil {
		s.Room = room.JID().String()
	}
	if node := l.ownNode(); node != nil {
		s.Node = node.Name()
	}
	s.Directory = directoryStatus(r.Directory)
	s.Entries, s.ParkedCount, s.Denied, s.Conflicts = r.Entries, r.ParkedCount, r.Denied, r.Conflicts
	s.GivenUp = r.GivenUp
	s.Queues = control.Queues{Publish: r.Publish, Apply: r.Apply, Withheld: r.Withheld, Future: r.Future}
	s.Vector, s.Parked, s.Peers = marks(r.Vector), parked(r), peers(r)
	s.Members, s.Forgetting = memberList(r), forgetting(r)
	s.Counters = counters(l.replica.Counts())
	s.State, s.Reason = u.verdict(l, r, s.Session)
	return s, nil
}

func directoryStatus(reason string) control.Directory {
	if reason != "" {
		return control.Directory{State: "disconnected", Reason: reason}
	}
	return control.Directory{State: "connected"}
}

func marks(v changelog.Vector) (out []control.MarkStatus) {
	for _, sid := range v.SIDs() {
		m := control.MarkStatus{SID: int(sid), Seq: v[sid].Seq}
		if m.Seq > 0 {
			m.CSN = v[sid].CSN.String()
		}
		out = append(out, m)
	}
	return out
}

func parked(r replica.Status) (out []control.Parked) {
	for _, p := range r.Parked {
		q := control.Parked{ID: p.ID.String(), DN: p.DN, Code: p.Code, Text: p.Text, Since: p.Since, Tries: p.Tries, Server: p.Server}
		if !p.CSN.IsZero() {
			q.CSN, q.SID = p.CSN.String(), int(p.CSN.SID)
		}
		out = append(out, q)
	}
	return out
}

func peers(r replica.Status) (out []control.Peer) {
	for _, p := range r.Peers {
		out = append(out, control.Peer{
			JID: p.JID, SID: int(p.SID), Install: p.Install, Role: p.Role.String(), State: p.State, Online: p.Online,
			Behind: p.Behind, Ahead: p.Ahead, Schema: p.Schema,
			SchemaDiffers: p.Schema != "" && p.Schema != r.Identity.SchemaDigest, Lag: lag(p.Lag),
		})
	}
	return out
}

// lag prints how long something waits, "" for nothing.
func lag(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return d.Round(100 * time.Millisecond).String()
}

func counters(c map[string]uint64) control.Counters {
	return control.Counters{
		Captured: c["captured"], Published: c["published"], Received: c["received"], Applied: c["applied"],
		Denied: c["denied"], Duplicates: c["duplicates"], Rejected: c["rejected"],
	}
}

// session is the state of the XMPP session.
func (d *daemon) session() control.Session {
	since := d.since.Load()
	if since == nil {
		since = &d.started
	}
	if d.client.Online() {
		return control.Session{State: "online", Since: *since}
	}
	s := control.Session{State: "connecting", Since: *since}
	if err := d.client.LastError(); err != nil {
		s.Reason = err.Error()
	}
	return s
}

// verdict sums a suffix up in one word and a reason.
func (u *unit) verdict(l *link, r replica.Status, session control.Session) (control.State, string) {
	room, roomErr := l.roomState()
	switch {
	case r.Fault != "":
		return control.Red, r.Fault
	case r.Directory != "":
		return control.Red, "directory: " + r.Directory
	case room == muc.NotAdmitted:
		return control.Red, fmt.Sprintf("the room does not let this server in yet; on the server of an owner run: %s", admitCommand(u))
	case r.ParkedCount > 0:
		return control.Red, fmt.Sprintf("%d entries are parked: the directory refuses them", r.ParkedCount)
	case session.State != "online":
		return control.Amber, strings.TrimSuffix("no XMPP session: "+session.Reason, ": ")
	case room != muc.Joined:
		return control.Amber, strings.TrimSuffix(fmt.Sprintf("not in the room: %v", roomErr), ": <nil>")
	case r.State == "waiting":
		return control.Amber, "waiting for a server of the room that is ready"
	case r.State == "joining":
		return control.Amber, "taking over what the room holds"
	case r.Short:
		return control.Amber, "no server that is here has a log that reaches back to what this one has; waiting a day for the others"
	case r.State == "catching-up":
		return control.Amber, "catching up"
	case r.Denied > 0:
		return control.Amber, fmt.Sprintf("%d changes were denied: their servers are not masters", r.Denied)
	}
	if alarm := forgetting(r).Alarm; alarm != "" {
		return control.Amber, alarm
	}
	return control.Green, cmp.Or(schemaWarning(r), returned(r.Identity))
}

// noticeFor is how long status tells that the state file was set aside.
const noticeFor = 7 * 24 * time.Hour

// returned tells that the server has begun anew, "" when it has not lately.
func returned(id store.Identity) string {
	if id.Return == nil || time.Since(id.Since) > noticeFor {
		return ""
	}
	return "the state file was set aside, and this server began anew with what its directory holds; it is kept as " + id.Return.Kept
}

// roomState is our relation to the room, offline before its service is known.
func (l *link) roomState() (muc.State, error) {
	if room := l.room.Load(); room != nil {
		return room.State()
	}
	return muc.Offline, nil
}

var notInRoom = &control.Error{Code: control.CodeFailed, Text: "this server is not in the room", HintText: "look at ldapsync status"}

// schemaWarning names the peers whose schema is another.
func schemaWarning(r replica.Status) string {
	var others []string
	for _, p := range r.Peers {
		if p.Schema != "" && p.Schema != r.Identity.SchemaDigest {
			others = append(others, p.JID)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return "the schema differs from that of " + strings.Join(others, ", ")
}

// unitOf returns the suffix that a command names; "" names the only one.
func (d *daemon) unitOf(suffix string) (*unit, error) {
	var names []string
	for _, u := range d.units {
		names = append(names, u.cfg.DN)
		if suffix == u.cfg.DN || suffix == "" && len(d.units) == 1 {
			if u.link.Load() == nil {
				return nil, &control.Error{Code: control.CodeFailed, Text: "the directory of " + u.cfg.DN + " has not answered yet"}
			}
			return u, nil
		}
	}
	return nil, &control.Error{Code: control.CodeRequest, Text: fmt.Sprintf("no suffix %q here", suffix), HintText: "name one of: " + strings.Join(names, ", ")}
}

// Admit implements control.Service.
func (d *daemon) Admit(ctx context.Context, suffix, address string, role roles.Role) error {
	u, err := d.unitOf(suffix)
	if err != nil {
		return err
	}
	j, err := jid.Parse(address)
	if err != nil {
		return &control.Error{Code: control.CodeRequest, Text: fmt.Sprintf("%q is not a JID: %v", address, err)}
	}
	l := u.link.Load()
	room := l.room.Load()
	if room == nil {
		return notInRoom
	}
	self, joined := room.Self()
	switch {
	case !joined:
		return notInRoom
	case self.Affiliation != "owner":
		return &control.Error{Code: control.CodeFailed, Text: "this server is no owner of the room", HintText: "run the command on a server with the role controller"}
	}
	if err := room.SetAffiliation(ctx, j.Bare(), role.Affiliation()); err != nil {
		return fmt.Errorf("admit %s: %w", j.Bare(), err)
	}
	d.log.Info("admitted", "jid", j.Bare().String(), "role", role.String())
	return nil
}

// RetryParked implements control.Service.
func (d *daemon) RetryParked(_ context.Context, suffix, id string) (int, error) {
	u, err := d.unitOf(suffix)
	if err != nil {
		return 0, err
	}
	var entry changelog.ID
	if id != "" {
		if entry, err = entryOf(id); err != nil {
			return 0, err
		}
	}
	n, err := u.link.Load().replica.RetryParked(entry)
	return n, asked(err)
}
