package openldap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory/ber"
	"ldapsync/schema"
)

// Severity is how bad a Finding is.
type Severity uint8

const (
	// Warning is what works, but not well.
	Warning Severity = iota + 1
	// Error is what keeps a suffix from being replicated.
	Error
)

// String returns warning or error.
func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Codes of findings.
const (
	CodeControl  = "openldap-control"
	CodeSyncprov = "openldap-syncprov"
	CodeSchema   = "openldap-schema"
	CodeRights   = "openldap-rights"
	CodeReadOnly = "openldap-read-only"
	CodeLimits   = "openldap-limits"
	CodeLastMod  = "openldap-lastmod"
	CodeIndex    = "openldap-index"
)

// Finding is something about the directory that has to be changed.
type Finding struct {
	Code     string
	Severity Severity
	Text     string
	// Fix is what to do about it.
	Fix string
}

const printed = " as ldapsync setup openldap prints it"

// Check tries everything that a replica needs of the directory. It changes
// nothing in it. An error, not a finding, says that it could not be tried: the
// server is away, or it is a *SetupError: the identity is refused, or there is no
// such suffix.
func (s *Server) Check(ctx context.Context) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if err := s.checkServed(ctx); err != nil {
		return nil, err
	}
	c := &check{server: s}
	for _, f := range []func(context.Context) error{
		c.controls, c.schema, c.lastMod, c.syncprov, c.rights, c.limits, c.configuration,
	} {
		if err := f(ctx); err != nil {
			return nil, failure("check the directory", err)
		}
	}
	return c.found, nil
}

type check struct {
	server *Server
	found  []Finding
	// empty says that the suffix has no entry, so that not all can be tried.
	empty bool
}

