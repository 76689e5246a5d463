// Package members keeps what the log says about the servers themselves: who they
// are, how much of the log the directory of each contains, and who has been
// removed. What is stable, and may be forgotten, follows from it.
//
// It is derived from the stored changes and nothing else, neither a clock nor
// who is online: servers that have stored the same changes agree.
package members

import (
	"bytes"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/octets"
)

// Table is what is known of the members, within one transaction. It must learn
// of every change that the log takes.
type Table struct {
	b changelog.Bucket
	// at is where keys to be read are put together.
	at    [3]byte
	pairs changelog.Pairs
}

// Open returns the table that a bucket of its own holds.
func Open(b changelog.Bucket) *Table { return &Table{b: b} }

// The first bytes of keys say what stands there.
const (
	keyMember = 'm' // sid: who it is
	keyBeat   = 'h' // sid, seq: a heartbeat that may come to count
	keyForget = 'f' // sid of the peer, sid of the author: the first such operation
)

// The prefixes of all keys of a kind.
var allMembers, allRemovals = []byte{keyMember}, []byte{keyForget}

// Member is what a server said of itself.
type Member struct {
	SID changelog.SID
	// JID and Install are empty as long as its first heartbeat is missing.
	JID, Install string
}

// Heartbeat is the word of a server that its directory contains Seen, and its
// own changes up to Seq, but for those of the entries Except. Seen and Except are
// shared and must not be changed.
type Heartbeat struct {
	Seq    uint64
	CSN    changelog.CSN
	Seen   changelog.Seqs
	Except []changelog.ID
}

// covers reports whether the heartbeat of a server contains the change seq of
// sid.
func (h *Heartbeat) covers(self, sid changelog.SID, seq uint64) bool {
	if sid == self {
		return seq <= h.Seq
	}
	return h.Seen.Covers(sid, seq)
}

// Removal is a forget operation.
type Removal struct {
	// Peer is who was removed, by the change Seq of server By, at CSN.
	Peer, By changelog.SID
	Seq      uint64
	CSN      changelog.CSN
	// Had is how far By knew the changes of Peer, 0 where it does not say.
	Had uint64
}

// maxWaiting is how many heartbeats of one server are kept that do not count
// yet; when there are more, one in the middle goes: the next that counts is
// among the oldest, the one that says most the newest.
const maxWaiting = 16

// Note takes notice of a change that the log has stored.
func (t *Table) Note(c *changelog.Change) error {
	switch c.Op {
	case changelog.OpHeartbeat:
		return t.beat(c)
	case changelog.OpForget:
		return t.remove(c)
	}
	return t.known(c.SID())
}

// known makes a server a member.
func (t *Table) known(sid changelog.SID) error {
	if t.b.Get(t.key(keyMember, sid)) != nil {
		return nil
	}
	return t.put(Member{SID: sid})
}

func (t *Table) put(m Member) error {
	return t.b.Put(key(keyMember, m.SID), octets.AppendString(octets.AppendString(nil, m.JID), m.Install))
}

func (t *Table) beat(c *changelog.Change) error {
	if err := t.known(c.SID()); err != nil {
		return err
	}
	if c.JID != "" {
		if err := t.put(Member{SID: c.SID(), JID: c.JID, Install: c.Install}); err != nil {
			return err
		}
	}
	for sid := range c.Seen {
		if err := t.known(sid); err != nil {
			return err
		}
	}
	raw := changelog.AppendSeqs(c.CSN.AppendKey(nil), c.Seen)
	if len(c.Except) > 0 {
		raw = changelog.AppendIDs(raw, c.Except)
	}
	if err := t.b.Put(beatKey(c.SID(), c.Seq), raw); err != nil {
		return err
	}
	return t.thin(c.SID())
}

// thin bounds the heartbeats kept of one server.
func (t *Table) thin(sid changelog.SID) error {
	beats := t.all(t.key(keyBeat, sid))
	if len(beats) <= maxWaiting {
		return nil
	}
	return t.b.Delete(bytes.Clone(beats[min(len(beats)/2, maxWaiting)].Key))
}

func (t *Table) remove(c *changelog.Change) error {
	if err := t.known(c.SID()); err != nil {
		return err
	}
	k := append(key(keyForget, c.Peer), key(keyForget, c.SID())[1:]...)
	if t.b.Get(k) != nil {
		return nil
	}
	raw := c.CSN.AppendKey(octets.AppendUint(nil, c.Seq))
	if had := c.Seen[c.Peer]; had > 0 {
		raw = octets.AppendUint(raw, had)
	}
	return t.b.Put(k, raw)
}

// Member returns what a server said of itself.
func (t *Table) Member(sid changelog.SID) (Member, error) {
	m := Member{SID: sid}
	raw := t.b.Get(t.key(keyMember, sid))
	if raw == nil {
		return m, nil
	}
	r := octets.NewReader(raw)
	m.JID, m.Install = r.String(), r.String()
	return m, damaged(r.Done())
}

