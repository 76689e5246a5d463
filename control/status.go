package control

import "time"

// Status is the answer to "how is it?", and the output of ldapsync status
// --json. Keys are only ever added to it: a program that reads it must ignore
// keys it does not know. Lists are never null. Times are UTC in RFC 3339.
type Status struct {
	// Version is the daemon's; Time is when the rest was read.
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	PID     int       `json:"pid"`
	// JID is the bare JID of the account.
	JID      string         `json:"jid"`
	Started  time.Time      `json:"started"`
	Suffixes []SuffixStatus `json:"suffixes"`
}

// State is the condition of a suffix or a peer in one word.
type State string

// The states. Green needs nobody. Amber mends itself or can wait. Red needs an
// administrator.
const (
	Green State = "green"
	Amber State = "amber"
	Red   State = "red"
)

// SuffixStatus is one suffix on this server.
type SuffixStatus struct {
	DN string `json:"dn"`
	// SID is 0 until the server is admitted and has taken a number.
	SID int `json:"sid"`
	// Install tells this installation from another that was given the same sid.
	Install string `json:"install"`
	// Room is the JID of the room, Node the name of the node the server
	// publishes on.
	Room string `json:"room"`
	Node string `json:"node"`
	// Role is controller, master, read-only or none.
	Role  string `json:"role"`
	State State  `json:"state"`
	// Reason says in words why State is not green; "" when it is.
	Reason    string    `json:"reason"`
	Session   Session   `json:"session"`
	Directory Directory `json:"directory"`
	// Entries is the number of entries in the replicated view.
	Entries int `json:"entries"`
	// Vector is how far this copy reaches, by ascending sid.
	Vector []MarkStatus `json:"vector"`
	Queues Queues       `json:"queues"`
	// ParkedCount counts all parked entries; Parked lists the first of them.
	ParkedCount int      `json:"parked_count"`
	Parked      []Parked `json:"parked"`
	// GivenUp counts the entries that an administrator lets differ here.
	GivenUp int `json:"given_up"`
	// Denied counts the changes kept aside because their author is no master.
	Denied int `json:"denied"`
	// Conflicts counts the open decisions of the conflict journal.
	Conflicts int      `json:"conflicts"`
	Counters  Counters `json:"counters"`
	// Peers are the other servers of the room, those away included, by
	// ascending sid.
	Peers []Peer `json:"peers"`
	// Members are the servers whose copies count when the past is forgotten, and
	// those removed, by ascending sid; Forgetting is how far that can go.
	Members    []Member   `json:"members"`
	Forgetting Forgetting `json:"forgetting"`
}

// Session is the connection to the XMPP server.
type Session struct {
	// State is online, connecting or offline.
	State string    `json:"state"`
	Since time.Time `json:"since"`
	// Reason is the last error while State is not online.
	Reason string `json:"reason"`
}

// Directory is the connection to the directory server.
type Directory struct {
	// State is connected, connecting or disconnected.
	State string `json:"state"`
	// Reason is the last error while State is not connected.
	Reason string `json:"reason"`
}

// MarkStatus is how far the copy reaches in the changes of one server.
type MarkStatus struct {
	SID int `json:"sid"`
	// Seq is the number of the last change of the gapless prefix that is stored.
	Seq uint64 `json:"seq"`
	// CSN is that change's, in OpenLDAP's syntax; "" while Seq is 0.
	CSN string `json:"csn"`
}

// Queues counts what waits.
type Queues struct {
	// Publish counts own changes that the XMPP server has not acknowledged.
	Publish int `json:"publish"`
	// Apply counts entries whose view is not in the directory yet.
	Apply int `json:"apply"`
	// Withheld counts entries that are not shown before the addition of their superior,
	// or their own, has arrived.
	Withheld int `json:"withheld"`
	// Future counts changes that wait because their clock is ahead of ours.
	Future int `json:"future"`
}

// Parked is an entry that the directory refuses.
type Parked struct {
	// ID is the entryUUID.
	ID string `json:"id"`
	DN string `json:"dn"`
	// Code is the LDAP result code, Text the directory's message.
	Code int    `json:"code"`
	Text string `json:"text"`
	// CSN is that of the change which the directory would not take, SID and Server say
	// who made it; empty where that is not known.
	CSN    string `json:"csn"`
	SID    int    `json:"sid"`
	Server string `json:"server"`
	// Since is when the directory first refused the entry, however often it was
	// tried again.
	Since time.Time `json:"since"`
	// Tries counts the attempts so far.
	Tries int `json:"tries"`
}

// Counters count changes since the daemon started.
type Counters struct {
	// Captured were made by clients of our directory, Published were
	// acknowledged by the XMPP server.
	Captured  uint64 `json:"captured"`
	Published uint64 `json:"published"`
	// Received came from other servers; of these, Duplicates were known,
	// Denied came from no master, and Rejected were malformed.
	Received   uint64 `json:"received"`
	Duplicates uint64 `json:"duplicates"`
	Denied     uint64 `json:"denied"`
	Rejected   uint64 `json:"rejected"`
	// Applied counts entries written to our directory.
	Applied uint64 `json:"applied"`
}

// Peer is another server of the suffix, as this one sees it.
type Peer struct {
	JID     string `json:"jid"`
	SID     int    `json:"sid"`
	Install string `json:"install"`
	// Role is controller, master, read-only or none.
	Role string `json:"role"`
	// State is the peer's own word on itself: ready, busy, joining, waiting, catching-up,
	// read-only or parked; "" when it was never seen.
	State  string `json:"state"`
	Online bool   `json:"online"`
	// Behind counts the changes it lacks of what we hold, Ahead those we lack
	// of what it holds, both by its last word.
	Behind uint64 `json:"behind"`
	Ahead  uint64 `json:"ahead"`
	// Lag is how long the oldest change that it lacks has waited, such as
	// "1.2s"; "" when it lacks none or the time is not known.
	Lag string `json:"lag"`
	// Schema is the digest of its directory's schema; SchemaDiffers says that
	// ours is another.
	Schema        string `json:"schema"`
	SchemaDiffers bool   `json:"schema_differs"`
}

// normalise replaces the nil lists of s by empty ones and its times by UTC.
func (s *Status) normalise() {
	s.Time, s.Started = s.Time.UTC(), s.Started.UTC()
	s.Suffixes = notNil(s.Suffixes)
	for i := range s.Suffixes {
		x := &s.Suffixes[i]
		x.Session.Since = x.Session.Since.UTC()
		x.Vector, x.Parked, x.Peers = notNil(x.Vector), notNil(x.Parked), notNil(x.Peers)
		x.Members = notNil(x.Members)
		for j := range x.Members {
			x.Members[j].Heartbeat = inUTC(x.Members[j].Heartbeat)
		}
		x.Forgetting.Before = inUTC(x.Forgetting.Before)
		for j := range x.Parked {
			x.Parked[j].Since = x.Parked[j].Since.UTC()
		}
	}
}

// inUTC returns a time, or none, in UTC.
func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	utc := at.UTC()
	return &utc
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
