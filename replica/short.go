package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/store"
)

// patience is how long a server that lacks what no log of those here reaches back
// to waits for members that are away.
const patience = 24 * time.Hour

// noteShort notes that the log of a server does not reach back to v.
func (r *Replica) noteShort(p Peer, v changelog.Vector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for install := range r.short {
		if !slices.ContainsFunc(r.peers, func(p Peer) bool { return p.Install == install }) {
			delete(r.short, install)
		}
	}
	if len(r.short) == 0 {
		r.shortSince = r.cfg.Now()
	}
	r.short[p.Install] = v.Clone()
}

// isShort reports whether the log of a server did not reach back to v; what this
// server made since has nothing to do with it.
func (r *Replica) isShort(p Peer, v changelog.Vector) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	had, ok := r.short[p.Install]
	if !ok || len(had) != len(v) {
		return false
	}
	for sid, m := range v {
		if sid != r.identity.SID && had[sid].Seq != m.Seq {
			return false
		}
	}
	return true
}

// trimmed deals with a peer whose log no longer reaches back to what we have.
// What a server lacks that has joined is kept for it until it is removed, but not
// by all: the log of one that was filled by a snapshot begins there. Where all who
// kept it have lost it, this one begins anew, from what it has. It returns whether
// there is something to go on with.
func (r *Replica) trimmed(ctx context.Context, peer Peer) (bool, error) {
	v, err := r.Vector()
	if err != nil {
		return false, err
	}
	id := r.Identity()
	if !id.Joined {
		return r.fill(ctx, peer, v)
	}
	if r.knownOfUs() > v[id.SID].Seq {
		return false, nil // the state file is an old copy: see compareSelf
	}
	r.log.Warn("the log of a server does not reach back to what this one has; looking for another", "peer", peer.JID)
	r.noteShort(peer, v)
	if left, err := r.mayReachBack(v); left || err != nil {
		return left, err
	}
	if got, err := r.askOthers(ctx, v); got || err != nil {
		return got, err
	}
	if !r.hasAll(peer, v) {
		return false, nil
	}
	return false, r.outlived("no log of the room reaches back to what this server has")
}

// fill begins a snapshot where no other log reaches back to v either. One that does may
// be that of the very server which gave the last: the state of one that keeps changes of
// the future aside does not contain them, and other logs begin behind them.
func (r *Replica) fill(ctx context.Context, peer Peer, v changelog.Vector) (bool, error) {
	for _, p := range r.Peers() {
		if p.JID == peer.JID || p.outside() || r.shutsOut(p) || r.gain(v, &p) == 0 {
			continue
		}
		changes, _, err := r.cfg.Network.Pull(ctx, p.JID, v.Seqs())
		if err != nil {
			r.log.Debug("cannot be pulled from, or its log is too short, too", "peer", p.JID, "error", err)
			continue
		}
		got, err := r.receivePulled(p, changes)
		if err != nil || got.New > 0 {
			return true, err
		}
	}
	if g, ok := r.giver(&store.Snapshot{}); !ok || !r.hasMore(&g, v) {
		return false, nil // who has more is not ready yet
	}
	return true, r.beginSnapshot()
}

// hasMore reports whether a server has something of others that v lacks.
func (r *Replica) hasMore(p *Peer, v changelog.Vector) bool {
	self := r.sid()
	for sid, m := range p.Vector {
		if sid != self && m.Seq > v[sid].Seq {
			return true
		}
	}
	return false
}

// hasAll reports whether a server that takes part has all of v but for what this one
// made: of two that lack something of each other's, not both may begin anew.
func (r *Replica) hasAll(p Peer, v changelog.Vector) bool {
	if p.outside() || !p.Role.Writes() {
		return false
	}
	for sid, m := range v {
		if sid != r.sid() && p.Vector[sid].Seq < m.Seq {
			return false
		}
	}
	return true
}

// mayReachBack reports whether some member may have what follows on v: one that
// is away and has not been removed, or offers it. One whose account is there, or
// ours, under another sid has lost its log.
func (r *Replica) mayReachBack(v changelog.Vector) (may bool, err error) {
	if _, more := r.bestPeer(v); more {
		return true, nil
	}
	accounts := map[string]bool{bare(r.Identity().JID): true}
	for _, p := range r.Peers() {
		accounts[bare(p.JID)] = true
	}
	err = r.view(func(w *work) error {
		list, err := w.Roster().Members()
		for _, m := range list {
			if _, here := r.peerBySID(m.SID); here || accounts[bare(m.JID)] || m.SID == r.sid() {
				continue
			}
			_, removed, err := w.Roster().Removed(m.SID)
			if err != nil {
				return err
			}
			may = may || !removed
		}
		return err
	})
	return may, err
}

// askOthers pulls from those that offer nothing which follows on v, since what they
// show may be old, and reports whether there was something.
func (r *Replica) askOthers(ctx context.Context, v changelog.Vector) (got bool, err error) {
	for _, p := range r.Peers() {
		if p.outside() || r.isShort(p, v) || r.shutsOut(p) {
			continue
		}
		changes, _, err := r.cfg.Network.Pull(ctx, p.JID, v.Seqs())
		var removed *RemovedError
		if errors.As(err, &removed) {
			return false, r.removedBy(p, removed)
		}
		if err != nil && !errors.Is(err, ErrTrimmed) {
			return false, fmt.Errorf("pull from %s: %w", p.JID, err)
		}
		receipt, err := r.receivePulled(p, changes)
		if err != nil || receipt.New > 0 {
			return true, err
		}
	}
	return false, nil
}

// shortFor returns for how long no log of those here has reached back to v, though
// some have more, and whether one of them has all of v, see hasAll; false when some
// other may do.
func (r *Replica) shortFor(v changelog.Vector) (waited time.Duration, all, short bool) {
	r.mu.Lock()
	none := len(r.short) == 0
	r.mu.Unlock()
	if none {
		return 0, false, false
	}
	for _, p := range r.Peers() {
		if r.isShort(p, v) && r.gain(v, &p) > 0 {
			short, all = true, all || r.hasAll(p, v)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !short {
		clear(r.short)
	}
	return r.cfg.Now().Sub(r.shortSince), all, short
}

// Short returns what Status says of it, at less cost.
func (r *Replica) Short() (short bool, err error) {
	if !r.joined() {
		return false, nil
	}
	v, err := r.Vector()
	if err == nil {
		_, _, short = r.shortFor(v)
	}
	return short, err
}

// endShort begins anew where nobody is left to ask and those that are away have
// not come back for a day: that they were removed may be among what we lack.
func (r *Replica) endShort(ctx context.Context, v changelog.Vector) (got bool, err error) {
	id := r.Identity()
	waited, all, short := r.shortFor(v)
	if !short || !all || waited < patience || !id.Joined || r.Fault() != "" || r.knownOfUs() > v[id.SID].Seq {
		return false, nil
	}
	if got, err := r.askOthers(ctx, v); got || err != nil {
		return got, err
	}
	return false, r.outlived("no log of the room reaches back to what this server has, and nobody who was away has come back for a day")
}
