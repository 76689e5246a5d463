package replica

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/ldif"
	"ldapsync/store"
)

// The words by which presence says what a server is doing. Waiting and joining
// are those of one that does not take part yet.
const (
	stateWaiting  = "waiting"
	stateJoining  = "joining"
	stateCatching = "catching-up"
	stateReady    = "ready"
	stateReadOnly = "read-only"
	stateBusy     = "busy"
	stateRefused  = "refused"
)

// Found says that this server is the first of its room: what its directory
// holds is where the suffix begins.
func (r *Replica) Found() error {
	r.mu.Lock()
	r.founder = true
	r.mu.Unlock()
	if r.joined() {
		return nil
	}
	r.log.Info("this server is the first of the room")
	return r.setIdentity(func(id *store.Identity) { id.Joined, id.Adopted = true, true })
}

// TakeSID gives this server its number, once: the wanted one, or, where that is
// 0 or some server of the room had it before, one that none ever used. One
// that a server of the room has now is taken, and found out later: see clash.
func (r *Replica) TakeSID(wanted changelog.SID) error {
	id := r.Identity()
	if id.SID != 0 {
		return nil
	}
	used, err := r.usedSIDs()
	if err != nil {
		return err
	}
	sid := wanted
	if _, here := r.peerBySID(wanted); wanted != 0 && used(wanted) && !here {
		r.log.Warn("the sid was used in this room before; taking a free one", "sid", uint16(wanted))
		sid = 0
	}
	if wanted != 0 {
		if err := r.setIdentity(func(id *store.Identity) { id.Wanted = wanted }); err != nil {
			return err
		}
	}
	if sid == 0 {
		if sid, err = r.freeSID(0); err != nil {
			return err
		}
	}
	return r.assume(sid, func(*store.Tx) error { return nil })
}

// freeSID returns a number that no server ever used, but for one: the lowest, or
// one that others would hardly choose where servers are away. These may have seen
// others come, and of two that have joined under one number what one of them did is
// lost to those who stored what the other did.
func (r *Replica) freeSID(except changelog.SID) (changelog.SID, error) {
	used, err := r.usedSIDs()
	if err != nil {
		return 0, err
	}
	first, err := r.firstSID()
	if err != nil {
		return 0, err
	}
	for n := range changelog.MaxSID {
		if sid := (first-1+n)%changelog.MaxSID + 1; sid != except && !used(sid) {
			return sid, nil
		}
	}
	return 0, errors.New("every sid is taken")
}

