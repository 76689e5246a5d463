package replica

import (
	"ldapsync/changelog"
	"ldapsync/plan"
	"ldapsync/store"
)

// planning returns what a plan is made from.
func (w *work) planning() plan.Base {
	return plan.Base{Tx: w.Tx, Terms: w.Terms, Suffix: w.rules.Suffix, Wanted: w.wanted}
}

// intended is a unit of a plan with the intent that is stored for it.
type intended struct {
	*plan.Unit
	intent *store.Intent
}

// intend plans the oldest marks, clears those that have nothing to write, and stores
// the intents of the rest. Held entries are left out.
func (w *work) intend(held map[changelog.ID]bool) (*plan.Plan, []*intended, error) {
	p, err := w.planning().Make(held)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range p.Done {
		if err := w.ClearDirty(id); err != nil {
			return nil, nil, err
		}
	}
	units := make([]*intended, len(p.Units))
	for i, u := range p.Units {
		units[i] = &intended{u, w.intentOf(u)}
		if err := w.PutIntent(units[i].intent); err != nil {
			return nil, nil, err
		}
	}
	return p, units, nil
}

// intentOf returns what a unit is about to make of its entry.
func (w *work) intentOf(u *plan.Unit) *store.Intent {
	in := &store.Intent{Gen: u.Gen, Seen: w.seen, Image: store.Image{ID: u.ID, Gone: true}}
	if u.Leaves != nil {
		in.Image = *u.Leaves
	}
	if u.Leaves != u.Want {
		in.Seen = u.Seen // there is more to come before it contains the rest
	}
	in.Image.Below, in.Image.Confirmed, in.Image.Unreported = u.Below, false, false
	if u.Have != nil {
		in.Image.CSN, in.Image.Unreported, in.Image.Ahead = u.Have.CSN, u.Have.Unreported, u.Have.Ahead
		if u.Below == "" {
			in.Image.Below = u.Have.Below
		}
	}
	return in
}
