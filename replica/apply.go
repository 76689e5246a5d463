package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/plan"
	"ldapsync/store"
)

// apply is one step of the apply pump: one batch. It returns false when there
// was nothing it could do, and the entries that wait for the directory to
// report our last write to them.
func (r *Replica) apply(ctx context.Context) (progress bool, unconfirmed []changelog.ID, err error) {
	r.applying.Lock()
	defer r.applying.Unlock()
	if !r.live.Load() || len(r.doubt) > 0 || r.Fault() != "" {
		return false, nil, nil
	}
	if idle, err := r.nothingDirty(); err != nil || idle {
		return false, nil, err
	}
	var p *plan.Plan
	var units []*intended
	err = r.update(func(w *work) (err error) {
		p, units, err = w.intend(r.heldEntries())
		if err != nil || len(p.Unconfirmed) > 0 {
			return err
		}
		return w.parkBlocked(p)
	})
	if err != nil {
		return false, nil, fmt.Errorf("plan writes: %w", err)
	}
	if len(units) == 0 {
		return false, p.Unconfirmed, nil
	}
	if err := r.send(ctx, units); err != nil {
		r.live.Store(false) // a refresh is to tell what was made
		r.doubt.raise()
		return false, nil, err
	}
	return true, nil, nil
}

func (r *Replica) nothingDirty() (idle bool, err error) {
	at := asOfParts(r.cfg.Store, store.Marked)
	if r.clean.holds(at) {
		return true, nil
	}
	err = r.cfg.Store.View(func(t *store.Tx) error {
		marks, err := t.DirtyAfter(0, 1)
		idle = err == nil && len(marks) == 0
		return err
	})
	if idle {
		r.clean.note(at)
	}
	return idle, err
}

// heldEntries returns the entries that wait for the directory to report what
// made their last write stale.
func (r *Replica) heldEntries() map[changelog.ID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := make(map[changelog.ID]bool, len(r.stale))
	for id := range r.stale {
		held[id] = true
	}
	return held
}

// releaseHeld lets stale entries be tried again, after a report or a while.
func (r *Replica) releaseHeld() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.stale)
}

// send writes units, one after the other; what the directory will not take is
// set aside. After another error the intents that are left tell what may have
// been made.
func (r *Replica) send(ctx context.Context, units []*intended) error {
	for len(units) > 0 {
		writes := make([]directory.Write, len(units))
		for i, u := range units {
			writes[i] = u.Write
		}
		made, err := r.write(ctx, writes)
		if err == nil {
			return r.done(units, made)
		}
		var blamed *directory.WriteError
		if !errors.As(err, &blamed) || blamed.Index < 0 || blamed.Index >= len(units) {
			return err
		}
		at := blamed.Index
		if blamed.Kept {
			if err := r.done(units[:at], made); err != nil {
				return err
			}
		}
		if err := r.giveUp(units[at].Unit, err); err != nil {
			return err
		}
		rest := units[at+1:]
		if !blamed.Kept {
			rest = slices.Concat(units[:at], rest)
		}
		if units, err = r.without(rest, units[at]); err != nil {
			return err
		}
	}
	return nil
}

