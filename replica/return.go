package replica

import (
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/members"
	"ldapsync/store"
)

// A server whose state file was lost, or set aside, returns: under a new sid it
// fills its store from the room and finds in its directory what its earlier self
// had there. What the room knows that self to have applied is the base; whatever
// differs and cannot be explained by changes beyond the base was done by the
// directory's clients while nobody watched, and becomes changes of the new self.

// earlier returns what is known of the earlier installs of this server's
// account, nil when there were none.
func (w *work) earlier() (*store.Return, error) {
	id := w.r.Identity()
	ret := id.Return.Clone()
	if len(ret.Made) > 0 {
		reach, err := w.shared(ret.Made)
		if err != nil {
			return nil, err
		}
		self := ret.Made[0].CSN.SID
		ret.Applied[self] = min(ret.Applied[self], reach)
	}
	heard, err := w.heard(bare(id.JID))
	if err != nil {
		return nil, err
	}
	for sid, last := range heard {
		if sid == id.SID {
			continue
		}
		if !ret.Has(sid) {
			ret.Selves = append(ret.Selves, sid)
		}
		if !last.CSN.When().Before(ret.Heard) {
			ret.Heard = last.CSN.When()
			if _, ret.Removed, err = w.Roster().Removed(sid); err != nil {
				return nil, err
			}
		}
		ret.LetDiffer(last.Except)
		if ret.Own {
			continue // the directory may be as old as the state file
		}
		for of, seq := range last.Seen {
			ret.Applied[of] = max(ret.Applied[of], seq)
		}
		ret.Applied[sid] = w.seen[sid] // it was captured there
	}
	if len(ret.Selves) == 0 {
		return nil, nil
	}
	slices.Sort(ret.Selves)
	return ret, nil
}

// heard returns the newest heartbeat of every sid whose first names an account.
func (w *work) heard(jid string) (map[changelog.SID]*members.Heartbeat, error) {
	sids, err := w.Roster().Of(jid)
	if err != nil || len(sids) == 0 {
		return nil, err
	}
	v, err := w.Log.Vector()
	if err != nil {
		return nil, err
	}
	out := map[changelog.SID]*members.Heartbeat{}
	for _, sid := range sids {
		last, err := w.Roster().Beat(sid, v)
		if err != nil {
			return nil, err
		}
		if last != nil {
			out[sid] = last
		}
	}
	return out, nil
}

func baseOf(ret *store.Return) dit.Base { return dit.Base{Seqs: ret.Applied, Selves: ret.Selves} }

// readopt takes over an entry that the directory of a server that returns
// reports for the first time.
func (w *work) readopt(now *store.Image) error {
	want, err := w.viewed(now.ID)
	switch {
	case err != nil:
		return err
	case w.Same(want, now):
		now.Newest = want.Newest
		return w.putAndSettle(now)
	case want != nil && w.Value(want, createTimestamp) != w.Value(now, createTimestamp):
		return w.adopt(now) // not what the earlier self had
	}
	rdn, err := dn.ParseRDN(now.RDN)
	if err != nil {
		return err
	}
	ret := w.r.Identity().Return
	base := baseOf(ret)
	_, newest, err := w.dit.Within(now.ID, base)
	if err != nil {
		return err
	}
	base.Doubt = ret.Horizon.Before(newest) || ret.Differs(now.ID)
	past, err := w.dit.Past(now.ID, base, dit.Held{Parent: now.Parent, RDN: rdn, Attrs: now.Attrs})
	if err != nil {
		return err
	}
	older := now.CSN.When().Before(past.Newest.When())
	if older || past.Buried || past.Lost {
		if err := w.keepUnlessAlike(want, now); err != nil {
			return err
		}
	}
	if older || past.Buried {
		return w.putAndSettle(now) // it was restored from a backup
	}
	was := w.pastImage(past, now)
	if life, err := w.dit.Life(now.Parent); err != nil {
		return err
	} else if life == dit.Unborn && !now.Parent.IsZero() {
		was.Parent = now.Parent // the room has another id for it, or has forgotten it: nobody moved the entry there
	} else if life, err = w.dit.Life(now.ID); err != nil {
		return err
	} else if life == dit.Live && want == nil {
		was.Parent = changelog.ID{} // the room waits for what it is below, which may be lost: here it stands
	}
	return w.continued(was, now, past.Seen)
}

