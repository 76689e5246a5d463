package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/store"
)

// A server that joins and finds that no log reaches back to what it has is
// filled with the state of another, entry by entry, and takes over its vector.
// It goes on from there by pull: facts that came in twice do no harm.

// ErrTrimmed is returned by Network.Pull when the log of the peer no longer
// reaches back to what we have.
var ErrTrimmed = errors.New("the log no longer reaches back that far")

// errNotServing says that this server has no state to hand out.
var errNotServing = errors.New("this server does not take part")

// StatePage is a page of the state of a server.
type StatePage struct {
	// Vector is what the state contained when the page was read, at least.
	Vector changelog.Vector
	// Members are what the first page says about the members, see
	// members.Table.Changes.
	Members []changelog.Change
	// Records are such as dit.State.Export returns, Next is where the next page
	// begins if there is More.
	Records [][]byte
	Next    dit.Mark
	More    bool
}

// ServeSnapshot returns the page of our state behind a mark, nil for the first,
// of about limit octets. When something was forgotten since the page that the
// mark ends, it is the first page again, which the members in it show: what was
// handed out before is of another state, and what was forgotten must not come
// back by putting the two together. While somebody asks, nothing is forgotten.
func (r *Replica) ServeSnapshot(after *dit.Mark, limit int) (page StatePage, err error) {
	if !r.joined() || r.Fault() != "" || !r.looked.Load() {
		return page, errNotServing
	}
	r.servedAt.Store(r.cfg.Now().UnixNano())
	err = r.view(func(w *work) error {
		var at dit.Mark
		merged, err := w.Merged()
		if err != nil {
			return err
		}
		if page.Vector, err = said(w.Tx, merged, r.sid()); err != nil {
			return err
		}
		if page.Vector.Lacks(merged) {
			return errNotServing // the state holds what was not published, and may never be
		}
		forgets, err := w.dit.Forgets()
		if err != nil {
			return err
		}
		if after != nil && generation(after) == forgets {
			at = dit.Mark{ID: after.ID, Within: after.Within[generationSize:]}
		} else if page.Members, err = w.Roster().Changes(); err != nil {
			return err
		}
		page.Records, page.Next, page.More, err = w.dit.Export(at, limit)
		page.Next.Within = append(binary.BigEndian.AppendUint64(nil, forgets), page.Next.Within...)
		return err
	})
	return page, err
}

// generationSize is the length of what precedes the rest in the mark of a page:
// how often the state had forgotten something.
const generationSize = 8

// generation returns that; a mark that has none is of no state.
func generation(m *dit.Mark) uint64 {
	if len(m.Within) < generationSize {
		return math.MaxUint64
	}
	return binary.BigEndian.Uint64(m.Within)
}

// beginSnapshot forgets what has come from the room so far, to be filled anew:
// what others have forgotten since could not be told from what is still true.
func (r *Replica) beginSnapshot() error {
	r.log.Info("no log reaches back far enough; taking over the state of another server")
	err := r.update(func(w *work) error {
		if r.joined() { // meanwhile
			return nil
		}
		return w.refill()
	})
	r.changed.raise()
	return err
}

// refill forgets what came from the room, and with it what joining has matched.
func (w *work) refill() error {
	w.r.refills.Add(1)
	return errors.Join(w.ResetState(w.r.sid()), w.SetSnapshot(&store.Snapshot{}))
}

// snapshot returns the progress of a snapshot, nil when none is being taken.
func (r *Replica) snapshot() (s *store.Snapshot, err error) {
	err = r.cfg.Store.View(func(t *store.Tx) error {
		s, err = t.Snapshot()
		return err
	})
	return s, err
}

