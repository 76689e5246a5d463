package openldap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/directory"
)

// SetupError says that the directory, or what was configured about it, has to
// be changed by a person before anything can go on.
type SetupError struct {
	Text string
	// Fix says what to do.
	Fix string
}

func (e *SetupError) Error() string { return e.Text }

// Hint returns what to do about it.
func (e *SetupError) Hint() string { return e.Fix }

// Result codes that go-ldap does not name, or that have two meanings.
const (
	resultSyncRefreshRequired = 4096 // RFC 4533 section 2.6
	firstClientCode           = ldap.ErrorNetwork
)

// resultCode returns the result code of a server's refusal.
func resultCode(err error) (code int, text string, ok bool) {
	var e *ldap.Error
	if !errors.As(err, &e) || e.ResultCode >= firstClientCode && e.ResultCode < resultSyncRefreshRequired {
		return 0, "", false
	}
	if e.Err != nil {
		text = e.Err.Error()
	}
	return int(e.ResultCode), text, true
}

// failure wraps what went wrong in verb. What is not an answer of the server
// means that it cannot be reached, and wraps directory.ErrUnavailable.
func failure(verb string, err error) error {
	var setup *SetupError
	if err == nil || errors.As(err, &setup) || errors.Is(err, directory.ErrUnavailable) ||
		errors.Is(err, context.Canceled) {
		return wrap(verb, err)
	}
	code, _, answered := resultCode(err)
	switch {
	case !answered, code == ldap.LDAPResultBusy, code == ldap.LDAPResultUnavailable:
		return fmt.Errorf("%s: %w: %w", verb, directory.ErrUnavailable, err)
	}
	return wrap(verb, err)
}

func wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// identity is who the daemon is to the directory, for people.
func (s *Server) identity() string {
	if s.cfg.External {
		return "the process's user (SASL EXTERNAL)"
	}
	return s.cfg.BindDN
}

// bindError makes a refused bind one that says what to change.
func (s *Server) bindError(err error) error {
	code, text, ok := resultCode(err)
	if !ok {
		return err
	}
	refused := "the directory refuses " + s.identity()
	switch code {
	case ldap.LDAPResultInvalidCredentials:
		return &SetupError{refused + ": wrong name or password", "check the bind DN and the password file of the directory"}
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired:
		return &SetupError{refused + ": " + text, "use ldaps://, ldapi:// or starttls"}
	case ldap.LDAPResultAuthMethodNotSupported, ldap.LDAPResultInappropriateAuthentication:
		return &SetupError{fmt.Sprintf("%s: result %d: %s", refused, code, text), "SASL EXTERNAL needs an ldapi:// URI"}
	}
	return err
}

// readOnly reports whether a refusal says that the whole database takes no
// writes at the moment: it is a consumer of another, or olcReadOnly is set.
func readOnly(code int, text string) bool {
	return code == ldap.LDAPResultReferral || code == ldap.LDAPResultUnwillingToPerform &&
		(strings.Contains(text, "operation restricted") || strings.Contains(text, "shadow context"))
}
