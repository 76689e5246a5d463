package replica

import (
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/dn"
	"ldapsync/ldif"
)

// A server that was removed and comes back must not mix what it has with what
// the others have forgotten meanwhile. It steps back, and writes down what it
// has to say that the room does not know.

// RemovedError is returned by Network.Pull when the peer says that this server
// was removed from the members.
type RemovedError struct {
	CSN changelog.CSN
	// Own says that this server begins anew: it was a later install of the same
	// account that did so, so that this state file is an old copy, or a server that
	// had heard no more than hello under its number, said hello under it, too, and
	// gave it up.
	Own bool
}

func (e *RemovedError) Error() string { return "removed at " + e.CSN.String() }

// RemovedAt returns when the server with a full JID, and the number it says to
// have, was removed from the members; nil when it was not.
func (r *Replica) RemovedAt(jid string, sid changelog.SID) (gone *RemovedError, err error) {
	err = r.view(func(w *work) (err error) {
		gone, err = w.removal(sid, jid)
		return err
	})
	return gone, err
}

// removal returns when the server with a number and account was removed from the
// members, nil when it was not.
func (w *work) removal(sid changelog.SID, jid string) (*RemovedError, error) {
	removal, removed, err := w.Roster().Removed(sid)
	if err != nil || !removed {
		return nil, err
	}
	by, err := w.Roster().Member(removal.By)
	return &RemovedError{CSN: removal.CSN, Own: removal.Had == 1 || bare(by.JID) == bare(jid)}, err
}

// leaveIfRemoved steps back when the log says that this server was removed, or has
// returned under another sid.
func (r *Replica) leaveIfRemoved() (removed bool, err error) {
	var gone *RemovedError
	var later changelog.SID
	err = r.view(func(w *work) (err error) {
		id := r.Identity()
		if gone, err = w.removal(id.SID, id.JID); err == nil && gone == nil {
			later, err = w.laterSelf()
		}
		return err
	})
	switch {
	case err != nil:
		return false, err
	case gone != nil:
		return true, r.removed(gone)
	case later != 0:
		return true, r.outlived(fmt.Sprintf("the state file is older than the return of this server under sid %d", later))
	}
	return false, nil
}

// laterSelf returns the sid under which this server has returned since its state
// file was copied, though it could not remove this one; 0 for none.
func (w *work) laterSelf() (changelog.SID, error) {
	id := w.r.Identity()
	others, err := w.Roster().Of(bare(id.JID))
	if err != nil {
		return 0, err
	}
	others = slices.DeleteFunc(others, func(sid changelog.SID) bool {
		return sid == id.SID || id.Return.Has(sid) || slices.Contains(id.Spoken, sid)
	})
	if len(others) == 0 {
		return 0, nil
	}
	v, err := w.Log.Vector()
	if err != nil {
		return 0, err
	}
	for _, sid := range others {
		later, err := w.isLater(sid, v)
		if err != nil {
			return 0, err
		}
		if !later {
			continue
		}
		if _, removed, err := w.Roster().Removed(sid); err != nil || !removed {
			return sid, err
		}
	}
	return 0, nil
}

// isLater reports whether a number of our account is that of a later self. Who has
// heard of us is no earlier one; nor is who has joined and said something since this
// server, which has joined, too, said the first that is known of it, be it with a
// directory of which it could not say that it contains anything of ours.
func (w *work) isLater(sid changelog.SID, v changelog.Vector) (bool, error) {
	id := w.r.Identity()
	last, err := w.Roster().Beat(sid, v)
	if err != nil || last != nil && last.Seen[id.SID] > 0 {
		return err == nil, err
	}
	if !id.Joined || v[sid].Seq <= 1 {
		return false, nil
	}
	if shown, known, err := w.Member(sid); err != nil || known && bare(shown.JID) != bare(id.JID) {
		return false, err // it has said hello under it, too, and goes on
	}
	first, err := w.firstSaid()
	return !v[sid].CSN.Before(first), err
}

// firstSaid returns the time of the oldest change of this server that is known.
func (w *work) firstSaid() (changelog.CSN, error) {
	self := w.r.sid()
	first, found, err := w.Log.Oldest(self)
	if err == nil && !found {
		first, err = w.Log.Mark(self)
	}
	return first.CSN, err
}

// removedBy deals with the answer of a server that this one was removed. One that may
// not write is not believed, and asked nothing more: one that may will say so, too.
func (r *Replica) removedBy(p Peer, gone *RemovedError) error {
	if p.Role.Writes() {
		return r.removed(gone)
	}
	r.log.Warn("a server that may not write says that this one was removed; asking others", "peer", p.JID)
	r.mu.Lock()
	defer r.mu.Unlock()
	for install := range r.shutOut {
		if !slices.ContainsFunc(r.peers, func(p Peer) bool { return p.Install == install }) {
			delete(r.shutOut, install)
		}
	}
	r.shutOut[p.Install] = r.identity.SID
	return nil
}