// without leaves out the units that count on what a failed one was to do: on its
// entry having got its new name, below which they would write to whichever entry
// has it, or on the old one having become free, which another than we may have
// freed it for.
func (r *Replica) without(units []*intended, failed *intended) (rest []*intended, err error) {
	gone := []*intended{failed}
	for i := 0; i < len(gone); i++ {
		f := gone[i]
		rest = nil
		for _, u := range units {
			if u.CountsOn(f.Unit) {
				gone = append(gone, u)
			} else {
				rest = append(rest, u)
			}
		}
		units = rest
	}
	if len(gone) == 1 {
		return rest, nil
	}
	return rest, r.update(func(w *work) error {
		for _, u := range gone[1:] {
			if err := w.DropIntent(u.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// giveUp sets a unit aside for which its write's error is to blame; an error
// that does not say what became of the write is returned.
func (r *Replica) giveUp(u *plan.Unit, why error) error {
	var refused *directory.RefusedError
	switch {
	case errors.As(why, &refused):
		return r.park(u, refused.Code, refused.Text)
	case errors.Is(why, directory.ErrStale):
		return r.hold(u, why)
	}
	return why
}

// done stores the outcome of writes that the directory has made, with the
// entryCSNs that they gave their entries.
func (r *Replica) done(units []*intended, made []changelog.CSN) error {
	err := r.update(func(w *work) error {
		for i, u := range units {
			if !w.Intended(u.ID) {
				continue
			}
			if i < len(made) && !made[i].IsZero() {
				u.intent.Image.Answered(made[i])
			}
			if err := w.settleIntent(u.intent); err != nil {
				return err
			}
		}
		if w.ParkedCount() == 0 {
			return nil
		}
		return w.unparkAll(func(p store.Parked) bool { return p.Code == 0 })
	})
	if err != nil {
		return fmt.Errorf("store what was applied: %w", err)
	}
	r.mu.Lock()
	for _, u := range units {
		delete(r.tries, u.ID)
	}
	r.mu.Unlock()
	r.log.Debug("applied", "entries", len(units))
	r.counters.Applied.Add(uint64(len(units)))
	r.changed.raise()
	return nil
}

// settleIntent makes an intent that came true the image of its entry.
func (w *work) settleIntent(in *store.Intent) error {
	id := in.Image.ID
	old, err := w.ImageHead(id)
	if err != nil {
		return err
	}
	in.Image.Told = told(old, &in.Image)
	if err := w.PutImage(&in.Image); err != nil {
		return err
	}
	if err := w.DropIntent(id); err != nil {
		return err
	}
	d, err := w.Dirty(id)
	if err != nil || d == nil {
		return err
	}
	if d.Gen != in.Gen || in.Image.Loose {
		return w.SetSeen(id, in.Seen)
	}
	return w.ClearDirty(id)
}

// told returns what is Told of an image that takes the place of another by a
// write of ours.
func told(old, now *store.Image) *store.Place {
	var place store.Place
	switch {
	case old == nil:
	case old.Told != nil:
		place = *old.Told
	case !old.Gone:
		place = store.Place{Parent: old.Parent, RDNKey: old.RDNKey}
	}
	if !now.Gone && place == (store.Place{Parent: now.Parent, RDNKey: now.RDNKey}) {
		return nil
	}
	return &place
}

// park sets aside an entry that the directory refuses.
func (r *Replica) park(u *plan.Unit, code int, text string) error {
	err := r.update(func(w *work) error {
		if err := w.DropIntent(u.ID); err != nil {
			return err
		}
		return w.park(u, code, text)
	})
	r.changed.raise()
	return err
}

func (w *work) park(u *plan.Unit, code int, text string) error {
	now := w.r.cfg.Now()
	w.r.mu.Lock()
	w.r.tries[u.ID]++
	tries := w.r.tries[u.ID]
	w.r.mu.Unlock()
	p := store.Parked{ID: u.ID, DN: w.label(u), Code: code, Text: text, Since: now, Tries: tries, Next: now.Add(retryAfter(code, tries))}
	var err error
	if p.CSN, err = w.unwritten(u.ID, text); err != nil {
		return err
	}
	if tries == 1 && code != 0 {
		w.r.log.Warn("the directory refuses an entry; it is parked", "dn", p.DN, "code", code, "text", text)
	}
	return w.Park(p)
}

// retryAfter grows from a minute to an hour; an entry that waits for another
// is tried again every few seconds, and at once when the other arrives.
func retryAfter(code, tries int) time.Duration {
	if code == 0 {
		return 5 * time.Second
	}
	return min(time.Minute<<min(tries-1, 6), time.Hour)
}

// label returns the name of the entry of a unit, for people.
func (w *work) label(u *plan.Unit) string {
	m, rdn := u.Want, u.RDN
	if m == nil {
		m, rdn = u.Have, u.OldRDN
	}
	above, _ := w.nameOf(m.Parent)
	if above == "" {
		return rdn.String()
	}
	return rdn.String() + "," + above
}

// parkBlocked sets aside the units that wait for something outside the batch.
func (w *work) parkBlocked(p *plan.Plan) error {
	for _, b := range p.Blocked {
		if err := w.park(b.Unit, 0, b.Why); err != nil {
			return err
		}
	}
	return nil
}

// staleLimit is how often one write may be found stale before the directory is
// read anew: its reports ought to have explained it long before.
const staleLimit = 20

// hold leaves a stale entry until the directory has reported what it holds.
func (r *Replica) hold(u *plan.Unit, why error) error {
	r.log.Debug("stale write", "error", why)
	err := r.update(func(w *work) error { return w.DropIntent(u.ID) })
	r.mu.Lock()
	r.stale[u.ID]++
	r.tries[u.ID]++
	again := r.tries[u.ID]%staleLimit == 0
	r.mu.Unlock()
	if again {
		r.log.Warn("the directory is not as it reports; reading it anew", "error", why)
		r.resync.raise()
	}
	return err
}

// imageOf returns an entry that was read, placed by the images.
func (w *work) imageOf(e *directory.Entry) (*store.Image, error) {
	name, err := dn.Parse(e.DN)
	if err != nil {
		return nil, fmt.Errorf("read of %s: %w", e.ID, err)
	}
	parent, ok := w.superior(name, w.Named)
	m := &store.Image{ID: e.ID, Parent: parent, CSN: e.CSN, Confirmed: true, Attrs: e.Attrs}
	if ok {
		m.RDN, m.RDNKey = w.Spelling(name[0]), name[0].Key(w.rules.Schema)
	}
	return m, nil
}

// confirm reads entries whose last write has not been reported, so that a
// report that never comes does not hold them up.
func (r *Replica) confirm(ctx context.Context, ids []changelog.ID) error {
	r.applying.Lock()
	defer r.applying.Unlock()
	entries, err := r.read(ctx, ids)
	if err != nil {
		return fmt.Errorf("confirm writes: %w", err)
	}
	return r.update(func(w *work) error {
		for i := range entries {
			if err := w.confirmRead(&entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// confirmRead takes an entry that was read for the answer to our last write to it;
// its report is still to come.
func (w *work) confirmRead(e *directory.Entry) error {
	now, err := w.imageOf(e)
	if err != nil {
		return err
	}
	old, err := w.Image(now.ID)
	if err != nil || old == nil || old.Confirmed || !w.Same(old, now) {
		return err
	}
	csn := now.CSN
	now.Newest, now.Told, now.Below, now.CSN, now.Unreported, now.Ahead = old.Newest, old.Told, old.Below, old.CSN, old.Unreported, old.Ahead
	now.Answered(csn)
	return w.PutImage(now)
}
