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
	old, err := w.placed(old, now, e)
	if err != nil {
		return nil, err
	}
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
	wrote, err := w.placed(&in.Image, now, e)
	if err != nil {
		return nil, err
	}
	if !w.WasMade(old, wrote, now, e.Own) {
		return old, nil
	}
	return wrote, w.SetSeen(now.ID, in.Seen)
}

// placed returns what we wrote, m, as it stands below the entry that now is
// below, if it certainly was our write that led there and not a client: a write
// cannot be made to depend on whose name the superior's is. It was if we wrote last, or
// if the superior has, or may have had, the name that we wrote, and all else is as
// intended to the last stamp.
func (w *work) placed(m, now *store.Image, e *directory.Entry) (*store.Image, error) {
	if m == nil || m.Gone || m.Below == "" || m.Parent == now.Parent {
		return m, nil
	}
	here := *m
	here.Parent = now.Parent
	if e.Own {
		return &here, nil
	}
	if here.Loose || !w.Same(&here, now) {
		return m, nil
	}
	if ours, err := w.mayBeBelow(now, e.DN, m.Below); err != nil || !ours {
		return m, err
	}
	return &here, nil
}

// mayBeBelow reports whether the superior of an entry has a name, or may have had it
// when the entry was written: it, or one of its own superiors, was written to later.
func (w *work) mayBeBelow(now *store.Image, name, superior string) (bool, error) {
	n, err := dn.Parse(name)
	if err != nil {
		return false, err
	}
	s, err := dn.Parse(superior)
	if err != nil {
		return false, err
	}
	above := n.Parent()
	if above.Key(w.rules.Schema) == s.Key(w.rules.Schema) {
		return true, nil
	}
	id := now.Parent
	for range len(above) - len(w.rules.Suffix) {
		m, err := w.ImageHead(id)
		if err != nil || m == nil {
			return false, err
		}
		if now.CSN.Before(m.CSN) {
			return true, nil
		}
		id = m.Parent
	}
	return false, nil
}
