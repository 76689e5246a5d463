package replica

import (
	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/store"
)

// introduce makes an entry known to the room that clients added when this
// server was not allowed to write and that has not been undone yet: now that it
// is, they have put something below it, which needs it.
func (w *work) introduce(id changelog.ID) error {
	if id.IsZero() || !w.r.Role().Writes() {
		return nil
	}
	if life, err := w.dit.Life(id); err != nil || life != dit.Unborn {
		return err
	}
	m, err := w.Image(id)
	if err != nil || m == nil || m.Gone {
		return err
	}
	if err := w.introduce(m.Parent); err != nil {
		return err
	}
	c := w.addition(m)
	c.DN = w.spell(m)
	if _, err := w.own(&c, m, nil); err != nil {
		return err
	}
	m.Newest = c.CSN
	return w.putAndSettle(m)
}

// addition returns the change that adds an entry as it is.
func (w *work) addition(m *store.Image) changelog.Change {
	c := changelog.Change{Op: changelog.OpAdd, ID: m.ID, RDN: m.RDN, Superior: m.Parent}
	c.Mods = w.rules.Diff(nil, m.Attrs)
	for i := range c.Mods {
		c.Mods[i].Op = changelog.ModAdd
	}
	return c
}

// stranded handles the state of an entry that a client put below one which nobody has
// heard of and which is gone: clients had added it when this server was not allowed to
// write, and that has been undone meanwhile. Whoever was told of this would wait for it
// for ever: the state is written down, and the view is put in its place. Base is what the
// directory held before, nil for nothing.
func (w *work) stranded(base, now *store.Image) (bool, error) {
	if now.Parent.IsZero() || base != nil && !base.Gone && base.Parent == now.Parent || !w.r.Role().Writes() {
		return false, nil
	}
	if life, err := w.dit.Life(now.Parent); err != nil || life != dit.Unborn {
		return false, err
	}
	if m, err := w.ImageHead(now.Parent); err != nil || m != nil && !m.Gone {
		return false, err
	}
	return true, w.undo(now)
}