// Members returns every server that ever was one, by ascending sid.
func (t *Table) Members() (list []Member, err error) {
	all := t.all(allMembers)
	list = make([]Member, len(all))
	for i, p := range all {
		r := octets.NewReader(p.Value)
		m := Member{JID: r.String(), Install: r.String()}
		if m.SID, err = sidOf(p.Key, 1); err == nil {
			err = r.Done()
		}
		if list[i] = m; err != nil {
			return list[:i+1], damaged(err)
		}
	}
	return list, nil
}

// sids returns who ever was a member, in ascending order.
func (t *Table) sids() (list []changelog.SID, err error) {
	all := t.all(allMembers)
	list = make([]changelog.SID, len(all))
	for i, p := range all {
		if list[i], err = sidOf(p.Key, 1); err != nil {
			return list[:i], damaged(err)
		}
	}
	return list, nil
}

// Of returns the servers that named an account, by its bare JID, by ascending sid.
func (t *Table) Of(jid string) (list []changelog.SID, err error) {
	for _, p := range t.all(allMembers) {
		r := octets.NewReader(p.Value)
		name, _, _ := bytes.Cut(r.Take(r.Count(1)), slash)
		sid, err := sidOf(p.Key, 1)
		if err == nil && r.Failed() {
			err = r.Done()
		}
		if err != nil {
			return list, damaged(err)
		}
		if string(name) == jid {
			list = append(list, sid)
		}
	}
	return list, nil
}

var slash = []byte("/")

// Removals returns every forget operation, by ascending peer and author.
func (t *Table) Removals() (list []Removal, err error) {
	return t.removals(allRemovals)
}

// removals returns the forget operations whose keys have a prefix.
func (t *Table) removals(prefix []byte) (list []Removal, err error) {
	for _, p := range t.all(prefix) {
		r := octets.NewReader(p.Value)
		m := Removal{Seq: r.Uint(), CSN: changelog.ReadCSN(r)}
		if r.Done() != nil {
			m.Had = r.Uint()
		}
		if m.Peer, err = sidOf(p.Key, 1); err == nil {
			m.By, err = sidOf(p.Key, 3)
		}
		if err == nil {
			err = r.Done()
		}
		if list = append(list, m); err != nil {
			return list, damaged(err)
		}
	}
	return list, nil
}

// Removed returns the earliest operation that removed a server; false when there
// is none.
func (t *Table) Removed(sid changelog.SID) (first Removal, removed bool, err error) {
	list, err := t.removals(t.key(keyForget, sid))
	for _, m := range list {
		if !removed || m.CSN.Before(first.CSN) {
			first, removed = m, true
		}
	}
	return first, removed, err
}

// beats returns the heartbeats kept of a server, oldest first.
func (t *Table) beats(sid changelog.SID) (list []Heartbeat, err error) {
	for _, p := range t.all(t.key(keyBeat, sid)) {
		h, err := readBeat(p.Key, p.Value)
		if list = append(list, h); err != nil {
			return list, damaged(err)
		}
	}
	return list, nil
}

// counts reports whether the stored form of a heartbeat is one whose Seen v
// covers, without reading more of it than that takes.
func counts(raw []byte, v changelog.Vector) (bool, error) {
	r := octets.NewReader(raw)
	r.Take(changelog.CSNKeySize)
	for n := r.Count(2); n > 0; n-- {
		if sid := changelog.SID(r.Uint()); !v.Covers(sid, r.Uint()) {
			return false, nil
		}
	}
	r.Rest()
	return true, r.Done()
}

// Beat returns the newest heartbeat of a server that counts for whoever has
// stored v: one whose Seen v covers; nil when there is none. Earlier ones are
// forgotten when Prune is called.
func (t *Table) Beat(sid changelog.SID, v changelog.Vector) (*Heartbeat, error) {
	var last changelog.Pair
	for _, p := range t.all(t.key(keyBeat, sid)) {
		switch ok, err := counts(p.Value, v); {
		case err != nil:
			return nil, damaged(err)
		case ok:
			last = p
		}
	}
	if last.Key == nil {
		return nil, nil
	}
	h, err := readBeat(last.Key, last.Value)
	return &h, damaged(err)
}

// Prune forgets the heartbeats that a later one which counts has replaced.
func (t *Table) Prune(v changelog.Vector) error {
	sids, err := t.sids()
	if err != nil {
		return err
	}
	for _, sid := range sids {
		h, err := t.Beat(sid, v)
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		var old [][]byte
		for _, p := range t.all(t.key(keyBeat, sid)) {
			if seq, err := seqOf(p.Key); err != nil || seq >= h.Seq {
				break
			}
			old = append(old, bytes.Clone(p.Key))
		}
		for _, k := range old {
			if err := t.b.Delete(k); err != nil {
				return err
			}
		}
	}
	return nil
}

func damaged(err error) error {
	if err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	return nil
}
