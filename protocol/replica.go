package protocol

import (
	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// Replica is what one server of a suffix says of itself in its presence.
type Replica struct {
	SID changelog.SID
	// Install tells two installations that claim one sid apart.
	Install string
	// Version is that of the program.
	Version string
	// Role is what the server takes its role to be: controller, master, read-only.
	Role string
	// State is ready, busy (serving a catch-up), catching-up, read-only,
	// parked or waiting; a word that is none of these means not ready.
	State string
	// Schema and Digest are digests of the directory's schema and of the
	// replicated state.
	Schema, Digest string
	// Service and Node are where the server publishes its changes; empty
	// while it does not.
	Service, Node string
	// Vector is how far its copy reaches.
	Vector changelog.Vector
}

// Sizes in octets of the longest JID (RFC 7622 section 3.1), node name, and
// other texts in a presence.
const (
	maxJID  = 3*1023 + 2
	maxNode = 1023
	maxNote = 128
)

// Element returns the <replica> payload.
func (r Replica) Element() *element.Element {
	e := element.New(NS, "replica", "sid", decimal(r.SID))
	setOctets(e, "install", r.Install)
	setOctets(e, "version", r.Version)
	setOctets(e, "role", r.Role)
	setOctets(e, "state", r.State)
	setOctets(e, "schema", r.Schema)
	setOctets(e, "digest", r.Digest)
	setOctets(e, "service", r.Service)
	setOctets(e, "node", r.Node)
	for _, sid := range r.Vector.SIDs() {
		e.With(markElement(sid, r.Vector[sid]))
	}
	return e
}

func markElement(sid changelog.SID, m changelog.Mark) *element.Element {
	e := element.New(NS, "csn", "sid", decimal(sid), "seq", decimal(m.Seq))
	if m.Seq > 0 {
		e.Text = m.CSN.String()
	}
	return e
}

// ParseReplica reads a <replica>. Attributes and elements that it does not
// know are passed over, so that later versions can say more.
func ParseReplica(e *element.Element) (Replica, error) {
	r := open(e, "replica")
	p := Replica{
		SID:     r.sid("sid"),
		Install: r.octets("install", maxNote),
		Version: r.octets("version", maxNote),
		Role:    r.token("role"),
		State:   r.token("state"),
		Schema:  r.octets("schema", maxNote),
		Digest:  r.octets("digest", maxNote),
		Service: r.octets("service", maxJID),
		Node:    r.octets("node", maxNode),
		Vector:  r.vector(),
	}
	if p.Install == "" {
		r.fail("no install")
	}
	if r.err != nil {
		return Replica{}, r.err
	}
	return p, nil
}

// vector reads the <csn> children, at most one for each server.
func (r *reader) vector() changelog.Vector {
	v := changelog.Vector{}
	for _, e := range r.e.All(NS, "csn") {
		sid, m, err := parseMark(e)
		r.adopt(err)
		if _, twice := v[sid]; twice {
			r.fail("two <csn> of server %s", sid)
		}
		if r.err != nil {
			return nil
		}
		v[sid] = m
	}
	return v
}

func parseMark(e *element.Element) (changelog.SID, changelog.Mark, error) {
	r := open(e, "csn")
	sid, m := r.sid("sid"), changelog.Mark{Seq: r.number("seq", 1<<64-1)}
	if m.Seq > 0 || e.Text != "" {
		m.CSN = r.csn(e.Text)
		if m.CSN.SID != sid || m.Seq == 0 {
			r.fail("CSN is not of server %s", sid)
		}
	}
	return sid, m, r.finish()
}