// shutsOut reports whether a server need not be asked for what it has: see removedBy.
func (r *Replica) shutsOut(p Peer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	sid, said := r.shutOut[p.Install]
	return said && sid == r.identity.SID && !p.Role.Writes()
}

// isShutOut reports whether a server of the room says that this one was removed: what
// that has is lacking here.
func (r *Replica) isShutOut() bool {
	r.mu.Lock()
	shut := len(r.shutOut) > 0
	r.mu.Unlock()
	return shut && slices.ContainsFunc(r.Peers(), r.shutsOut)
}

// removed deals with having been removed: by an administrator, or by ourselves,
// who have returned under another number since this state file was copied. A server
// that has said no more than hello takes another number: one that gave up the same
// has removed it.
func (r *Replica) removed(gone *RemovedError) error {
	if gone.Own {
		return r.outlived(fmt.Sprintf("sid %d was %s by a later state of this server, or by one that gave up the same", r.sid(), gone))
	}
	v, err := r.Vector()
	if err != nil {
		return err
	}
	if self := r.sid(); !r.joined() && v[self].Seq <= 1 {
		return r.anotherSID(fmt.Sprintf("sid %d was %s", self, gone))
	}
	return r.leave(gone.Error())
}

// leave steps back for good, as soon as all that clients have written to the
// directory is known, and writes down the changes of this server that no other
// server of the room has shown to have.
func (r *Replica) leave(why string) error {
	if r.Fault() != "" || r.joined() && !r.hasFollowed() {
		return nil
	}
	why += ", re-join needed: run 'ldapsync init --again' while the daemon is stopped"
	if r.cfg.Unseen == nil {
		r.refuse(why, true)
		return nil
	}
	known := r.knownOfUs()
	count := 0
	file, err := r.cfg.Unseen(func(out func(*ldif.Record) error) error {
		count = 0
		return r.view(func(w *work) error { return w.unseen(known, func(rec *ldif.Record) error { count++; return out(rec) }) })
	})
	if err != nil {
		return fmt.Errorf("write down what the room has not: %w", err)
	}
	if count > 0 {
		why += fmt.Sprintf("; its %d changes that the room has not are in %s", count, file)
	}
	r.refuse(why, true)
	return nil
}

func (r *Replica) hasFollowed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.followed
}

// knownOfUs returns how far any server of the room has our changes.
func (r *Replica) knownOfUs() (seq uint64) {
	self := r.sid()
	for _, p := range r.Peers() {
		seq = max(seq, p.Vector[self].Seq)
	}
	return seq
}

// unseen calls out with our own changes beyond seq, as change records.
func (w *work) unseen(seq uint64, out func(*ldif.Record) error) error {
	var failed error
	err := w.Log.After(w.r.sid(), seq, func(c *changelog.Change) bool {
		if rec := w.changeRecord(c); rec != nil {
			failed = out(rec)
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

// changeRecord returns a change as LDIF (RFC 2849), nil for one that alters no
// entry.
func (w *work) changeRecord(c *changelog.Change) *ldif.Record {
	rec := &ldif.Record{DN: c.DN}
	switch c.Op {
	case changelog.OpAdd:
		rec.Change = ldif.Add
		for _, m := range c.Mods {
			rec.Attrs = append(rec.Attrs, ldif.Attribute{Name: m.Attr, Values: m.Values})
		}
	case changelog.OpModify:
		rec.Change = ldif.Modify
		for _, m := range c.Mods {
			rec.Mods = append(rec.Mods, ldif.Mod{Op: ldif.ModOp(m.Op.String()), Attr: m.Attr, Values: m.Values})
		}
	case changelog.OpDelete:
		rec.Change = ldif.Delete
	case changelog.OpModDN:
		rec.Change, rec.NewRDN, rec.DeleteOldRDN = ldif.ModDN, c.RDN, c.DeleteOldRDN
		if name, err := dn.Parse(c.DN); rec.NewRDN == "" && err == nil && len(name) > 0 {
			rec.NewRDN = name[0].String()
		}
		if c.Moved {
			superior := w.superiorName(c.Superior)
			rec.NewSuperior = &superior
		}
	default:
		return nil
	}
	return rec
}

// superiorName returns the DN of an entry as the directory or the view has it,
// "" when neither has it any more.
func (w *work) superiorName(id changelog.ID) string {
	if name, ok := w.nameOf(id); ok {
		return name
	}
	name, _, err := w.dit.DN(id)
	if err != nil {
		return ""
	}
	return name.String()
}
