package replica

import (
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/roles"
	"ldapsync/store"
)

// SetPeers replaces what is known of the other servers of the room, and
// remembers it. Of two that show one number, one steps back: see clash.
func (r *Replica) SetPeers(peers []Peer) error {
	next, err := r.trusted(peers)
	if err != nil {
		return err
	}
	if err := r.rememberPeers(next); err != nil {
		return err
	}
	r.mu.Lock()
	r.peers = next
	r.mu.Unlock()
	for i := range peers {
		if err := r.clash(&peers[i]); err != nil {
			return err
		}
	}
	for i := range peers {
		p := &peers[i]
		if peerIn(next, p.JID) == nil && p.State != stateRefused {
			continue
		}
		if err := r.compareSelf(p); err != nil {
			return err
		}
	}
	r.endClash(peers)
	r.met.Store(true)
	r.toPull.raise()
	r.changed.raise()
	return nil
}

// trusted returns the peers that may speak under their number: it belongs to
// the account that first showed it, unless that took another.
func (r *Replica) trusted(peers []Peer) ([]Peer, error) {
	next := make([]Peer, 0, len(peers))
	var news []Peer
	now := r.Peers()
	for i := range peers {
		p := &peers[i]
		if before := peerIn(now, p.JID); before != nil && before.SID == p.SID && p.State != stateRefused {
			next = append(next, *p)
		} else {
			news = append(news, *p)
		}
	}
	if len(news) == 0 {
		return sortedPeers(next), nil
	}
	err := r.cfg.Store.View(func(t *store.Tx) error {
		for i := range news {
			p := &news[i]
			m, known, err := t.Member(p.SID)
			if err != nil {
				return err
			}
			free, err := vacated(t, p, m, peers)
			if err != nil {
				return err
			}
			if known && !free && bare(m.JID) != bare(p.JID) {
				r.Reject()
				r.log.Debug("a server shows the number of another", "jid", p.JID, "sid", p.SID, "owner", m.JID)
				continue
			}
			if p.State != stateRefused {
				next = append(next, *p)
			}
		}
		return nil
	})
	return sortedPeers(next), err
}

// vacated reports whether the server that showed p's number first shows it no more
// and is not the one that speaks under it: it shows another, nobody has said
// anything, or p has said hello.
func vacated(t *store.Tx, p *Peer, first store.Member, peers []Peer) (bool, error) {
	another := false
	for _, o := range peers {
		if bare(o.JID) != bare(first.JID) || !o.SID.Valid() {
			continue
		}
		if o.SID == p.SID {
			return false, nil
		}
		another = true
	}
	if another {
		return true, nil
	}
	mark, err := t.Log.Mark(p.SID)
	if err != nil || mark.Seq == 0 {
		return mark.Seq == 0, err
	}
	hello, err := t.Roster().Member(p.SID)
	return hello.JID != "" && bare(hello.JID) == bare(p.JID), err
}

// bare cuts the resource off a JID (RFC 7622 section 3.1).
func bare(address string) string {
	b, _, _ := strings.Cut(address, "/")
	return b
}

// introducedAs reports whether two presences say the same of who a server is.
func (p *Peer) introducedAs(o *Peer) bool {
	return p.SID == o.SID && p.Install == o.Install && p.Role == o.Role && p.Service == o.Service
}

// rememberPeers stores who the peers are, as far as that is news.
func (r *Replica) rememberPeers(peers []Peer) error {
	var changed []Peer
	self, now := r.sid(), r.Peers()
	for i := range peers {
		p, before := &peers[i], peerIn(now, peers[i].JID)
		if p.SID.Valid() && p.SID != self && (before == nil || !p.introducedAs(before)) {
			changed = append(changed, *p)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return r.remember(changed)
}

// remember stores who servers are of which the state file says something else.
func (r *Replica) remember(changed []Peer) error {
	var news []Peer
	err := r.cfg.Store.View(func(t *store.Tx) error {
		for _, p := range changed {
			m, ok, err := t.Member(p.SID)
			if err != nil {
				return err
			}
			if !ok || m.JID != p.JID || m.Install != p.Install || m.Role != p.Role.String() || m.Service != p.Service {
				news = append(news, p)
			}
		}
		return nil
	})
	if err != nil || len(news) == 0 {
		return err
	}
	return r.cfg.Store.Update(func(t *store.Tx) error {
		for _, p := range news {
			if err := t.Log.Know(p.SID); err != nil {
				return err
			}
			err := t.SetMember(p.SID, store.Member{JID: p.JID, Install: p.Install, Role: p.Role.String(), Service: p.Service, Seen: p.LastSeen})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// peerIn returns the peer of a list in the order of JIDs that has a full JID, nil
// when there is none.
func peerIn(sorted []Peer, address string) *Peer {
	low, high := 0, len(sorted)
	for low < high {
		if mid := int(uint(low+high) >> 1); sorted[mid].JID < address {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(sorted) && sorted[low].JID == address {
		return &sorted[low]
	}
	return nil
}

// Peers returns the other servers of the room, in the order of their JIDs. The
// list is shared and must not be changed.
func (r *Replica) Peers() []Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers
}

// sortedPeers sorts peers by their JIDs, of which of each the last stays.
func sortedPeers(peers []Peer) []Peer {
	if ascending(peers) {
		return slices.Clip(peers)
	}
	slices.SortStableFunc(peers, func(a, b Peer) int { return strings.Compare(a.JID, b.JID) })
	out := peers[:0]
	for i, p := range peers {
		if i+1 == len(peers) || peers[i+1].JID != p.JID {
			out = append(out, p)
		}
	}
	return slices.Clip(out)
}

// ascending reports whether every JID is later than the one before it.
func ascending(peers []Peer) bool {
	for i := 1; i < len(peers); i++ {
		if peers[i-1].JID >= peers[i].JID {
			return false
		}
	}
	return true
}

// Known returns the other servers of the room, and those remembered that are
// not there now.
func (r *Replica) Known() []Peer {
	out := slices.Clone(r.Peers())
	here := map[changelog.SID]bool{}
	for _, p := range out {
		here[p.SID] = true
	}
	err := r.cfg.Store.View(func(t *store.Tx) error {
		members, err := t.Members()
		for sid, m := range members {
			if !here[sid] {
				out = append(out, remembered(sid, m))
			}
		}
		return err
	})
	if err != nil {
		r.log.Error("read members", "error", err)
	}
	return out
}

// remembered returns a member as a peer that is away.
func remembered(sid changelog.SID, m store.Member) Peer {
	role, err := roles.ParseRole(m.Role)
	if err != nil {
		role = roles.None
	}
	return Peer{JID: m.JID, SID: sid, Install: m.Install, Role: role, Service: m.Service, LastSeen: m.Seen}
}

func (r *Replica) peerBySID(sid changelog.SID) (Peer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.peers {
		if p.SID == sid {
			return p, true
		}
	}
	return Peer{}, false
}