// pastImage returns the image that the earlier self had of an entry.
func (w *work) pastImage(past *dit.Past, now *store.Image) *store.Image {
	was := &store.Image{ID: now.ID, Parent: past.Parent, RDN: w.Spelling(past.RDN), RDNKey: past.RDN.Key(w.rules.Schema), Newest: past.Newest, Attrs: past.Attrs}
	if was.RDNKey == now.RDNKey {
		was.RDN = now.RDN
	}
	return was
}

// continued records what clients made of an entry while nobody watched. An entry
// that others have deleted meanwhile is not brought back by it.
func (w *work) continued(was, now *store.Image, seen changelog.Seqs) error {
	if err := w.markContaining(now.ID, seen); err != nil {
		return err
	}
	changes, _, err := w.changes(was, now)
	if err != nil {
		return err
	}
	now.Newest = was.Newest
	for i := range changes {
		c := &changes[i]
		c.Undelete = false
		if c.DN = w.spell(now); i == 0 {
			c.DN = w.spell(was)
		}
		if denied, err := w.own(c, now, was); err != nil || denied {
			return err
		}
		now.Newest = c.CSN
	}
	return w.putAndSettle(now)
}

// forgetAge is how long the room remembers what was deleted, at least, as long as
// a server is a member; afterSilence how long before a server was last heard of
// it had certainly made known what its directory held.
const (
	forgetAge    = 30 * 24 * time.Hour
	afterSilence = time.Hour
)

// forgotten reports whether an entry that the room does not know was deleted
// there so long ago that nobody remembers: else the earlier self would have made
// it known.
func forgotten(ret *store.Return, now *store.Image) bool {
	if ret == nil {
		return false
	}
	age := forgetAge
	if ret.Removed {
		age = afterSilence
	}
	return now.CSN.When().Before(ret.Heard.Add(-age))
}

// unknown handles an entry that the room does not know.
func (w *work) unknown(now *store.Image) (handled bool, err error) {
	id := w.r.Identity()
	if id.Adopted || !forgotten(id.Return, now) {
		return false, nil
	}
	if err := w.keep(now); err != nil {
		return true, err
	}
	return true, w.putAndSettle(now)
}

// wasHeld reports whether the directory held all that is known of an entry, and,
// as far as that can be told, not only before it was restored from a backup.
func (w *work) wasHeld(ret *store.Return, id changelog.ID) (held, certain bool, err error) {
	all, newest, err := w.dit.Within(id, baseOf(ret))
	if err != nil || !all || !newest.Before(ret.Horizon) || ret.Differs(id) {
		return all, false, err
	}
	certain, err = w.dit.Born(id, baseOf(ret))
	return all, certain, err
}

// deleteMissing records the deletion of the entries that the directory lacks
// though its earlier self had them.
func (r *Replica) deleteMissing() error {
	ret := r.Identity().Return
	if ret == nil || !ret.Deletes {
		return nil
	}
	return r.eachLive(func(w *work, id changelog.ID) error {
		m, err := w.Image(id)
		if err != nil || m != nil || w.IsDelayed(id) {
			return err
		}
		_, certain, err := w.wasHeld(ret, id)
		if err != nil || !certain {
			return err
		}
		name, shown, err := w.dit.DN(id)
		if err != nil || !shown {
			return err
		}
		held, err := w.viewed(id)
		if err != nil {
			return err
		}
		if err := w.markContaining(id, ret.Applied); err != nil {
			return err
		}
		w.r.log.Info("an entry was deleted while nobody watched", "dn", name.String())
		c := changelog.Change{Op: changelog.OpDelete, ID: id, DN: name.String()}
		_, err = w.own(&c, &store.Image{ID: id, Gone: true}, held)
		return err
	})
}

const (
	createTimestamp = "createtimestamp"
	modifyTimestamp = "modifytimestamp"
)
