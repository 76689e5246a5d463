package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/roles"
	"ldapsync/store"
)

// pageChanges and pageBytes bound what one step of publish or one page of a
// pull takes out of the log.
const (
	pageChanges = 2000
	pageBytes   = 1 << 20
)

// Unpublished returns the next of our own changes that the XMPP server has not
// acknowledged, in order and of bounded size.
func (r *Replica) Unpublished() ([]changelog.Change, error) {
	at := asOf(r.cfg.Store)
	if r.published.holds(at) {
		return nil, nil
	}
	sid := r.sid()
	var page page
	err := r.cfg.Store.View(func(t *store.Tx) error {
		upTo := t.Published()
		if last, err := t.Log.Mark(sid); err != nil || last.Seq <= upTo {
			return err
		}
		return t.Log.After(sid, upTo, page.add)
	})
	if err == nil && len(page.changes) == 0 {
		r.published.note(at)
	}
	return page.changes, err
}

// Acknowledged notes that the XMPP server has our changes up to seq.
func (r *Replica) Acknowledged(seq uint64) error {
	err := r.cfg.Store.Update(func(t *store.Tx) error {
		if seq <= t.Published() {
			return nil
		}
		r.counters.Published.Add(seq - t.Published())
		return t.SetPublished(seq)
	})
	if err == nil {
		r.acked.Store(max(seq, r.acked.Load()))
		r.changed.raise()
	}
	return err
}

// StepPublish hands the network what waits. It returns false when nothing
// waited, or when the others, or what was published last, have not been looked at
// yet: they may show that our state file is an old copy.
func (r *Replica) StepPublish(ctx context.Context) (bool, error) {
	if r.Fault() != "" || !r.met.Load() {
		return false, nil
	}
	if looked, err := r.lookBack(ctx); !looked || err != nil {
		return false, err
	}
	changes, err := r.Unpublished()
	if err != nil || !r.mayPublish(changes) {
		return false, err
	}
	before, err := r.offer(changes[len(changes)-1].Seq)
	if err != nil {
		return false, fmt.Errorf("store what is about to be published: %w", err)
	}
	acked, err := r.cfg.Network.Publish(ctx, changes)
	if errors.Is(err, ErrUnread) {
		r.NewSession()
		return true, r.cfg.Store.Update(func(t *store.Tx) error { return t.SetOffered(before) })
	}
	r.log.Debug("published", "from", changes[0].Seq, "to", changes[len(changes)-1].Seq, "acknowledged", acked)
	if acked > 0 {
		if err := r.Acknowledged(acked); err != nil {
			return false, fmt.Errorf("store what was published: %w", err)
		}
	}
	if err != nil {
		r.looked.Store(false) // more may have been published than was acknowledged
	}
	return err == nil, err
}

// mayPublish reports whether there is something that others would take: from a
// server that may not write, heartbeats.
func (r *Replica) mayPublish(changes []changelog.Change) bool {
	alters := func(c changelog.Change) bool { return c.Op != changelog.OpHeartbeat }
	return len(changes) > 0 && (r.Role().Writes() || r.Role() == roles.ReadOnly && !slices.ContainsFunc(changes, alters))
}

// Serve returns a page of the changes that a copy reaching as far as have
// lacks, by ascending CSN, of about limit octets before compression; more says that there are
// further ones. Of our own there are only such as were published. It returns an error
// that wraps ErrTrimmed when the log no longer reaches back far enough.
func (r *Replica) Serve(have changelog.Seqs, limit int) (changes []changelog.Change, more bool, err error) {
	page := page{limit: limit}
	self := r.sid()
	err = r.cfg.Store.View(func(t *store.Tx) error {
		return t.Log.Since(have, changelog.Seqs{self: t.Published()}, page.add)
	})
	if errors.Is(err, changelog.ErrGap) {
		err = fmt.Errorf("%w: %w", ErrTrimmed, err)
	}
	return page.changes, page.full, err
}

// page collects changes up to the bounds.
type page struct {
	changes []changelog.Change
	bytes   int
	full    bool
	// limit is the most octets, pageBytes when 0.
	limit int
}

