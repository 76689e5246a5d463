package openldap

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory/ber"
)

// listChunk is how many entries list reports at once.
const listChunk = 1000

// searchAll is a search of the whole suffix, as the second message of a
// connection.
func (s *Server) searchAll(attrs []string, controls ...control) []byte {
	names := make([][]byte, len(attrs))
	for i, a := range attrs {
		names[i] = ber.String(ber.OctetString, a)
	}
	search := ber.Element(searchRequest,
		ber.String(ber.OctetString, s.cfg.Suffix),
		ber.Int(ber.Enumerated, ldap.ScopeWholeSubtree), ber.Int(ber.Enumerated, ldap.NeverDerefAliases),
		ber.Int(ber.Integer, 0), ber.Int(ber.Integer, 0), ber.Bool(false),
		ber.String(ber.Context|7, "objectClass"),
		ber.Element(ber.Sequence, names...))
	encoded := [][]byte{manageDsaIT.bytes()}
	for _, c := range controls {
		encoded = append(encoded, c.bytes())
	}
	return ber.Element(ber.Sequence, ber.Int(ber.Integer, 2), search, ber.Element(responseControls, encoded...))
}

// list reports the ids of all entries, on a connection of its own.
func (s *Server) list(ctx context.Context, report func([]changelog.ID) error) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(s.searchAll([]string{attrUUID})); err != nil {
		return failure("list entries", err)
	}
	in := newStream(conn)
	var ids []changelog.ID
	for {
		contents, err := in.next()
		if err != nil {
			return failure("list entries", err)
		}
		id, err := listed(contents)
		switch {
		case errors.Is(err, errEnded):
			return report(ids)
		case err != nil:
			return failure("list entries", s.limitError(err))
		}
		if !id.IsZero() {
			ids = append(ids, id)
		}
		if len(ids) == listChunk {
			if err := report(ids); err != nil {
				return err
			}
			ids = nil
		}
	}
}

// listed reads one message of list's search; the id is zero where it is no entry.
func listed(contents string) (id changelog.ID, err error) {
	c := ber.NewCursor(contents)
	c.Int(ber.Integer)
	op, body := c.Any()
	if c.Err() != nil {
		return id, c.Err()
	}
	switch op {
	case searchEntry:
		e, err := parseEntry(ber.NewCursor(body))
		if err != nil {
			return id, err
		}
		if len(e.attrs) != 1 || len(e.attrs[0].values) != 1 {
			return id, fmt.Errorf("%s: %w: no entryUUID", e.dn, changelog.ErrID)
		}
		return changelog.ParseID(e.attrs[0].values[0])
	case searchDone, extendedResponse:
		if err := readResult(ber.NewCursor(body)); err != nil {
			return id, err
		}
		return id, errEnded
	}
	return id, nil
}

// limitError makes a search that was cut short one that says what to change.
func (s *Server) limitError(err error) error {
	switch code, _, ok := resultCode(err); {
	case !ok:
	case code == ldap.LDAPResultSizeLimitExceeded, code == ldap.LDAPResultTimeLimitExceeded,
		code == ldap.LDAPResultAdminLimitExceeded:
		return &SetupError{
			Text: fmt.Sprintf("searches of %s are limited in size or time", s.identity()),
			Fix:  "give it unlimited size and time," + printed,
		}
	}
	return err
}
