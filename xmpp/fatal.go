package xmpp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"mellium.im/xmpp/stream"
)

// Why a login failed, or a session ended, in a way that trying again does not
// heal. They are found with errors.Is in what Run returns.
var (
	ErrConflict      = errors.New("another session logged in with the same address")
	ErrNotAuthorized = errors.New("the XMPP server does not accept the account or its password")
	ErrUntrusted     = errors.New("the XMPP server's certificate is not trusted")
	ErrNoTLS         = errors.New("the XMPP server does not offer TLS")
	ErrNoSCRAM       = errors.New("the XMPP server does not offer SCRAM authentication")
	ErrHostUnknown   = errors.New("the XMPP server does not serve the domain")
	ErrPassword      = errors.New("the password cannot be read")
)

var hints = map[error]string{
	ErrConflict:      "each server needs an account of its own; look for a second ldapsync with the same jid",
	ErrNotAuthorized: "check the jid and the password, and that the account exists",
	ErrUntrusted:     "name the authority that signed it as the CA file, and check that it is made out for the jid's domain",
	ErrNoTLS:         "enable TLS on the XMPP server; ldapsync never logs in without",
	ErrNoSCRAM:       "enable SCRAM-SHA-1 or SCRAM-SHA-256 on the XMPP server",
	ErrHostUnknown:   "check the domain of the jid and the server's address",
	ErrPassword:      "check the password file and its permissions",
}

// FatalError is a failure that needs a person. Run returns it at once when it
// happens at the first login, or is ErrConflict; in a session's later life the
// same failures are only reported by LastError and tried again at BackoffMax,
// since a certificate or an account may be in the middle of a change.
type FatalError struct {
	// Reason is one of ErrConflict, ErrNotAuthorized and so on.
	Reason error
	// Err is what was seen.
	Err error
}

func (e *FatalError) Error() string {
	if e.Err == nil {
		return e.Reason.Error()
	}
	return fmt.Sprintf("%v: %v", e.Reason, e.Err)
}

func (e *FatalError) Unwrap() []error { return []error{e.Reason, e.Err} }

// Hint says what an administrator can do.
func (e *FatalError) Hint() string { return hints[e.Reason] }

// StreamError is what the server said when it ended the stream (RFC 6120
// section 4.9).
type StreamError struct{ Condition, Text string }

func (e *StreamError) Error() string {
	if e.Text == "" {
		return "server ended the session: " + e.Condition
	}
	return fmt.Sprintf("server ended the session: %s: %s", e.Condition, e.Text)
}

// classify turns what ended a login or a session into a *FatalError where it
// is one.
func classify(err error) error {
	var fatal *FatalError
	if err == nil || errors.As(err, &fatal) {
		return err
	}
	var theirs stream.Error
	if errors.As(err, &theirs) {
		err = &StreamError{Condition: theirs.Err}
	}
	var se *StreamError
	if errors.As(err, &se) {
		switch se.Condition {
		case "conflict":
			return &FatalError{ErrConflict, err}
		case "not-authorized":
			return &FatalError{ErrNotAuthorized, err}
		case "host-unknown", "host-gone":
			return &FatalError{ErrHostUnknown, err}
		}
		return err
	}
	if untrusted(err) {
		return &FatalError{ErrUntrusted, err}
	}
	return err
}

func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
