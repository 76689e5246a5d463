package replica

import (
	"maps"
	"slices"

	"ldapsync/changelog"
)

// retire removes from the members of the room, as soon as this server may, its
// earlier selves, and the numbers under which its account has only said hello, be it
// while this state file was away: nobody goes on under them, unless another server
// that said hello under one did not see it and has joined.
func (r *Replica) retire() error {
	id := r.Identity()
	if !r.Role().Writes() || r.retired.Load() {
		return nil
	}
	pending, wait, err := r.unretired()
	if err == nil && len(pending) > 0 {
		err = r.update(func(w *work) error {
			for _, sid := range pending {
				mark, err := w.Log.Mark(sid)
				if err != nil {
					return err
				}
				c := &changelog.Change{Op: changelog.OpForget, Peer: sid}
				if mark.Seq > 0 {
					c.Seen = changelog.Seqs{sid: mark.Seq}
				}
				if err := w.note(c); err != nil {
					return err
				}
			}
			return nil
		})
		r.log.Info("removed the earlier selves of this server", "sids", pending, "sid", id.SID)
		r.toPublish.raise()
	}
	if err == nil && !wait {
		r.retired.Store(true)
	}
	return err
}

// unretired returns the numbers to remove; wait says that another server shows one
// of the rest, which it may yet give up.
func (r *Replica) unretired() (pending []changelog.SID, wait bool, err error) {
	id := r.Identity()
	sids := slices.Clone(id.Spoken)
	if id.Return != nil {
		sids = append(sids, id.Return.Selves...)
	}
	err = r.view(func(w *work) error {
		hellos, err := w.heard(bare(id.JID))
		if err != nil {
			return err
		}
		sids = slices.AppendSeq(sids, maps.Keys(hellos))
		// Who has said nothing since with our account is an earlier self, heard of late.
		first, err := w.firstSaid()
		if err != nil {
			return err
		}
		slices.Sort(sids)
		for _, sid := range slices.Compact(sids) {
			if sid == id.SID {
				continue
			}
			_, done, err := w.Roster().Removed(sid)
			if err != nil {
				return err
			}
			mark, err := w.Log.Mark(sid)
			if err != nil {
				return err
			}
			_, shown := w.r.peerBySID(sid)
			switch {
			case done, mark.Seq > 1 && !id.Return.Has(sid) && !(hellos[sid] != nil && mark.CSN.Before(first)):
			case shown:
				wait = true
			default:
				pending = append(pending, sid)
			}
		}
		return nil
	})
	return pending, wait, err
}

// retireLate is retire for a server that was not allowed to when it returned, or
// that has learned of another number of its account since.
func (r *Replica) retireLate() error {
	if !r.Identity().Adopted || r.Fault() != "" {
		return nil
	}
	return r.retire()
}