func (c *check) add(severity Severity, code, fix, format string, args ...any) {
	c.found = append(c.found, Finding{Code: code, Severity: severity, Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (c *check) has(code string) bool {
	return slices.ContainsFunc(c.found, func(f Finding) bool { return f.Code == code })
}

func (c *check) controls(ctx context.Context) error {
	root, err := c.server.base(ctx, "", "supportedControl")
	if err != nil {
		return err
	}
	have := root.GetAttributeValues("supportedControl")
	if !slices.Contains(have, oidAssert) {
		c.add(Error, CodeControl, "use OpenLDAP 2.5 or later", "the server does not support assertions (RFC 4528)")
	}
	if !slices.Contains(have, oidSync) {
		c.noSyncprov("the server cannot report changes (RFC 4533): syncprov is not loaded")
	}
	return nil
}

func (c *check) noSyncprov(text string) {
	c.add(Error, CodeSyncprov, "add the module and the overlay syncprov to the database,"+printed, "%s", text)
}

func (c *check) schema(ctx context.Context) error {
	sch, err := c.server.Schema(ctx)
	if err != nil {
		return err
	}
	if sch.Class(schema.ConflictClass) == nil {
		c.add(Error, CodeSchema, "add ldapsync's schema,"+printed, "the object class %s is not in the schema", schema.ConflictClass)
	}
	return nil
}

// lastMod checks that entries have what they are known by.
func (c *check) lastMod(ctx context.Context) error {
	e, err := c.server.base(ctx, c.server.cfg.Suffix, attrUUID, attrCSN)
	if code, _, ok := resultCode(err); ok && code == ldap.LDAPResultNoSuchObject {
		c.empty = true
		return nil
	}
	var setup *SetupError
	if errors.As(err, &setup) {
		c.noRights("read its entries")
		return nil
	}
	if err == nil && (e.GetAttributeValue(attrUUID) == "" || e.GetAttributeValue(attrCSN) == "") {
		c.add(Error, CodeLastMod, "set olcLastMod to TRUE, and give entries that were loaded without them entryUUID and entryCSN",
			"%s has no entryUUID or no entryCSN", e.DN)
	}
	return err
}

func (c *check) noRights(what string) {
	if !c.has(CodeRights) {
		c.add(Error, CodeRights, "give it access to the database as the first rule,"+printed,
			"%s may not %s", c.server.identity(), what)
	}
}

// syncprov asks for the synchronisation of the suffix's entry alone.
func (c *check) syncprov(ctx context.Context) error {
	if c.has(CodeSyncprov) || c.has(CodeRights) {
		return nil
	}
	const refreshOnly = 1
	sync := control{oid: oidSync, value: string(ber.Element(ber.Sequence, ber.Int(ber.Enumerated, refreshOnly))), hasValue: true}
	req := ldap.NewSearchRequest(c.server.cfg.Suffix, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"1.1"}, []ldap.Control{sync, manageDsaIT})
	var done bool
	err := c.server.pool.with(ctx, func(conn *session) error {
		res, err := conn.Search(req)
		if err == nil {
			done = ldap.FindControl(res.Controls, ldap.ControlTypeSyncDone) != nil
		}
		return failure("search", err)
	})
	code, text, answered := resultCode(err)
	switch {
	case err == nil && done, answered && code == ldap.LDAPResultNoSuchObject:
		return nil
	case err == nil || answered:
		c.noSyncprov(fmt.Sprintf("the database of %s does not report changes: it lacks the overlay syncprov (result %d %s)",
			c.server.cfg.Suffix, code, text))
		return nil
	}
	return err
}

const (
	oidNoOp      = "1.3.6.1.4.1.4203.666.5.2" // draft-zeilenga-ldap-noop
	resultNoOp   = 16654
	attrPassword = "userPassword"
)

// rights tries to write what only those who manage the database may, and what
// access rules usually hide. The no-op control undoes it. It is safe only for
// attributes that the entry has or shall not have: slapd would keep the number
// it gave to a new one.
func (c *check) rights(ctx context.Context) error {
	if c.empty || c.has(CodeRights) {
		return nil
	}
	e, err := c.server.base(ctx, c.server.cfg.Suffix, "modifiersName")
	if err != nil {
		return err
	}
	for what, attr := range map[string]string{
		"manage " + c.server.cfg.Suffix:             "modifiersName",
		"write passwords in " + c.server.cfg.Suffix: attrPassword,
	} {
		req := ldap.NewModifyRequest(e.DN, []ldap.Control{control{oid: oidNoOp}, relax, manageDsaIT})
		req.Replace(attr, e.GetAttributeValues(attr))
		err := c.server.pool.with(ctx, func(conn *session) error { return failure("try to write", conn.Modify(req)) })
		if err := c.tried(what, err); err != nil {
			return err
		}
	}
	return nil
}

// tried judges the answer to a write that was not to happen.
func (c *check) tried(what string, err error) error {
	code, text, answered := resultCode(err)
	switch {
	case err == nil, answered && code == resultNoOp:
		return nil
	case !answered:
		return err
	case readOnly(code, text):
		if !c.has(CodeReadOnly) {
			c.add(Error, CodeReadOnly, "set olcReadOnly to FALSE; a consumer of other servers needs olcMultiProvider TRUE",
				"the database takes no writes: result %d: %s", code, text)
		}
	case code == ldap.LDAPResultUnavailableCriticalExtension:
		c.add(Error, CodeControl, "use OpenLDAP 2.5 or later", "the server does not support the relax control: %s", text)
	default:
		c.noRights(fmt.Sprintf("%s: result %d: %s", what, code, text))
	}
	return nil
}

// limits reads as many entries as are usually not allowed at once.
func (c *check) limits(ctx context.Context) error {
	const enough = 20000
	if c.empty || c.has(CodeRights) {
		return nil
	}
	n := 0
	err := c.server.list(ctx, func(ids []changelog.ID) error {
		if n += len(ids); n >= enough {
			return errEnough
		}
		return nil
	})
	var setup *SetupError
	switch {
	case errors.Is(err, errEnough):
		return nil
	case errors.As(err, &setup):
		c.add(Error, CodeLimits, setup.Fix, "%s", setup.Text)
		return nil
	}
	return err
}

var errEnough = errors.New("enough was read")
