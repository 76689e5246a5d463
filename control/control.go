// Package control is how the commands talk to the running daemon: HTTP with
// JSON over a local socket that only the daemon's user can open. It knows
// nothing of directories and XMPP.
//
//	GET  /v0/status                                       Status
//	POST /v0/admit   {"suffix","jid","role"}              {}
//	POST /v0/retry   {"suffix","id"}                      {"retried"}
//
// and, all POST, /v0/conflicts, /v0/conflicts/show, /v0/conflicts/restore,
// /v0/conflicts/drop, /v0/parked/drop, /v0/history, /v0/undelete and
// /v0/deleted, with the types of Journal, /v0/forget-peer with those of Members, and
// /v0/withheld and /v0/withheld/release with those of Withholding.
//
// An answer other than 200 holds an Error.
package control

import (
	"context"
	"errors"

	"ldapsync/roles"
)

// Service is what the daemon does for the commands. Its methods may be called
// concurrently. Errors that have a method Hint() string keep the hint on their
// way to the command, and an *Error keeps its Code.
type Service interface {
	// Status returns what is known at the moment; it waits for nothing.
	Status(ctx context.Context) (Status, error)
	// Admit gives jid a role in the room of suffix; the empty suffix is the
	// only one there is.
	Admit(ctx context.Context, suffix, jid string, role roles.Role) error
	// RetryParked tries a parked entry again, or all of them where id is "",
	// and returns how many it took up.
	RetryParked(ctx context.Context, suffix, id string) (int, error)
	Journal
	Members
	Withholding
}

// Codes of an Error.
const (
	// CodeFailed says that the daemon tried and failed.
	CodeFailed = "failed"
	// CodeRequest says that the request makes no sense: an unknown suffix, role
	// or entry.
	CodeRequest = "bad-request"
	// CodeNotRunning says that no daemon answers.
	CodeNotRunning = "not-running"
	// CodeForbidden says that the socket belongs to another user.
	CodeForbidden = "forbidden"
	// CodeInUse says that another daemon answers on the socket.
	CodeInUse = "in-use"
)

// Error is a failure with what to do about it.
type Error struct {
	Text string `json:"text"`
	// HintText is what to do, or "".
	HintText string `json:"hint,omitempty"`
	Code     string `json:"code"`
}

func (e *Error) Error() string { return e.Text }

// Hint returns what to do about it, or "".
func (e *Error) Hint() string { return e.HintText }

// asError returns err in the form that goes over the socket.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{Text: err.Error(), HintText: e.HintText, Code: e.Code}
	}
	e = &Error{Text: err.Error(), Code: CodeFailed}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		e.HintText = h.Hint()
	}
	return e
}

// Paths and bodies of the requests.
const (
	pathStatus = "/v0/status"
	pathAdmit  = "/v0/admit"
	pathRetry  = "/v0/retry"
)

type admitRequest struct {
	Suffix string `json:"suffix"`
	JID    string `json:"jid"`
	Role   string `json:"role"`
}

type retryRequest struct {
	Suffix string `json:"suffix"`
	ID     string `json:"id"`
}

type retryReply struct {
	Retried int `json:"retried"`
}
