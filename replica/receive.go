package replica

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldapsync/changelog"
	"ldapsync/roles"
	"ldapsync/store"
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
	Changes   []changelog.Change
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
	mark, err := w.Log.Mark(c.SID())
	if err != nil {
		return "", err
	}
	if c.Seq > mark.Seq {
		return cloned(c.SID(), c.Seq, mark.Seq), nil
	}
	mine, err := w.Log.Get(c.SID(), c.Seq)
	if err != nil {
		return "", err
	}
	if mine != nil && mine.CSN != c.CSN {
		return cloned(c.SID(), c.Seq, mark.Seq), nil
	}
	got.Known++
	return "", nil
}

func cloned(sid changelog.SID, seq, ours uint64) string {
	return fmt.Sprintf("the room holds change %d of sid %d, which this server never made (it has made %d): the state file was restored from a backup or copied", seq, sid, ours)
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
	for _, p := range peers {
		if err := r.clash(p); err != nil {
			return err
		}
	}
	for _, p := range peers {
		if _, trusted := r.peer(p.JID); !trusted && p.State != stateRefused {
			continue
		}
		if err := r.compareSelf(p); err != nil {
			return err
		}
	}
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

// rememberPeers stores who the peers are, as far as that is news.
func (r *Replica) rememberPeers(peers []Peer) error {
	var changed []Peer
	self, now := r.sid(), r.Peers()
	for i := range peers {
		p, before := &peers[i], peerIn(now, peers[i].JID)
		if same := before != nil && before.SID == p.SID && before.Install == p.Install && before.Role == p.Role && before.Service == p.Service; !same && p.SID.Valid() && p.SID != self {
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

// peer returns what is known of the server with a full JID; false when it is
// not in the room.
func (r *Replica) peer(address string) (Peer, bool) {
	if p := peerIn(r.Peers(), address); p != nil {
		return *p, true
	}
	return Peer{}, false
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
