package image

import (
	"slices"

	"ldapsync/store"
)

// WasMade decides whether a write that was to turn old into wrote came before
// the report now; own says that we wrote last. That is certain where the entry says so,
// and where it is there without having been; else it is told by the signs.
func (t Terms) WasMade(old, wrote, now *store.Image, own bool) bool {
	switch {
	case old == nil || old.Gone, own && wrote.Loose, !wrote.Loose && t.Same(wrote, now):
		return true
	case t.Same(old, now):
		return false
	}
	made, not := t.signs(old, wrote, now)
	return t.Same(wrote, now) || made > 3*not
}

// signs counts what speaks for and against a write that was to turn old into
// wrote: every value, name and place that it was to change, or to spell otherwise.
// Few against many is a client that took something back; else the write is taken for
// not made, since what it was to do is then recorded once more, and never undone.
func (t Terms) signs(old, wrote, now *store.Image) (made, not int) {
	count := func(differ, as, still bool) {
		switch {
		case differ && as:
			made++
		case differ && still:
			not++
		}
	}
	count(wrote.Parent != old.Parent, now.Parent == wrote.Parent, now.Parent == old.Parent)
	if wrote.RDNKey != old.RDNKey {
		count(true, now.RDNKey == wrote.RDNKey, now.RDNKey == old.RDNKey)
	} else {
		count(wrote.RDN != old.RDN, now.RDN == wrote.RDN, now.RDN == old.RDN)
	}
	was, is, got := t.asSpelled(old), t.asSpelled(wrote), t.asSpelled(now)
	for name, values := range is {
		for _, v := range values {
			there := slices.Contains(got[name], v)
			count(!slices.Contains(was[name], v), there, !there)
		}
	}
	for name, values := range was {
		for _, v := range values {
			there := slices.Contains(got[name], v)
			count(!slices.Contains(is[name], v), !there, there)
		}
	}
	return made, not
}

// asSpelled returns the values of an image, but for the stamps, by canonical
// attribute name.
func (t Terms) asSpelled(m *store.Image) map[string][]string {
	return t.grouped(t.WithoutStamps(m.Attrs), func(_, value string) string { return value })
}

// Overruled reports whether something that was shown before, and that the
// directory did not hold, is no longer shown after. Base is what it held.
func (t Terms) Overruled(before, base, after *store.Image) bool {
	if after == nil {
		return !t.Alike(before, base)
	}
	if base == nil || base.Gone {
		base = &store.Image{}
	}
	if before.Parent != base.Parent && before.Parent != after.Parent || before.RDNKey != base.RDNKey && before.RDNKey != after.RDNKey {
		return true
	}
	held, left := t.ByKey(base.Attrs), t.ByKey(after.Attrs)
	for name, values := range t.ByKey(t.Unstamped(before).Attrs) {
		for _, v := range values {
			if !slices.Contains(held[name], v) && !slices.Contains(left[name], v) {
				return true
			}
		}
	}
	return false
}