func (p *page) add(c *changelog.Change) bool {
	if p.full = len(p.changes) >= pageChanges || p.bytes >= cmp.Or(p.limit, pageBytes); p.full {
		return false
	}
	p.changes = append(p.changes, *c)
	p.bytes += 100 + len(c.DN)
	for _, m := range c.Mods {
		for _, v := range m.Values {
			p.bytes += len(v) + 10
		}
	}
	return true
}

// StepPull is one step of catching up: a page from the best peer. It returns
// false when no peer has anything we lack and may take. A server whose directory
// cannot join as it is goes on, so that it can when it has been mended.
func (r *Replica) StepPull(ctx context.Context) (bool, error) {
	if !r.mayMatch() {
		return false, nil
	}
	if at := asOf(r.cfg.Store); !r.pullsOnly.holds(at) {
		if removed, err := r.leaveIfRemoved(); removed || err != nil {
			return false, err
		}
		s, err := r.snapshot()
		if err != nil {
			return false, err
		}
		if s != nil {
			return r.stepSnapshot(ctx, s)
		}
		r.pullsOnly.note(at)
	}
	v, err := r.Vector()
	if err != nil {
		return false, err
	}
	peer, ok := r.bestPeer(v)
	r.setCatching(ok || r.isShutOut())
	if !ok {
		return r.endShort(ctx, v)
	}
	r.log.Debug("pulling", "peer", peer.JID, "have", v.String(), "offered", peer.Vector.String())
	changes, more, err := r.cfg.Network.Pull(ctx, peer.JID, v.Seqs())
	var removed *RemovedError
	if errors.As(err, &removed) {
		return !peer.Role.Writes(), r.removedBy(peer, removed)
	}
	if errors.Is(err, ErrTrimmed) {
		return r.trimmed(ctx, peer)
	}
	if err != nil {
		return false, fmt.Errorf("pull from %s: %w", peer.JID, err)
	}
	got, err := r.receivePulled(peer, changes)
	if err != nil {
		return false, err
	}
	if got.New == 0 && !more {
		return false, nil
	}
	return got.New > 0, nil
}

func (r *Replica) setCatching(on bool) {
	r.mu.Lock()
	change := r.catching != on
	r.catching = on
	r.mu.Unlock()
	if change {
		r.changed.raise()
	}
}

// bestPeer returns the peer that offers the most of what v lacks and we may
// take from it, one that is not busy first.
func (r *Replica) bestPeer(v changelog.Vector) (best Peer, ok bool) {
	var most uint64
	peers := r.Peers()
	for i := range peers {
		p := &peers[i]
		gain := r.gain(v, p)
		if gain == 0 || p.outside() || r.isShort(*p, v) || r.shutsOut(*p) {
			continue
		}
		if p.State != stateBusy {
			gain += 1 << 62
		}
		if gain > most || gain == most && p.JID < best.JID {
			best, most, ok = *p, gain, true
		}
	}
	return best, ok
}

// gain counts the changes that v lacks and p may hand over.
func (r *Replica) gain(v changelog.Vector, p *Peer) (n uint64) {
	if !r.hasMore(p, v) {
		return 0
	}
	n, err := r.allowedGain(v, p.Vector, Delivery{Relay: p.SID, RelayRole: p.Role})
	if err != nil {
		r.log.Error("compare vectors", "error", err)
	}
	return n
}

// allowedGain counts the changes of others within theirs that v lacks and may be
// taken by way of d.
func (r *Replica) allowedGain(v, theirs changelog.Vector, d Delivery) (n uint64, err error) {
	self := r.sid()
	err = r.view(func(w *work) error {
		for sid, m := range theirs {
			if m.Seq <= v[sid].Seq || sid == self {
				continue
			}
			ok, err := w.allowed(sid, d)
			if err != nil {
				return err
			}
			if ok {
				n += m.Seq - v[sid].Seq
			}
		}
		return nil
	})
	return n, err
}

// Vector returns how far our copy reaches. It is shared and must not be changed.
func (r *Replica) Vector() (changelog.Vector, error) {
	return r.reached.get(r.cfg.Store.Version(store.Reached), func() (v changelog.Vector, err error) {
		err = r.cfg.Store.View(func(t *store.Tx) (err error) {
			v, err = t.Log.Vector()
			return err
		})
		return v, err
	})
}

// offline reports whether an error is only that the room is away.
func offline(err error) bool { return errors.Is(err, ErrOffline) }
