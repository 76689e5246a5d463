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

// allEntries is a filter that every entry passes.
var allEntries = ber.String(ber.Context|7, "objectClass")

// searchAll is a search of the whole suffix, as the second message of a
// connection.
func (s *Server) searchAll(filter []byte, attrs []string, controls ...control) []byte {
	names := make([][]byte, len(attrs))
	for i, a := range attrs {
		names[i] = ber.String(ber.OctetString, a)
	}
	search := ber.Element(searchRequest,
		ber.String(ber.OctetString, s.cfg.Suffix),
		ber.Int(ber.Enumerated, ldap.ScopeWholeSubtree), ber.Int(ber.Enumerated, ldap.NeverDerefAliases),
		ber.Int(ber.Integer, 0), ber.Int(ber.Integer, 0), ber.Bool(false),
		filter,
		ber.Element(ber.Sequence, names...))
	encoded := [][]byte{manageDsaIT.bytes()}
	for _, c := range controls {
		encoded = append(encoded, c.bytes())
	}
	return ber.Element(ber.Sequence, ber.Int(ber.Integer, 2), search, ber.Element(responseControls, encoded...))
}

// list reports the ids of all entries.
func (s *Server) list(ctx context.Context, report func([]changelog.ID) error) error {
	var ids []changelog.ID
	err := s.scan(ctx, allEntries, func(id changelog.ID, _ string) error {
		if ids = append(ids, id); len(ids) < listChunk {
			return nil
		}
		full := ids
		ids = nil
		return report(full)
	})
	if err != nil {
		return err
	}
	return report(ids)
}

// scan reports the entries that pass a filter, on a connection of its own.
func (s *Server) scan(ctx context.Context, filter []byte, report func(id changelog.ID, name string) error) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(s.searchAll(filter, []string{attrUUID})); err != nil {
		return failure("list entries", err)
	}
	in := newStream(conn)
	for {
		contents, err := in.next()
		if err != nil {
			return failure("list entries", err)
		}
		id, name, err := listed(contents)
		switch {
		case errors.Is(err, errEnded):
			return nil
		case err != nil:
			return failure("list entries", s.limitError(err))
		case id.IsZero():
			continue
		}
		if err := report(id, name); err != nil {
			return err
		}
	}
}

// listed reads one message of scan's search; the id is zero where it is no entry.
func listed(contents string) (id changelog.ID, name string, err error) {
	c := ber.NewCursor(contents)
	c.Int(ber.Integer)
	op, body := c.Any()
	if c.Err() != nil {
		return id, "", c.Err()
	}
	switch op {
	case searchEntry:
		e, err := parseEntry(ber.NewCursor(body))
		if err != nil {
			return id, "", err
		}
		if len(e.attrs) != 1 || len(e.attrs[0].values) != 1 {
			return id, e.dn, fmt.Errorf("%s: %w: no entryUUID", e.dn, changelog.ErrID)
		}
		id, err = changelog.ParseID(e.attrs[0].values[0])
		return id, e.dn, err
	case searchDone, extendedResponse:
		if err := readResult(ber.NewCursor(body)); err != nil {
			return id, "", err
		}
		return id, "", errEnded
	}
	return id, "", nil
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
