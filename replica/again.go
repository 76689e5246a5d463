package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ldapsync/changelog"
	"ldapsync/store"
)

// ErrAgain ends Run when the state file turns out to be an old copy, or so old that
// no log reaches back to it. Whoever opened it closes it, sets it aside, and begins
// anew with a new one that holds the identity of Anew.
var ErrAgain = errors.New("the state file is of no more use")

// againAfter is how long a server that was begun anew must have lived to be
// begun anew again by itself: two that do so in turns would never end.
const againAfter = 24 * time.Hour

// Again reports whether the state file is to be set aside: see ErrAgain. Until
// then the replica takes no part.
func (r *Replica) Again() bool {
	select {
	case <-r.again:
		return true
	default:
		return false
	}
}

// awaitAgain returns ErrAgain when the state file is to be set aside, nil when
// ctx ends.
func (r *Replica) awaitAgain(ctx context.Context) error {
	select {
	case <-r.again:
		return ErrAgain
	case <-ctx.Done():
		return nil
	}
}

// strangeSelf deals with changes under our number that we never made. A server
// that has not joined, and has said no more than hello, takes another number. Else
// the state file is an old copy: it was restored from a backup, or its twin has
// taken over.
func (r *Replica) strangeSelf(why string) error { return r.giveWay(why, 1) }

// outlived deals with a state file that is older than what has become of this
// server since. One that has said nothing takes another number.
func (r *Replica) outlived(why string) error { return r.giveWay(why, 0) }

// giveWay takes another number where this server has not joined and has made no
// more than so many changes, and sets the state file aside where not.
func (r *Replica) giveWay(why string, most uint64) error {
	v, err := r.Vector()
	if err != nil {
		return err
	}
	id := r.Identity()
	if !id.Joined && v[id.SID].Seq <= most {
		return r.anotherSID(why)
	}
	if id.Return != nil && id.Return.Own && r.cfg.Now().Sub(id.Since) < againAfter {
		r.refuse(why+"; it was begun anew less than a day ago and does not again by itself: make sure that no second server uses this account or a copy "+
			"of this machine, then stop the daemon and run 'ldapsync init --again'", true)
		return nil
	}
	r.setAside(why)
	return nil
}

// setAside asks for another state file in the place of this one, and notes in this one
// that it is to go.
func (r *Replica) setAside(why string) {
	why += "; it is set aside"
	r.refuse(why, false)
	if err := r.cfg.Store.Update(func(t *store.Tx) error { return t.SetUseless(why) }); err != nil {
		r.log.Error("note that the state file is of no more use", "error", err)
	}
	r.end()
}

// end lets Again say that the state file is to be set aside.
func (r *Replica) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ending {
		r.ending = true
		close(r.again)
	}
}

// compareSelf looks for changes under our number in what a server of the room
// shows to hold, also one that does not take part yet, or is refused: one that cannot
// join with its directory as it is pulls like others. One that may not write is
// believed only as long as we have said nothing: then to take another number costs
// nothing.
func (r *Replica) compareSelf(p *Peer) error {
	self := r.sid()
	theirs := p.Vector[self]
	if theirs.Seq == 0 || p.SID == self {
		return nil // see clash
	}
	if r.hasCompared(p.JID, theirs) {
		return nil
	}
	if speaks, err := r.Speaks(); err != nil || speaks && !p.Role.Writes() {
		return err
	}
	r.mu.Lock()
	r.compared[p.JID] = theirs
	r.mu.Unlock()
	_, err := r.giveWayTo(theirs)
	return err
}

func (r *Replica) hasCompared(jid string, theirs changelog.Mark) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.compared[jid] == theirs
}

// Anew returns the identity, but for a new install id, of the store that takes the
// place of one that is set aside.
func Anew(s *store.Store, now time.Time) (store.Identity, error) {
	var next store.Identity
	err := s.View(func(t *store.Tx) error {
		id, err := t.Identity()
		if err != nil {
			return err
		}
		v, err := t.Log.Vector()
		if err != nil {
			return err
		}
		applied, err := t.AllApplied(id.SID)
		if err != nil {
			return err
		}
		// What it made was in the directory, but of what it has not published the
		// room may have other changes, of a twin.
		applied[id.SID] = min(v[id.SID].Seq, t.Published())
		next = store.Identity{Suffix: id.Suffix, JID: id.JID, Epoch: id.Epoch + 1, Wanted: id.SID, Spoken: id.Spoken, Since: now}
		if !id.Joined { // its number may be another's, and its directory holds what it held before
			if v[id.SID].Seq > 0 {
				next.Spoken = append(next.Spoken, id.SID)
			}
			next.Return = id.Return.Clone()
			return nil
		}
		next.Return = &store.Return{Selves: []changelog.SID{id.SID}, Applied: applied, Own: true, Heard: v[id.SID].CSN.When()}
		if next.Return.Made, err = tail(t, id.SID); err != nil {
			return err
		}
		next.Return.LetDiffer(t.GivenUpIDs(shownAside))
		if before := id.Return; before != nil && !id.Adopted {
			next.Return.LetDiffer(before.GivenUp)
		}
		if id.Adopted {
			return nil
		}
		// The directory was never taken over: what it held is what it held before.
		next.Return.Applied, next.Return.Made, next.Return.Own = nil, nil, false
		if before := id.Return; before != nil {
			next.Return.Selves = append(next.Return.Selves, before.Selves...)
			next.Return.Applied, next.Return.Made, next.Return.Own, next.Return.Heard = before.Applied, before.Made, before.Own, before.Heard
		}
		return nil
	})
	if err != nil {
		return next, fmt.Errorf("read the state file that is to be set aside: %w", err)
	}
	return next, nil
}
