package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/dn"
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
	if r.Identity().Joined {
		return nil
	}
	r.log.Info("this server is the first of the room")
	return r.setIdentity(func(id *store.Identity) { id.Joined, id.Adopted = true, true })
}

// TakeSID gives this server its number, once: the wanted one, or, where that is
// 0, the lowest that no server of the room has ever used.
func (r *Replica) TakeSID(wanted changelog.SID) error {
	if r.Identity().SID != 0 {
		return nil
	}
	members, err := r.members()
	if err != nil {
		return err
	}
	v, err := r.Vector()
	if err != nil {
		return err
	}
	used := func(sid changelog.SID) bool {
		_, member := members[sid]
		_, known := v[sid]
		return member || known
	}
	for sid := changelog.SID(1); wanted == 0 && sid <= changelog.MaxSID; sid++ {
		if !used(sid) {
			wanted = sid
		}
	}
	if wanted == 0 {
		return errors.New("every sid is taken")
	}
	r.log.Info("this server has a number", "sid", uint16(wanted))
	if err := r.setIdentity(func(id *store.Identity) { id.SID = wanted }); err != nil {
		return err
	}
	return r.resetClock()
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
	if id.Joined || !id.SID.Valid() || !r.mayMatch() || !r.caughtUp() {
		return false, nil
	}
	switch err := r.match(ctx); {
	case err == nil && r.clearMismatch():
		return true, r.setIdentity(func(id *store.Identity) { id.Joined = true })
	case errors.Is(err, errMismatch):
		r.mismatch(err.Error())
	case err != nil && ctx.Err() == nil:
		r.setDirectoryError(err)
	}
	return false, nil
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

// caughtUp reports whether a server that is ready is online and no peer has
// anything more for us.
func (r *Replica) caughtUp() bool {
	v, err := r.Vector()
	if err != nil {
		return false
	}
	if _, more := r.bestPeer(v); more {
		return false
	}
	return slices.ContainsFunc(r.Peers(), func(p Peer) bool {
		return p.State == stateReady || p.State == stateBusy || p.State == stateReadOnly
	})
}

var (
	errMismatch = errors.New("this directory cannot join as it is")
	errMatched  = errors.New("matched")
)

// match reads the whole directory and compares it with the room's state before
// anything is written anywhere. Entries are the same by entryUUID only: it
// returns an error that wraps errMismatch when a name is held by another entry
// in the room, or when the room has deleted an entry that is still here, since
// joining never deletes.
func (r *Replica) match(ctx context.Context) error {
	var m matching
	err := r.cfg.Directory.Watch(ctx, nil, func(e directory.Event) error {
		switch e.Kind {
		case directory.RefreshEnd:
			return errMatched
		case directory.State:
			return r.view(func(w *work) error { return m.compare(w, e.Entry) })
		}
		return nil
	})
	if !errors.Is(err, errMatched) {
		return fmt.Errorf("read the directory before joining: %w", err)
	}
	return m.verdict()
}

type matching struct {
	entries, others, deleted int
	other, dead              string
}

func (m *matching) compare(w *work, e *directory.Entry) error {
	m.entries++
	name, err := dn.Parse(e.DN)
	if err != nil {
		return fmt.Errorf("report of %s: %w", e.ID, err)
	}
	life, err := w.dit.Life(e.ID)
	if err != nil {
		return err
	}
	if life == dit.Deleted {
		m.deleted++
		m.dead = e.DN
		return nil
	}
	id, found, err := w.dit.Find(name)
	if found && id != e.ID {
		m.others++
		if m.other == "" {
			m.other = fmt.Sprintf("%s is entry %s here and %s in the room", e.DN, e.ID, id)
		}
	}
	return err
}

func (m *matching) verdict() error {
	switch {
	case m.others > 0:
		return fmt.Errorf("%w: %d of its %d entries have names that other entries hold in the room (%s); "+
			"empty the directory, or load it with slapadd from a slapcat of a server of the room; it is looked at again every half minute", errMismatch, m.others, m.entries, m.other)
	case m.deleted > 0:
		return fmt.Errorf("%w: %d of its %d entries were deleted in the room (%s), and joining never deletes; "+
			"delete them here, or load a newer copy; it is looked at again every half minute", errMismatch, m.deleted, m.entries, m.dead)
	}
	return nil
}

// adopt takes over an entry that both the directory and the room hold. The
// room's state wins; where the directory's differs, it is first written to an
// LDIF file beside the state file.
func (w *work) adopt(now *store.Image) error {
	shown, err := w.dit.View(now.ID)
	if err != nil {
		return err
	}
	want, err := w.wanted(shown)
	if err != nil {
		return err
	}
	if !w.same(want, now) {
		if err := w.keep(now); err != nil {
			return err
		}
	} else {
		now.Newest = want.Newest
	}
	return w.putAndSettle(now)
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
