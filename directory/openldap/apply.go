package openldap

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// Apply implements directory.Directory. Every write is an operation of its own,
// which slapd makes whole or not at all: the error of a batch is a
// *directory.WriteError with Kept set. DESIGN.md says why it is no transaction.
func (s *Server) Apply(ctx context.Context, writes []directory.Write) ([]changelog.CSN, error) {
	if len(writes) == 0 {
		return nil, nil
	}
	if err := s.writer.lock(ctx); err != nil {
		return nil, failure("write", err)
	}
	defer s.letGo()
	s.probe(ctx)
	repeated := repeatedIDs(writes)
	s.intermediates.begin(repeated)
	made, err := s.writeAll(ctx, writes)
	if len(repeated) > 0 {
		s.settleRepeated(ctx, repeated)
	}
	s.intermediates.tellWritten()
	return made, err
}

// letGo lets others write. A connection that Close found in use is closed.
func (s *Server) letGo() {
	if s.pool.isClosed() {
		s.hangUp()
	}
	s.writer.unlock()
}

// writeAll makes the writes up to the first that fails. When ctx ends, the one
// under way is still waited for, within the timeout of a call.
func (s *Server) writeAll(ctx context.Context, writes []directory.Write) ([]changelog.CSN, error) {
	made := make([]changelog.CSN, 0, len(writes))
	for i, w := range writes {
		err := ctx.Err()
		var csn changelog.CSN
		if err == nil {
			csn, err = s.writeOne(ctx, w)
		}
		if err != nil {
			return made, &directory.WriteError{Index: i, Kept: true, Err: err}
		}
		made = append(made, csn)
	}
	return made, nil
}

func (s *Server) writeOne(ctx context.Context, w directory.Write) (changelog.CSN, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cancel()
	csn, err := s.write(ctx, w)
	return csn, writeError(err)
}

// repeatedIDs returns the entries that more than one of writes is about.
func repeatedIDs(writes []directory.Write) []changelog.ID {
	count := make(map[changelog.ID]int, len(writes))
	var repeated []changelog.ID
	for _, w := range writes {
		if count[w.ID]++; count[w.ID] == 2 {
			repeated = append(repeated, w.ID)
		}
	}
	return repeated
}

// settleRepeated tells the searches which state of entries was the last of the
// writes. Where that cannot be found out, they have to begin again.
func (s *Server) settleRepeated(ctx context.Context, ids []changelog.ID) {
	entries, err := s.Read(context.WithoutCancel(ctx), ids)
	if err != nil {
		s.intermediates.fail()
		return
	}
	final := make(map[changelog.ID]changelog.CSN, len(entries))
	for _, e := range entries {
		final[e.ID] = e.CSN
	}
	s.intermediates.settle(ids, final)
}

// writeError is the error of one write that was answered with err.
func writeError(err error) error {
	code, text, answered := resultCode(err)
	if err == nil || !answered {
		return failure("write", err)
	}
	if text == "" {
		text = ldap.LDAPResultCodeMap[uint16(code)]
	}
	switch code {
	case ldap.LDAPResultAssertionFailed, ldap.LDAPResultNoSuchObject,
		ldap.LDAPResultEntryAlreadyExists, ldap.LDAPResultNotAllowedOnNonLeaf:
		return fmt.Errorf("%w: result %d: %s", directory.ErrStale, code, text)
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return failure("write", err)
	}
	if readOnly(code, text) {
		return fmt.Errorf("%w: %w: result %d: %s", directory.ErrUnavailable, errReadOnly, code, text)
	}
	return &directory.RefusedError{Code: code, Text: text}
}

// errReadOnly says that the database takes no writes, from whomever.
var errReadOnly = errors.New("the database takes no writes")
