package replica

import (
	"ldapsync/changelog"
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
	old = w.placed(old, now, e)
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
	wrote := w.placed(&in.Image, now, e)
	if !w.WasMade(old, wrote, now, e.Own) {
		return old, nil
	}
	return wrote, w.SetSeen(now.ID, in.Seen)
}

// placed returns what we wrote, m, as it stands where that led: a write cannot be made
// to depend on whose name the superior's is.
func (w *work) placed(m, now *store.Image, e *directory.Entry) *store.Image {
	if m == nil || m.Gone || m.Below == "" {
		return m
	}
	here := *m
	if m.Parent == now.Parent {
		here.Parent = w.led(m, now, e)
		return &here
	}
	if here.Parent = now.Parent; w.ledHere(&here, now, e) {
		return &here
	}
	return m
}

// ledHere reports whether it certainly was our write, m, that led below the entry that
// now, too, is below, and not a client. It was if we wrote last. Where all else is as
// intended to the last stamp, we did if that notes another second than the entryCSN, which
// no client leaves; a client that wrote in just that second leaves the same and may have
// moved the entry, unless the superior has the name that we wrote.
func (w *work) ledHere(m, now *store.Image, e *directory.Entry) bool {
	return e.Own || !m.Loose && w.Same(m, now) && (!w.stampedThen(now) || w.isBelow(e.DN, m.Below))
}

// stampedThen reports whether the time of the last modification is that of the entryCSN,
// as what clients write leaves it, in seconds.
func (w *work) stampedThen(m *store.Image) bool {
	return w.Value(m, modifyTimestamp) == generalizedTime(m.CSN)
}

// led returns the entry below which our write, m, led where now is below the one that
// was meant. Where a client wrote since, and the name that we wrote is another's by now,
// it may have been that one's before: then it was the client who moved the entry. Where
// it is nobody's, whoever had it may have lost it by a write of ours since, and the zero
// ID is returned if the client did nothing that can be seen unless it moved the entry.
func (w *work) led(m, now *store.Image, e *directory.Entry) changelog.ID {
	if e.Own || !m.Confirmed && w.Same(m, now) {
		return m.Parent
	}
	name, err := dn.Parse(m.Below)
	if err != nil {
		return m.Parent
	}
	if other, found := w.superior(append(dn.DN{nil}, name...), w.Named); found {
		return other
	}
	other := w.namesake(m.Parent, name)
	if other == m.Parent && w.Alike(m, now) && w.stampedThen(now) {
		return changelog.ID{} // the client did nothing else
	}
	return other
}

// namesake returns the entry that has the name which an entry had, that one itself where
// none has. What is above may have been moved by our own writes since, so the name
// is looked up below what the entry stands below.
func (w *work) namesake(id changelog.ID, name dn.DN) changelog.ID {
	other, above := id, id
	for n := 1; n <= len(name)-len(w.rules.Suffix); n++ {
		m, err := w.ImageHead(above)
		if err != nil || m == nil || m.Gone {
			break
		}
		above = m.Parent
		if found := w.downFrom(above, name[:n], w.Named); !found.IsZero() {
			other = found
		}
	}
	return other
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
