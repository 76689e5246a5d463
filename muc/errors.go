package muc

import (
	"errors"
	"fmt"
)

// Why we are not in the room. State and Run wrap them in *Error.
var (
	ErrNotAdmitted  = errors.New("the room does not admit this server yet")
	ErrMayNotCreate = errors.New("the room does not exist and this account may not create it")
	ErrUnsafe       = errors.New("the room is open to strangers or hides who is who")
	ErrNoService    = errors.New("there is no multi-user chat service at this address")
	ErrNickTaken    = errors.New("the nicknames tried are all in use")
	ErrEvicted      = errors.New("removed from the room")
	ErrNotJoined    = errors.New("not in the room")
)

// Error says why a server is not in its room.
type Error struct {
	// Reason is one of the sentinels of this package.
	Reason error
	// Room and JID are the room's and our bare address.
	Room, JID string
	// Err is what was seen, or nil.
	Err error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("room %s: %v", e.Room, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() []error { return []error{e.Reason, e.Err} }

// Hint says what an administrator can do.
func (e *Error) Hint() string {
	switch e.Reason {
	case ErrNotAdmitted:
		return "on a server that owns the room, run: ldapsync admit " + e.JID
	case ErrMayNotCreate:
		return "let an administrator of the XMPP server create the room and make " + e.JID + " its owner, or permit the account to create rooms"
	case ErrUnsafe:
		return "let an owner of the room make it members-only and show real JIDs to anyone"
	case ErrNoService:
		return "check the room service in the configuration, and that the XMPP server offers multi-user chat"
	case ErrNickTaken:
		return "give this server another nick"
	}
	return ""
}
