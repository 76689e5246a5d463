package replica

import (
	"errors"
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/store"
)

// clash deals with a server that shows our number. One of the two has to give way:
// see keepsNumber. A server that has not joined and has chosen its number by itself
// then takes another; one whose number was asked for refuses to go on.
func (r *Replica) clash(p *Peer) error {
	if p.SID != r.sid() || !p.SID.Valid() {
		return nil
	}
	id := r.Identity()
	if p.Install == id.Install {
		return nil
	}
	v, err := r.Vector()
	if err != nil || keepsNumber(id, v[id.SID].Seq > 0, p) {
		return err
	}
	if id.Joined || id.SID == id.Wanted {
		r.refuse(fmt.Sprintf("sid %d is in use by %s (install %s, this one is %s): give this server another sid in its configuration, "+
			"or leave 'sid' out so that it takes a free one, remove its state file and start again", p.SID, p.JID, p.Install, id.Install), false)
		r.rival, r.clashed = *p, r.Fault()
		return nil
	}
	r.log.Info("another server has the same number; taking another", "sid", uint16(p.SID), "jid", p.JID)
	return r.anotherSID(fmt.Sprintf("sid %d is in use by %s, and this server has said hello under it", p.SID, p.JID))
}

// endClash lets a server that has not joined go on that clash had refused, once the other
// shows another number.
func (r *Replica) endClash(peers []Peer) {
	yielded := func(p Peer) bool { return p.JID == r.rival.JID && p.SID.Valid() && p.SID != r.rival.SID }
	if r.joined() || !slices.ContainsFunc(peers, yielded) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault == r.clashed {
		r.fault = ""
	}
}

// keepsNumber decides whether this server keeps the number that p shows too. One
// that has joined keeps it; of two that have not, the one that has said hello, so
// that its word stands for what the others may have stored. Where neither has, the
// smaller install id keeps it, unless p is refused and may have joined. Where both
// have, neither does: some of the others may have stored the one hello, some the other.
func keepsNumber(id store.Identity, spoke bool, p *Peer) bool {
	theirs := p.Vector[p.SID].Seq > 0
	switch {
	case id.Joined:
		return p.outside()
	case !p.outside():
		return false
	case spoke || theirs:
		return spoke && !theirs
	}
	return p.State != stateRefused && id.Install < p.Install
}

// errSpoke says that a number was spoken under.
var errSpoke = errors.New("has said hello")

// anotherSID gives a server that has not joined another number than the one that
// turns out to be another's. One that has said hello begins anew, since its log
// holds a change under the old number that is not the room's; why says so.
func (r *Replica) anotherSID(why string) error {
	old := r.sid()
	next, err := r.freeSID(old)
	if err != nil {
		return err
	}
	switch err := r.assume(next, func(t *store.Tx) error {
		if mark, err := t.Log.Mark(old); err != nil || mark.Seq > 0 {
			return errors.Join(err, errSpoke)
		}
		return nil
	}); {
	case errors.Is(err, errSpoke):
		r.setAside(why)
	case err != nil:
		return err
	}
	r.toPull.raise()
	return nil
}

// assume gives this server a number, in one transaction with what allows it: what
// is noted in another one meanwhile has the one number or the other.
func (r *Replica) assume(sid changelog.SID, allow func(*store.Tx) error) error {
	err := r.cfg.Store.Update(func(t *store.Tx) error {
		if err := allow(t); err != nil {
			return err
		}
		last, err := t.Clock()
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.identity.SID = sid
		id := r.identity
		r.mu.Unlock()
		r.clock = changelog.NewClock(sid, r.cfg.Now, last)
		return t.SetIdentity(id)
	})
	if err == nil {
		r.log.Info("this server has a number", "sid", uint16(sid))
		r.changed.raise()
	}
	return err
}
