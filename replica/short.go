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
	if lacksOfOthers(peer.Vector, v, id.SID) || !r.yieldsTo(peer, v) {
		return false, nil // see endShort
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
	return lacksOfOthers(v, p.Vector, r.sid())
}

// lacksOfOthers reports whether theirs reaches further than ours for some server but one.
func lacksOfOthers(ours, theirs changelog.Vector, but changelog.SID) bool {
	for sid, m := range theirs {
		if sid != but && m.Seq > ours[sid].Seq {
			return true
		}
	}
	return false
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

// yieldsTo reports whether of two that lack for good what the other has it is this one
// that begins anew: the one of which the other has all but what it made, or else that
// with fewer changes, or as many and the higher number. A server shows no more than it
// has, so of any that begin anew at the same time another is left to fill them.
func (r *Replica) yieldsTo(p Peer, v changelog.Vector) bool {
	if p.outside() || !p.Role.Writes() {
		return false
	}
	if !r.Role().Writes() {
		return true
	}
	lacks, lacking := lacksOfOthers(v, p.Vector, p.SID), lacksOfOthers(p.Vector, v, r.sid())
	if lacks != lacking {
		return lacks
	}
	theirs, ours := count(p.Vector), count(v)
	return theirs > ours || theirs == ours && p.SID < r.sid()
}

// count returns how many changes there are up to v.
func count(v changelog.Vector) (n uint64) {
	for _, m := range v {
		n += m.Seq
	}
	return n
}

// shortFor returns for how long no log of those here has reached back to v, though
// some have more, and whether this server yieldsTo one of them; false when some other
// may do.
func (r *Replica) shortFor(v changelog.Vector) (waited time.Duration, yields, short bool) {
	r.mu.Lock()
	none := len(r.short) == 0
	r.mu.Unlock()
	if none {
		return 0, false, false
	}
	for _, p := range r.Peers() {
		if r.isShort(p, v) && r.gain(v, &p) > 0 {
			short, yields = true, yields || r.yieldsTo(p, v)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg.Now().Sub(r.shortSince), yields, short
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

// endShort, of a server to which no other offers what it can pull, begins anew where
// those that are away have not come back for a day: that they were removed may be among
// what we lack. The day is also for a server that lacks what only this one has: others
// may have it, and what follows on that.
func (r *Replica) endShort(ctx context.Context, v changelog.Vector) (got bool, err error) {
	id := r.Identity()
	waited, yields, short := r.shortFor(v)
	if !short {
		r.mu.Lock()
		clear(r.short)
		r.mu.Unlock()
		return false, nil
	}
	if !yields || waited < patience || !id.Joined || r.Fault() != "" || r.knownOfUs() > v[id.SID].Seq {
		return false, nil
	}
	if got, err := r.askOthers(ctx, v); got || err != nil {
		return got, err
	}
	return false, r.outlived("no log of the room reaches back to what this server has, and nobody who was away has come back for a day")
}
