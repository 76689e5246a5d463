package replica

import (
	"context"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/store"
)

// A state file that was restored, or copied, gives numbers to changes that were
// given before. Whether somebody in the room has those or not: what was published
// last is on the XMPP server. So it is looked at before anything is published,
// and nobody is given what was not published before.

// lookBack looks, once a session, at what was published last under our number, and
// begins anew if this server did not make it. It returns false when nothing may be
// published.
func (r *Replica) lookBack(ctx context.Context) (ok bool, err error) {
	if r.looked.Load() {
		return true, nil
	}
	if speaks, err := r.Speaks(); err != nil || !speaks {
		return false, err
	}
	last, err := r.cfg.Network.LastPublished(ctx)
	if err != nil {
		return false, fmt.Errorf("look at what was published last: %w", err)
	}
	if strange, err := r.giveWayTo(last); strange || err != nil {
		return false, err
	}
	r.looked.Store(true)
	if last.CSN.IsZero() || last.Seq == 0 {
		return true, nil
	}
	// What comes before was published; done again, it would hide what came after.
	return true, r.Acknowledged(last.Seq - 1)
}

// owe notes that what has been made by now has to be published before this server
// counts as ready: who joins before would not know of it.
func (r *Replica) owe() error {
	return r.cfg.Store.View(func(t *store.Tx) error {
		last, err := t.Log.Mark(r.sid())
		r.acked.Store(max(t.Published(), r.acked.Load()))
		r.owes.Store(last.Seq)
		return err
	})
}

// NewSession has it looked at again: another copy may have published while this
// server was away.
func (r *Replica) NewSession() {
	r.looked.Store(false)
	r.toPublish.raise()
}

// offer notes that our changes up to seq are about to be published, before they are,
// and returns up to which they may have been before. What is published beyond, another
// copy of the state file has published, or a later one that was lost: even where this
// one makes the same of what its directory holds, it may have seen other changes by
// then.
func (r *Replica) offer(seq uint64) (before uint64, err error) {
	err = r.cfg.Store.View(func(t *store.Tx) error { before = t.Offered(); return nil })
	if err != nil || seq <= before {
		return before, err
	}
	return before, r.cfg.Store.Update(func(t *store.Tx) error { return t.SetOffered(seq) })
}

// giveWayTo begins anew if a change under our number that somebody else has is
// strange, and reports whether it is.
func (r *Replica) giveWayTo(m changelog.Mark) (strange bool, err error) {
	why := ""
	err = r.cfg.Store.View(func(t *store.Tx) (err error) {
		why, err = isStrange(t, r.sid(), m)
		return err
	})
	if err != nil || why == "" {
		return false, err
	}
	return true, r.strangeSelf(why)
}

// isStrange says why a change under our number that somebody else has is not one that
// we have published, "" where it may be.
func isStrange(t *store.Tx, self changelog.SID, m changelog.Mark) (why string, err error) {
	if m.Seq == 0 {
		return "", nil
	}
	made, err := t.Log.Time(self, m.Seq)
	if err != nil {
		return "", err
	}
	offered := t.Offered()
	if m.Seq <= offered && (made.IsZero() || m.CSN.IsZero() || made == m.CSN) {
		return "", nil
	}
	return fmt.Sprintf("the room holds change %d of sid %d, which this server never published (it has got as far as %d): "+
		"the state file was restored from a backup or copied", m.Seq, self, offered), nil
}

// Shown returns how far our copy reaches for others to see: of what we made, as
// far as it was published. It is shared and must not be changed.
func (r *Replica) Shown() (changelog.Vector, error) {
	v, err := r.Vector()
	if err != nil {
		return nil, err
	}
	shown := v
	err = r.cfg.Store.View(func(t *store.Tx) (err error) {
		shown, err = said(t, v, r.sid())
		return err
	})
	return shown, err
}

// said returns a vector without what self has made and not published. Where the log
// no longer holds the last that was, its CSN is a time before the next.
func said(t *store.Tx, v changelog.Vector, self changelog.SID) (changelog.Vector, error) {
	upTo := t.Published()
	if v[self].Seq <= upTo {
		return v, nil
	}
	out := v.Clone()
	out[self] = changelog.Mark{}
	if upTo == 0 {
		return out, nil
	}
	last, err := t.Log.Time(self, upTo)
	if err != nil {
		return nil, err
	}
	if !last.IsZero() {
		out[self] = changelog.Mark{Seq: upTo, CSN: last}
		return out, nil
	}
	return out, t.Log.After(self, upTo, func(next *changelog.Change) bool {
		out[self] = changelog.Mark{Seq: upTo, CSN: changelog.CSN{Time: next.CSN.Time - 1, SID: self}}
		return false
	})
}