// stepSnapshot takes one page. It returns false when nobody can give it.
func (r *Replica) stepSnapshot(ctx context.Context, s *store.Snapshot) (bool, error) {
	r.setCatching(true)
	peer, ok := r.giver(s)
	if !ok {
		return false, nil
	}
	page, err := r.cfg.Network.Snapshot(ctx, peer.JID, nextMark(s, peer))
	if err != nil {
		return false, fmt.Errorf("snapshot from %s: %w", peer.JID, err)
	}
	fault := ""
	err = r.update(func(w *work) error {
		again, err := w.Snapshot()
		if err != nil || again == nil {
			return err
		}
		if again.Vector != nil && (len(page.Members) > 0 || again.SID != peer.SID || again.Install != peer.Install || page.Vector.Lacks(again.Vector)) {
			return w.refill() // also where a copy of the server has taken its place, or an old state
		}
		if again.Vector == nil {
			if err := w.makeWayFor(page.Vector); err != nil {
				return err
			}
		}
		for _, record := range page.Records {
			touched, err := w.dit.Absorb(record)
			if err == nil {
				err = w.mark(touched)
			}
			if err != nil {
				return err
			}
		}
		fault, err = w.takePage(again, peer, page)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("store snapshot of %s: %w", peer.JID, err)
	}
	if fault != "" {
		return false, r.strangeSelf(fault)
	}
	return true, nil
}

// makeWayFor forgets what has come while there was nobody to give a state, where the one
// who does now has it, too, as v says: of that it may have forgotten something since.
func (w *work) makeWayFor(v changelog.Vector) error {
	have, err := w.Log.Vector()
	if err != nil {
		return err
	}
	others := have.Clone()
	delete(others, w.r.sid())
	if !(changelog.Vector{}).Lacks(others) || v.Lacks(others) {
		return nil
	}
	if err := w.ResetState(w.r.sid()); err != nil {
		return err
	}
	w.dit.Reopen(w.KV(), w.rules)
	w.seen, err = w.MergedSeqs()
	return err
}

// giver returns the server to ask for the next page: the one that gave the last,
// if it can, else one that takes part and may write, and has more than others.
func (r *Replica) giver(s *store.Snapshot) (best Peer, ok bool) {
	var most uint64
	for _, p := range r.Peers() {
		if p.outside() || p.State == stateCatching || !p.Role.Writes() {
			continue
		}
		if p.SID == s.SID && p.Install == s.Install {
			return p, true
		}
		has := uint64(1)
		for _, m := range p.Vector {
			has += 2 * m.Seq
		}
		if p.State == stateBusy {
			has--
		}
		if !ok || has > most {
			best, most, ok = p, has, true
		}
	}
	return best, ok
}

// nextMark returns where a peer is to go on, nil for the beginning: that of another
// state than the one begun with.
func nextMark(s *store.Snapshot, p Peer) *dit.Mark {
	if s.Vector == nil || s.SID != p.SID || s.Install != p.Install {
		return nil
	}
	return &dit.Mark{ID: s.After, Within: s.Within}
}

// takePage stores where a page ended, and ends the snapshot with the last one.
func (w *work) takePage(s *store.Snapshot, peer Peer, page StatePage) (fault string, err error) {
	for i := range page.Members {
		if c := &page.Members[i]; c.SID() != w.r.sid() {
			if err := w.Roster().Note(c); err != nil {
				return "", err
			}
		}
	}
	if s.Vector == nil {
		s.Vector = page.Vector
	}
	s.SID, s.Install, s.After, s.Within = peer.SID, peer.Install, page.Next.ID, page.Next.Within
	s.Records += uint64(len(page.Records))
	if page.More {
		return "", w.SetSnapshot(s)
	}
	w.r.log.Info("took over the state of another server", "records", s.Records, "vector", s.Vector.String())
	if fault, err = w.takeVector(s.Vector); fault != "" || err != nil {
		return fault, err
	}
	return "", w.SetSnapshot(nil)
}

// takeVector makes the log begin behind a vector that the state contains. A server of
// which that has no change was only in the room, and is no member by it: those who
// have the changes do not wait for it either.
func (w *work) takeVector(v changelog.Vector) (fault string, err error) {
	self := w.r.sid()
	if fault, err := isStrange(w.Tx, self, v[self]); err != nil || fault != "" {
		return fault, err
	}
	for _, sid := range v.SIDs() {
		have, err := w.Log.Mark(sid)
		if err == nil {
			err = w.Log.Know(sid)
		}
		if err == nil && v[sid].Seq > 0 {
			err = w.Roster().Know(sid)
		}
		switch {
		case err != nil:
			return "", err
		case v[sid].Seq <= have.Seq:
			continue
		}
		for n := 1; n > 0; {
			if n, err = w.Log.Trim(sid, have.Seq, 1000); err != nil {
				return "", err
			}
		}
		if err := w.Log.Begin(sid, v[sid]); err != nil {
			return "", err
		}
	}
	return "", nil
}
