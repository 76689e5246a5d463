// Package directory is the port that every kind of directory server
// implements, so that a replica need not know which one it stands beside. It
// knows nothing of XMPP.
package directory

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/schema"
)

// Attribute is one attribute of an entry with its values in the directory's
// order, its name as the directory spells it.
type Attribute = changelog.Attribute

// Entry is the state of one entry as its directory holds it: user attributes,
// and of the operational ones creatorsName, createTimestamp, modifiersName and
// modifyTimestamp. entryUUID and entryCSN stand in ID and CSN, not in Attrs.
type Entry struct {
	ID changelog.ID
	DN string
	// CSN is the directory's own entryCSN: it grows with every write to the
	// entry, and a write can be made to depend on it.
	CSN changelog.CSN
	// Own says that modifiersName is the name under which Apply writes, so that
	// the last write to the entry was one of Apply's that did not set it: a
	// ModDN cannot.
	Own   bool
	Attrs []Attribute
}

// EventKind says what an Event reports.
type EventKind uint8

// The kinds of events of Directory.Watch.
const (
	// RefreshBegin opens a refresh; Event.Resumed says that the cookie was
	// usable, so that entries which did not change are not reported again.
	RefreshBegin EventKind = iota + 1
	// Present reports, during a refresh, Event.IDs as still there and unchanged
	// since the cookie.
	Present
	// State reports the state of Event.Entry.
	State
	// Gone reports that the entries Event.IDs were deleted.
	Gone
	// RefreshEnd closes a refresh. Event.Complete says that every entry the
	// directory holds was reported by State or Present since RefreshBegin, so
	// whatever was not has been deleted.
	RefreshEnd
)

// Event is one report of Directory.Watch.
type Event struct {
	Kind     EventKind
	Resumed  bool
	Complete bool
	IDs      []changelog.ID
	Entry    *Entry
	// Cookie, when not empty, is what to resume after this event with.
	Cookie []byte
}

// WriteOp is the kind of a Write.
type WriteOp uint8

// The kinds of writes.
const (
	Add WriteOp = iota + 1
	Modify
	ModDN
	Delete
)

// Write is one operation to make in the directory.
type Write struct {
	Op WriteOp
	ID changelog.ID
	// DN names the entry as it is called when the writes before it are done.
	DN string
	// IfCSN, when not zero, makes the write depend on the entry's entryCSN
	// (RFC 4528).
	IfCSN changelog.CSN
	// Attrs is the content of an added entry, the four operational attributes
	// of Entry included; its entryUUID is ID.
	Attrs []Attribute
	// Mods are the modifications of a Modify.
	Mods []changelog.Mod
	// NewRDN, DeleteOldRDN and NewSuperior (a DN, "" for none) belong to ModDN.
	NewRDN       string
	DeleteOldRDN bool
	NewSuperior  string
}

// Directory is one server holding one suffix. Its methods may be called
// concurrently. Errors that wrap ErrUnavailable are temporary.
type Directory interface {
	// Watch reports every state an entry takes, at least once and in the order
	// of the commits, from cookie on (nil or not usable: from scratch): first a
	// refresh, from RefreshBegin to RefreshEnd, then what happens, until ctx
	// ends or the directory goes away. The names in a refresh that ends are of one
	// moment; one in which they changed is begun again with another RefreshBegin. It never returns nil before ctx ends. An
	// error of report ends it and is returned. The events and what they point
	// to belong to the callee.
	Watch(ctx context.Context, cookie []byte, report func(Event) error) error
	// Apply makes the writes in order, each whole or not at all, and returns of
	// those that are known to be made, from the first on, the entryCSN that the
	// write gave its entry: zero for a Delete, and where the directory does not
	// tell. Its error is
	// a *WriteError when it is known how many it made. It wraps ErrStale when
	// the directory is not as the writes suppose, and is or wraps a
	// *RefusedError when it will not take one of them. After another error the
	// write to blame, or all without a *WriteError, may or may not have been
	// made. A state between two writes of one call to one entry is not reported
	// to Watch.
	Apply(ctx context.Context, writes []Write) ([]changelog.CSN, error)
	// Read returns the entries of ids that exist, in any order.
	Read(ctx context.Context, ids []changelog.ID) ([]Entry, error)
	// Schema returns the schema in force.
	Schema(ctx context.Context) (*schema.Schema, error)
}

// Errors of Directory.Apply and of any call on a directory that is away.
var (
	// ErrStale says that an entry is not, or no longer, as a write supposes:
	// an IfCSN differs, a target is missing or a new name is taken.
	ErrStale = errors.New("directory changed meanwhile")
	// ErrUnavailable says that the directory cannot be reached at the moment.
	ErrUnavailable = errors.New("directory unavailable")
)

// RefusedError is a write that the directory will not take however often it
// is repeated, such as one against its schema.
type RefusedError struct {
	// Code is the LDAP result code (RFC 4511 appendix A).
	Code int
	// Text is the directory's diagnostic message.
	Text string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("directory refused the write: result %d: %s", e.Code, e.Text)
}

// WriteError is an error of Directory.Apply for which one write is to blame.
type WriteError struct {
	// Index is the write's place in the batch. Those after it were not made.
	Index int
	// Kept says that those before it were made; else they were not, or were
	// undone.
	Kept bool
	Err  error
}

func (e *WriteError) Error() string { return fmt.Sprintf("write %d: %v", e.Index, e.Err) }

// Unwrap returns e.Err.
func (e *WriteError) Unwrap() error { return e.Err }