// firstSID returns the number to try first.
func (r *Replica) firstSID() (changelog.SID, error) {
	known, err := r.members()
	if err != nil {
		return 0, err
	}
	id := r.Identity()
	for _, p := range r.Peers() {
		delete(known, p.SID)
	}
	delete(known, id.SID)
	delete(known, id.Wanted)
	err = r.view(func(w *work) error {
		for sid := range known {
			if _, removed, err := w.Roster().Removed(sid); err != nil || removed || id.Return.Has(sid) || slices.Contains(id.Spoken, sid) {
				delete(known, sid)
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil || len(known) == 0 {
		return 1, err
	}
	h := fnv.New32a()
	h.Write([]byte(id.Install))
	return changelog.SID(h.Sum32()%uint32(changelog.MaxSID)) + 1, nil
}

// usedSIDs tells which numbers another server has or had, or this one asked for.
func (r *Replica) usedSIDs() (used func(changelog.SID) bool, err error) {
	members, err := r.members()
	if err != nil {
		return nil, err
	}
	v, err := r.Vector()
	if err != nil {
		return nil, err
	}
	wanted := r.Identity().Wanted
	return func(sid changelog.SID) bool {
		_, known := v[sid]
		return members[sid] || known || sid == wanted
	}, nil
}

// members returns every other server the store or the peers' vectors know of.
func (r *Replica) members() (map[changelog.SID]bool, error) {
	out := map[changelog.SID]bool{}
	for _, p := range r.Peers() {
		out[p.SID] = true
		for sid := range p.Vector {
			out[sid] = true
		}
	}
	err := r.cfg.Store.View(func(t *store.Tx) error {
		m, err := t.Members()
		for sid := range m {
			out[sid] = true
		}
		return err
	})
	return out, err
}

// join waits until this server takes part: see StepJoin.
func (r *Replica) join(ctx context.Context) error {
	for {
		joined, err := r.StepJoin(ctx)
		if joined || err != nil {
			return err
		}
		if !r.wait(ctx, r.joinRetry(), nil) {
			return ctx.Err()
		}
	}
}

// StepJoin reports whether this server has a number and may speak for its
// directory: it founded the room, or has caught up with a server that is ready
// and found nothing in its directory that stands in the way. Until then it may
// only pull; the other pumps wait.
func (r *Replica) StepJoin(ctx context.Context) (joined bool, err error) {
	id := r.Identity()
	if id.Joined && id.SID.Valid() && r.Fault() == "" {
		return true, nil
	}
	if id.Joined || !id.SID.Valid() || !r.mayMatch() {
		return false, nil
	}
	if !r.caughtUp() {
		return false, r.lookForEstranged()
	}
	if err := r.mergeDueIfAny(); err != nil {
		return false, err
	}
	switch m, err := r.matchOnce(ctx); {
	case err == nil && r.clearMismatch():
		known, err := r.greet()
		if err != nil || !known || !r.caughtUp() {
			return false, err
		}
		// The hello said of nothing that it is in the directory.
		if err := r.cfg.Store.Update(func(t *store.Tx) error { return t.SetNews(true) }); err != nil {
			return false, err
		}
		return r.enter(m)
	case errors.Is(err, errMismatch):
		r.mismatch(err.Error())
	case err != nil && ctx.Err() == nil:
		r.setDirectoryError(err)
	}
	return false, nil
}

// matchOnce is match, or what it found before in the same state: while others hear
// of us, the directory need not be read again.
func (r *Replica) matchOnce(ctx context.Context) (*matching, error) {
	if r.matched != nil && r.matched.refills == r.refills.Load() {
		return r.matched, nil
	}
	m, err := r.match(ctx)
	if err == nil {
		r.matched = m
	}
	return m, err
}

// joinRetry is how long to wait before looking again whether to join; matching
// reads the whole directory.
func (r *Replica) joinRetry() time.Duration {
	if r.Fault() != "" {
		return 30 * time.Second
	}
	return 200 * time.Millisecond
}

// mismatch refuses to join with the directory as it is; looking again may find
// it mended.
func (r *Replica) mismatch(why string) {
	r.refuse(why, false)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mismatched = r.fault == why
}

// mayMatch reports whether nothing but an earlier mismatch keeps this server
// from joining.
func (r *Replica) mayMatch() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault == "" || r.mismatched
}

// clearMismatch forgets an earlier mismatch; false when there is another reason
// not to join.
func (r *Replica) clearMismatch() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault != "" && !r.mismatched {
		return false
	}
	r.fault, r.mismatched = "", false
	return true
}

// caughtUp reports whether a server is ready that may hand over what it has, and
// no peer has anything more for us.
func (r *Replica) caughtUp() bool {
	v, err := r.Vector()
	if err != nil {
		return false
	}
	if _, more := r.bestPeer(v); more {
		return false
	}
	if s, err := r.snapshot(); s != nil || err != nil {
		return false
	}
	return slices.ContainsFunc(r.Peers(), func(p Peer) bool {
		return (p.State == stateReady || p.State == stateBusy) && p.Role.Writes()
	})
}

// lookForEstranged refuses to join while somebody isEstranged.
func (r *Replica) lookForEstranged() error {
	why, err := r.isEstranged()
	if err != nil {
		return err
	}
	if why != "" {
		r.mismatch(why)
	} else if r.Fault() == r.estranged {
		r.clearMismatch()
	}
	r.estranged = why
	return nil
}

// isEstranged names a server that takes part of which what was read here says that it was
// removed, where nobody who takes part has read that, "" for none: what it does from now
// on is not taken, and nobody may take from here what would tell it.
func (r *Replica) isEstranged() (why string, err error) {
	peers := r.Peers()
	err = r.view(func(w *work) error {
		for _, p := range peers {
			first, removed, err := w.Roster().Removed(p.SID)
			if err != nil {
				return err
			}
			heard := func(o Peer) bool { return !o.outside() && o.Vector[first.By].Seq >= first.Seq }
			if removed && !p.outside() && !slices.ContainsFunc(peers, heard) {
				why = fmt.Sprintf("%s (sid %d) takes part, but was removed, by a change of sid %d that nobody else has now: bring one back that has, "+
					"or, if there is none, run 'ldapsync init --again' while the daemon is stopped", p.JID, p.SID, first.By)
				return nil
			}
		}
		return nil
	})
	return why, err
}

// keep has the state of an entry written down.
func (w *work) keep(now *store.Image) error {
	rec := &ldif.Record{DN: w.spell(now)}
	for _, a := range now.Attrs {
		rec.Attrs = append(rec.Attrs, ldif.Attribute{Name: a.Name, Values: a.Values})
	}
	w.r.log.Warn("an entry differs from the room's; its state here is kept as LDIF and replaced", "dn", rec.DN)
	if err := w.r.cfg.Keep(rec); err != nil {
		return fmt.Errorf("keep what joining replaces: %w", err)
	}
	return nil
}
