package replica

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/roles"
)

// maxAhead is how far ahead of our clock a change may be and still be merged
// at once.
const maxAhead = 24 * time.Hour

// Delivery is a run of changes as they arrived, by whatever way.
type Delivery struct {
	// Relay is the server that handed them over, 0 when it is not known, and
	// RelayRole its role in the room.
	Relay     changelog.SID
	RelayRole roles.Role
	// Pulled says that they were asked for, so that they come by ascending CSN.
	Pulled  bool
	Changes []changelog.Change
}

// Receipt says what became of a delivery.
type Receipt struct {
	New, Known, Denied int
	// Gap is set when a change was beyond the next of its server.
	Gap bool
}

// Receive stores and merges, in one transaction, the changes that are next in
// the order of their authors and allowed by their roles. Known ones are
// dropped, those beyond a gap left to a pull, and denied ones kept apart.
func (r *Replica) Receive(d Delivery) (Receipt, error) {
	var got Receipt
	if !r.mayMatch() {
		return got, nil
	}
	var fault string
	err := r.update(func(w *work) error {
		got, fault = Receipt{}, ""
		for i := range d.Changes {
			why, err := w.receive(&d.Changes[i], d, &got)
			if err != nil {
				return err
			}
			if why != "" {
				fault = why
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("receive changes: %w", err)
	}
	if fault != "" {
		if err := r.strangeSelf(fault); err != nil {
			return got, err
		}
	}
	r.log.Debug("received", "relay", d.Relay, "new", got.New, "known", got.Known, "denied", got.Denied, "gap", got.Gap)
	r.tally(got)
	return got, nil
}

// receivePulled is Receive of what was pulled from a server.
func (r *Replica) receivePulled(from Peer, changes []changelog.Change) (Receipt, error) {
	return r.Receive(Delivery{Relay: from.SID, RelayRole: from.Role, Pulled: true, Changes: changes})
}

func (r *Replica) tally(got Receipt) {
	r.counters.Received.Add(uint64(got.New))
	r.counters.Duplicates.Add(uint64(got.Known))
	r.counters.Denied.Add(uint64(got.Denied))
	if got.New > 0 {
		r.toApply.raise()
	}
	if got.Gap {
		r.toPull.raise()
	}
	if got.New > 0 || got.Denied > 0 {
		r.changed.raise()
	}
}

func (w *work) receive(c *changelog.Change, d Delivery, got *Receipt) (fault string, err error) {
	switch {
	case c.SID() == w.forked:
		w.r.counters.Rejected.Add(1)
		return "", nil
	case c.SID() == w.r.sid() && !d.RelayRole.Writes():
		w.r.counters.Rejected.Add(1)
		return "", nil
	case c.SID() == w.r.sid():
		return w.receiveOwn(c, got)
	}
	if allowed, err := w.mayMerge(c, d); err != nil || !allowed {
		if err == nil {
			err = w.deny(c, got)
		}
		return "", err
	}
	if early, err := w.isEarly(c, d); err != nil || early {
		got.Gap = got.Gap || early
		return "", err
	}
	future := c.CSN.When().After(w.r.cfg.Now().Add(maxAhead))
	var before changelog.Mark
	if future {
		if before, err = w.Log.Mark(c.SID()); err != nil {
			return "", err
		}
	}
	switch err := w.Append(c); {
	case errors.Is(err, changelog.ErrKnown):
		got.Known++
		return "", w.sameAsKnown(c)
	case errors.Is(err, changelog.ErrGap):
		got.Gap = true
		return "", nil
	case errors.Is(err, changelog.ErrChange):
		w.r.counters.Rejected.Add(1)
		w.r.log.Warn("rejected a change", "error", err)
		return "", nil
	case err != nil:
		return "", err
	}
	got.New++
	if c.JID != "" && bare(c.JID) == bare(w.r.Identity().JID) {
		w.r.retired.Store(false)
		w.r.refills.Add(1) // what was matched did not know of this self
	}
	if err := w.AllowAgain(c.SID(), c.Seq); err != nil {
		return "", err
	}
	if future {
		w.r.log.Warn("a change from the future is kept aside until its time comes", "csn", c.CSN, "dn", c.DN)
		return "", w.Postpone(c, before.CSN)
	}
	return "", w.merge(c)
}

// sameAsKnown looks at a change that is stored already. Another under its number
// shows that its author runs on an old copy of its state file: nothing more is
// taken from it in this delivery.
func (w *work) sameAsKnown(c *changelog.Change) error {
	known, err := w.Log.Get(c.SID(), c.Seq)
	if err != nil || known == nil || known.CSN == c.CSN {
		return err
	}
	w.forked = c.SID()
	w.r.counters.Rejected.Add(1)
	w.r.log.Error("a server gives another change a number that it gave before: it runs on an old copy of its state file", "sid", c.SID(), "seq", c.Seq)
	return nil
}

// receiveOwn looks at a change of our own coming back. One that we never made
// shows that another copy of this state file speaks under our number.
func (w *work) receiveOwn(c *changelog.Change, got *Receipt) (fault string, err error) {
	fault, err = isStrange(w.Tx, c.SID(), changelog.Mark{Seq: c.Seq, CSN: c.CSN})
	if err == nil && fault == "" {
		got.Known++
	}
	return fault, err
}

// mayMerge reports whether a change that d hands over is merged: as roles allow;
// heartbeats, which alter nothing, of every member; and nothing that a server
// which was removed hands over.
func (w *work) mayMerge(c *changelog.Change, d Delivery) (bool, error) {
	if _, removed, err := w.Roster().Removed(d.Relay); err != nil || removed {
		return false, err
	}
	if c.Op == changelog.OpHeartbeat && d.Relay == c.SID() {
		role, known, err := w.roleOf(c.SID())
		return known && role >= roles.ReadOnly, err
	}
	return w.allowed(c.SID(), d)
}

// allowed applies the roles to a change of author that d hands over.
func (w *work) allowed(author changelog.SID, d Delivery) (bool, error) {
	role, known, err := w.roleOf(author)
	if err != nil {
		return false, err
	}
	return roles.Accepts(role, known, d.RelayRole, d.Relay == author), nil
}

// roleOf returns the role of the server with a sid: of one that is online from
// the room, else as last seen.
func (w *work) roleOf(sid changelog.SID) (roles.Role, bool, error) {
	if p, ok := w.r.peerBySID(sid); ok {
		return p.Role, true, nil
	}
	m, ok, err := w.Member(sid)
	if err != nil || !ok {
		return roles.None, false, err
	}
	return remembered(sid, m).Role, true, nil
}

func (w *work) deny(c *changelog.Change, got *Receipt) error {
	mark, err := w.Log.Mark(c.SID())
	if err != nil {
		return err
	}
	if c.Seq <= mark.Seq || w.Denied(c.SID(), c.Seq) {
		got.Known++
		return nil
	}
	if w.DeniedCount() >= maxDenied {
		w.r.counters.Rejected.Add(1)
		return nil
	}
	got.Denied++
	w.r.log.Warn("a change of a server that is not master is kept as denied, not merged", "sid", c.SID(), "seq", c.Seq, "dn", c.DN)
	return w.Deny(c)
}

// maxDenied bounds what servers without the right to write can make us keep.
const maxDenied = 100_000

// isEarly reports whether a change of an entry that is deleted here, or below one, came
// before something that its author had seen, and can be pulled with that: if the entry
// was added again by who had forgotten its deletion, that has to be merged first.
func (w *work) isEarly(c *changelog.Change, d Delivery) (bool, error) {
	if d.Pulled || !c.Op.Alters() {
		return false, nil
	}
	life, err := w.dit.Life(c.ID)
	if err == nil && life != dit.Deleted && !c.Superior.IsZero() {
		life, err = w.dit.Life(c.Superior)
	}
	if err != nil || life != dit.Deleted {
		return false, err
	}
	have, err := w.Log.Seqs()
	if err != nil || have[c.SID()]+1 != c.Seq {
		return false, err
	}
	lacks := false
	for sid, seq := range c.Seen {
		lacks = lacks || !have.Covers(sid, seq)
	}
	return lacks && w.r.isOffered(c), nil
}

// isOffered reports whether some server of the room shows that it has a change.
func (r *Replica) isOffered(c *changelog.Change) bool {
	return slices.ContainsFunc(r.Peers(), func(p Peer) bool { return !p.outside() && p.Vector[c.SID()].Seq >= c.Seq })
}

// mergeDue merges the postponed changes whose time has come near.
func (r *Replica) mergeDue() error {
	n := 0
	err := r.update(func(w *work) error {
		due, err := w.Due(r.cfg.Now().Add(maxAhead), 500)
		if err != nil {
			return err
		}
		n = len(due)
		for _, c := range due {
			if err := w.merge(c); err != nil {
				return err
			}
		}
		return nil
	})
	if n > 0 {
		r.toApply.raise()
	}
	return err
}
