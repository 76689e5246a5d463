package xmpp

import (
	"errors"
	"fmt"
)

var (
	// ErrOffline means there is no session, or it ended before the answer.
	ErrOffline = errors.New("xmpp: offline")
	// ErrTooLarge means the encoded stanza is above MaxStanza.
	ErrTooLarge = errors.New("xmpp: stanza too large")
)

// MaxStanza is the size in bytes of the largest stanza Send takes. Prosody and
// ejabberd cut the connection above 262,144 bytes, Prosody without a word.
const MaxStanza = 240_000

// StanzaError is an error reply (RFC 6120 section 8.3), received or to be sent.
type StanzaError struct {
	// Type is auth, cancel, continue, modify or wait.
	Type string
	// Condition is the defined condition's name, e.g. "item-not-found".
	Condition string
	// App is the application-specific condition's name, if any, e.g.
	// "closed-node" (XEP-0060).
	App  string
	Text string
	// By is the entity that answered.
	By string
}

func (e *StanzaError) Error() string {
	s := e.Condition
	if e.App != "" {
		s += "/" + e.App
	}
	if e.By != "" {
		s = fmt.Sprintf("%s answered %s", e.By, s)
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// IsCondition reports whether err is or wraps a *StanzaError with one of these
// conditions.
func IsCondition(err error, conditions ...string) bool {
	var se *StanzaError
	if !errors.As(err, &se) {
		return false
	}
	for _, c := range conditions {
		if se.Condition == c {
			return true
		}
	}
	return false
}

// isReply reports whether err is somebody's answer rather than a failure to get
// one.
func isReply(err error) bool {
	var se *StanzaError
	return errors.As(err, &se)
}
