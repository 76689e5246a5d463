package openldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/ber"
)

// writer is the connection that writes go through, one after the other. It does
// not use go-ldap, which drops the controls of the answers.
type writer struct {
	conn net.Conn
	in   *stream
	// id is the message ID of the last request, used when its answer came.
	id int64
}

// answer is what a server says to a request.
type answer struct {
	op   byte
	body string
	csn  changelog.CSN // zero where it does not tell
}

// write makes one write and returns the entryCSN that it gave the entry.
func (s *Server) write(ctx context.Context, w directory.Write) (csn changelog.CSN, err error) {
	c, err := s.wire(ctx)
	if err != nil {
		return csn, err
	}
	op, err := encodeWrite(w)
	if err != nil {
		return csn, err
	}
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	a, err := c.ask(op, controlsOf(w)...)
	if err == nil && a.op != (op[0]|ber.Constructed)+1 {
		err = fmt.Errorf("%w: unexpected response %#x", ber.ErrMalformed, a.op)
	}
	if err != nil {
		s.hangUp()
		return csn, err
	}
	return a.csn, readResult(ber.NewCursor(a.body))
}

// wire returns the connection for writes. The caller holds s.writer.
func (s *Server) wire(ctx context.Context) (*writer, error) {
	if s.out != nil {
		return s.out, nil
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	s.out = &writer{conn: conn, in: newStream(conn), id: 1}
	return s.out, nil
}

// hangUp closes the connection for writes, if there is one.
func (s *Server) hangUp() {
	if s.out != nil {
		s.out.conn.Close()
		s.out = nil
	}
}

// probe hangs up where the connection has not survived the time since the last
// batch: a write that is lost with it would leave its outcome unknown.
func (s *Server) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if s.out != nil && !s.out.alive(ctx) {
		s.hangUp()
	}
}

const oidWhoAmI = "1.3.6.1.4.1.4203.1.11.3" // RFC 4532

// alive reports whether the server answers.
func (c *writer) alive(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	a, err := c.ask(ber.Element(extendedRequest, ber.String(ber.Context, oidWhoAmI)))
	return err == nil && a.op == extendedResponse
}

// ask sends a request and waits for its answer. After an error nobody knows what
// the connection will bring next.
func (c *writer) ask(op []byte, controls ...control) (a answer, err error) {
	c.id = c.id%(1<<31-1) + 1
	var with []byte
	if len(controls) > 0 {
		list := make([][]byte, len(controls))
		for i, ctl := range controls {
			list[i] = ctl.bytes()
		}
		with = ber.Element(responseControls, list...)
	}
	if _, err := c.conn.Write(ber.Element(ber.Sequence, ber.Int(ber.Integer, c.id), op, with)); err != nil {
		return a, err
	}
	contents, err := c.in.next()
	if err != nil {
		return a, err
	}
	return parseAnswer(contents, c.id)
}

var errNotice = errors.New("the server ends the connection")

// parseAnswer reads the contents of the LDAPMessage that answers request id.
func parseAnswer(contents string, id int64) (a answer, err error) {
	c := ber.NewCursor(contents)
	got := c.Int(ber.Integer)
	a.op, a.body = c.Any()
	switch {
	case c.Err() != nil:
		return a, c.Err()
	case got == 0: // RFC 4511 section 4.4
		return a, errNotice
	case got != id:
		return a, fmt.Errorf("%w: answer to request %d instead of %d", ber.ErrMalformed, got, id)
	case !c.More():
		return a, nil
	}
	controls := c.Enter(responseControls)
	for controls.More() {
		ctl := controls.Enter(ber.Sequence)
		oid := ctl.Bytes(ber.OctetString)
		ctl.Bool(false)
		if oid != oidPostRead {
			continue
		}
		if a.csn, err = readPost(ctl.Bytes(ber.OctetString)); err == nil {
			err = ctl.Err()
		}
		if err != nil {
			return a, err
		}
	}
	return a, first(controls, c)
}

// readPost reads the value of a Post-Read response (RFC 4527 section 3.2): a
// SearchResultEntry, with its tag.
func readPost(value string) (csn changelog.CSN, err error) {
	v := ber.NewCursor(value)
	tag, body := v.Any()
	if v.Err() != nil {
		return csn, v.Err()
	}
	if tag != searchEntry && tag != ber.Sequence {
		return csn, fmt.Errorf("%w: post-read %#x", ber.ErrMalformed, tag)
	}
	e, err := parseEntry(ber.NewCursor(body))
	if err != nil {
		return csn, err
	}
	for _, a := range e.attrs {
		if len(a.values) == 1 && strings.EqualFold(a.name, attrCSN) {
			return changelog.ParseCSN(a.values[0])
		}
	}
	return csn, nil
}

// Write requests of RFC 4511; each is answered with the
// constructed tag that follows.
const (
	modifyRequest = ber.Application | ber.Constructed | 6
	addRequest    = ber.Application | ber.Constructed | 8
	deleteRequest = ber.Application | 10
	modDNRequest  = ber.Application | ber.Constructed | 12
)

func encodeWrite(w directory.Write) ([]byte, error) {
	switch w.Op {
	case directory.Add:
		return encodeAdd(w), nil
	case directory.Modify:
		return encodeModify(w), nil
	case directory.ModDN:
		var superior []byte
		if w.NewSuperior != "" {
			superior = ber.String(ber.Context, w.NewSuperior)
		}
		return ber.Element(modDNRequest, ber.String(ber.OctetString, w.DN), ber.String(ber.OctetString, w.NewRDN),
			ber.Bool(w.DeleteOldRDN), superior), nil
	case directory.Delete:
		return ber.String(deleteRequest, w.DN), nil
	}
	return nil, &ldap.Error{ResultCode: ldap.LDAPResultProtocolError, Err: fmt.Errorf("unknown write %d", w.Op)}
}

func encodeAdd(w directory.Write) []byte {
	attrs := make([][]byte, 0, len(w.Attrs)+1)
	for _, a := range w.Attrs {
		attrs = append(attrs, encodeAttribute(a.Name, a.Values))
	}
	attrs = append(attrs, encodeAttribute(attrUUID, []string{w.ID.String()}))
	return ber.Element(addRequest, ber.String(ber.OctetString, w.DN), ber.Element(ber.Sequence, attrs...))
}

func encodeModify(w directory.Write) []byte {
	mods := make([][]byte, len(w.Mods))
	for i, m := range w.Mods {
		op := map[changelog.ModOp]int64{changelog.ModAdd: 0, changelog.ModDelete: 1, changelog.ModReplace: 2}[m.Op]
		mods[i] = ber.Element(ber.Sequence, ber.Int(ber.Enumerated, op), encodeAttribute(m.Attr, m.Values))
	}
	return ber.Element(modifyRequest, ber.String(ber.OctetString, w.DN), ber.Element(ber.Sequence, mods...))
}

func encodeAttribute(name string, values []string) []byte {
	list := make([][]byte, len(values))
	for i, v := range values {
		list[i] = ber.String(ber.OctetString, v)
	}
	return ber.Element(ber.Sequence, ber.String(ber.OctetString, name), ber.Element(ber.Set, list...))
}

func controlsOf(w directory.Write) []control {
	controls := []control{relax, manageDsaIT}
	if !w.IfCSN.IsZero() {
		controls = append(controls, ifCSN(w.IfCSN))
	}
	if w.Op != directory.Delete {
		controls = append(controls, postReadCSN)
	}
	return controls
}
