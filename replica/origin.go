package replica

import (
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/store"
)

// Whose write was it? A report has to be told from our own writes; the
// architecture's chapter of that name gives the reasons.

// base decides what a reported state is to be compared with: the image, or,
// where the answer to our last write never came, the state that the write was to
// leave. That we wrote last is certain where the entry says so, and where it is
// there without having been; else by the signs.
func (w *work) base(old, now *store.Image, e *directory.Entry) (*store.Image, error) {
	old = w.placed(old, now, e, old != nil && !old.Confirmed)
	in, err := w.Intent(now.ID)
	if err != nil || in == nil {
		return old, err
	}
	if err := w.DropIntent(now.ID); err != nil {
		return nil, err
	}
	if in.Image.Gone {
		return old, nil
	}
	wrote := w.placed(&in.Image, now, e, false)
	if !w.WasMade(old, wrote, now, e.Own) {
		return old, nil
	}
	return wrote, w.SetSeen(now.ID, in.Seen)
}

// placed returns what we wrote, m, as it stands below the entry that now is
// below, if it certainly was our write that led there and not a client: a write
// cannot be made to depend on whose name the superior's is. It was if we wrote last, or
// if the superior has the name that we wrote, or the write is known to be made, and all
// else is as intended to the last stamp.
func (w *work) placed(m, now *store.Image, e *directory.Entry, made bool) *store.Image {
	if m == nil || m.Gone || m.Below == "" || m.Parent == now.Parent {
		return m
	}
	here := *m
	here.Parent = now.Parent
	if e.Own || !here.Loose && w.Same(&here, now) && (made || w.isBelow(e.DN, m.Below)) {
		return &here
	}
	return m
}

// isBelow reports whether name is right below another.
func (w *work) isBelow(name, superior string) bool {
	n, err := dn.Parse(name)
	if err != nil {
		return false
	}
	s, err := dn.Parse(superior)
	return err == nil && n.Parent().Key(w.rules.Schema) == s.Key(w.rules.Schema)
}
