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
func (s *Server) Apply(ctx context.Context, writes []directory.Write) error {
	if len(writes) == 0 {
		return nil
	}
	if err := s.writer.lock(ctx); err != nil {
		return failure("write", err)
	}
	defer s.writer.unlock()
	repeated := repeatedIDs(writes)
	s.intermediates.begin(repeated)
	err := s.writeAll(ctx, writes)
	if len(repeated) > 0 {
		s.settleRepeated(ctx, repeated)
	}
	s.intermediates.tellWritten()
	return err
}

// writeAll makes the writes up to the first that fails. When ctx ends, the one
// under way is still waited for, within the timeout of a call.
func (s *Server) writeAll(ctx context.Context, writes []directory.Write) error {
	for i, w := range writes {
		err := ctx.Err()
		if err == nil {
			err = s.writeOne(ctx, w)
		}
		if err != nil {
			return &directory.WriteError{Index: i, Kept: true, Err: err}
		}
	}
	return nil
}

func (s *Server) writeOne(ctx context.Context, w directory.Write) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cancel()
	return s.pool.with(ctx, func(c *session) error { return writeError(c.write(w)) })
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

// write sends one write and waits for its answer.
func (c *session) write(w directory.Write) error {
	controls := []ldap.Control{relax, manageDsaIT}
	if !w.IfCSN.IsZero() {
		controls = append(controls, ifCSN(w.IfCSN))
	}
	switch w.Op {
	case directory.Add:
		return c.Add(addRequest(w, controls))
	case directory.Modify:
		return c.Modify(modifyRequest(w, controls))
	case directory.ModDN:
		return c.ModifyDN(ldap.NewModifyDNWithControlsRequest(w.DN, w.NewRDN, w.DeleteOldRDN, w.NewSuperior, controls))
	case directory.Delete:
		return c.Del(ldap.NewDelRequest(w.DN, controls))
	}
	return &ldap.Error{ResultCode: ldap.LDAPResultProtocolError, Err: fmt.Errorf("unknown write %d", w.Op)}
}

func addRequest(w directory.Write, controls []ldap.Control) *ldap.AddRequest {
	r := ldap.NewAddRequest(w.DN, controls)
	for _, a := range w.Attrs {
		r.Attribute(a.Name, a.Values)
	}
	r.Attribute(attrUUID, []string{w.ID.String()})
	return r
}

func modifyRequest(w directory.Write, controls []ldap.Control) *ldap.ModifyRequest {
	r := ldap.NewModifyRequest(w.DN, controls)
	for _, m := range w.Mods {
		switch m.Op {
		case changelog.ModAdd:
			r.Add(m.Attr, m.Values)
		case changelog.ModDelete:
			r.Delete(m.Attr, m.Values)
		case changelog.ModReplace:
			r.Replace(m.Attr, m.Values)
		}
	}
	return r
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
