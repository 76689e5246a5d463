package replica

import (
	"errors"
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/members"
)

// Errors of ForgetPeer.
var (
	// ErrNoMember is wrapped by the error about a server that the log does not know.
	ErrNoMember = errors.New("no such member")
	// ErrOnline is wrapped by the error about a server that takes part just now.
	ErrOnline = errors.New("is in the room")
	// ErrNotMaster is wrapped by the error of a server that may not write.
	ErrNotMaster = errors.New("this server is not a master")
)

// ForgetPeer removes a server from the members, by an operation that reaches all
// others: nothing it hands out is merged any more, and what it has not is no
// longer kept for it. One that is online is removed only by force. To remove one
// again changes nothing.
func (r *Replica) ForgetPeer(sid changelog.SID, force bool) error {
	id := r.Identity()
	switch {
	case !id.Joined || r.Fault() != "" || !r.Role().Writes():
		return fmt.Errorf("remove server %d: %w that takes part", sid, ErrNotMaster)
	case sid == id.SID:
		return fmt.Errorf("remove server %d: %w: it is this one", sid, ErrNoMember)
	}
	if p, online := r.peerBySID(sid); online && !force {
		return fmt.Errorf("remove server %d: %s %w", sid, p.JID, ErrOnline)
	}
	err := r.update(func(w *work) error {
		list, err := w.Roster().Members()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(m members.Member) bool { return m.SID == sid }) {
			return fmt.Errorf("remove server %d: %w", sid, ErrNoMember)
		}
		if _, removed, err := w.Roster().Removed(sid); removed || err != nil {
			return err
		}
		r.log.Warn("removed a server", "sid", uint16(sid))
		return w.note(&changelog.Change{Op: changelog.OpForget, Peer: sid})
	})
	r.toPublish.raise()
	r.changed.raise()
	return err
}
