package replica

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/store"
)

// author turns what a local client made of an entry into changes of this
// server, stores and merges them.
func (w *work) author(base, now *store.Image) error {
	if lapsed, err := w.lapsed(base, now); lapsed || err != nil {
		return err
	}
	if misnamed, err := w.misnamed(base, now); misnamed || err != nil {
		return err
	}
	if stranded, err := w.stranded(base, now); stranded || err != nil {
		return err
	}
	changes, adopted, err := w.changes(base, now)
	if err != nil || adopted {
		return err
	}
	if base != nil {
		now.Newest = base.Newest
	}
	for i := range changes {
		c := &changes[i]
		if i > 0 || base == nil || base.Gone {
			c.DN = w.spell(now)
		} else {
			c.DN = w.spell(base)
		}
		if c.Op == changelog.OpAdd || c.Moved {
			if err := w.introduce(c.Superior); err != nil {
				return err
			}
		}
		if denied, err := w.own(c, now, base); err != nil || denied {
			return err
		}
		now.Newest = c.CSN
	}
	return w.putAndSettle(now)
}

// authorDelete records that a local client deleted an entry, unless nobody ever
// heard of it, or others may have forgotten it.
func (w *work) authorDelete(old *store.Image) error {
	if w.r.Role().Writes() {
		life, err := w.dit.Life(old.ID)
		nobodys := life == dit.Unborn
		if err == nil && life == dit.Deleted {
			nobodys, err = w.beyondRecall(old.ID, false)
		}
		if err != nil {
			return err
		}
		if nobodys {
			return w.dropAndSettle(old.ID)
		}
	}
	c := changelog.Change{Op: changelog.OpDelete, ID: old.ID, DN: w.spell(old)}
	if _, err := w.own(&c, &store.Image{ID: old.ID, Gone: true}, old); err != nil {
		return err
	}
	return w.dropAndSettle(old.ID)
}

// own numbers a change of this server, stores and merges it. Where the room
// does not let this server write, the change is kept as denied instead, the
// new image is stored as it is, and the entry is marked, so that the directory
// is put back.
func (w *work) own(c *changelog.Change, now, base *store.Image) (denied bool, err error) {
	sid := w.r.sid()
	mark, err := w.Log.Mark(sid)
	if err != nil {
		return false, err
	}
	seen, err := w.seenOf(c.ID, sid)
	if err != nil {
		return false, err
	}
	var more bool
	c.Seen, more = w.claim(seen)
	if err := w.disclaim(c); err != nil {
		return false, err
	}
	if c.CSN, err = w.dateOf(c, now, base, mark.CSN); err != nil {
		return false, err
	}
	if !w.r.Role().Writes() {
		return true, w.denyOwn(*c, now)
	}
	c.Seq = mark.Seq + 1
	if err := w.issue(c); err != nil {
		return false, err
	}
	w.captured++
	w.r.log.Debug("captured", "op", c.Op.String(), "dn", c.DN, "mods", summary(c.Mods))
	if more {
		return false, w.mergeClaiming(c, base)
	}
	return false, w.merge(c)
}

// dateOf returns the CSN of a change that led to now: it tells when that was written, but
// is later than last, and than what the author knew of the entry and of where it went.
func (w *work) dateOf(c *changelog.Change, now, base *store.Image, last changelog.CSN) (changelog.CSN, error) {
	known, err := w.dit.NewestWithin(c.ID, c.Seen)
	if err != nil {
		return known, err
	}
	after := []changelog.CSN{last, known}
	if base != nil {
		after = append(after, base.Newest)
	}
	if c.Op == changelog.OpAdd || c.Moved {
		superior, err := w.dit.Newest(c.Superior)
		if err != nil {
			return superior, err
		}
		after = append(after, superior)
	}
	var at time.Time
	if !now.CSN.IsZero() {
		at = now.CSN.When()
	}
	return w.r.clock.Next(at, after...), nil
}

func (w *work) denyOwn(c changelog.Change, now *store.Image) error {
	w.r.counters.Denied.Add(1)
	w.r.log.Warn("a local client wrote although this server is read-only; the change is kept as denied and undone",
		"dn", c.DN, "op", c.Op.String())
	if err := w.DenyOwn(c); err != nil {
		return err
	}
	if now.Gone {
		return nil
	}
	return w.putAndSettle(now)
}

// summary names what modifications do, without values.
type summary []changelog.Mod

// LogValue implements slog.LogValuer: nothing is printed that nobody reads.
func (s summary) LogValue() slog.Value { return slog.StringValue(s.String()) }

func (s summary) String() string {
	var out []string
	for _, m := range s {
		out = append(out, fmt.Sprintf("%s %s (%d)", m.Op, m.Attr, len(m.Values)))
	}
	return strings.Join(out, ", ")
}

// held returns what the image of an entry contains.
func (w *work) held(id changelog.ID) (changelog.Seqs, error) {
	d, err := w.Dirty(id)
	if err != nil || d == nil {
		return w.seen, err
	}
	return d.Seen, nil
}

// seenOf returns what the image of an entry contains of other servers.
func (w *work) seenOf(id changelog.ID, self changelog.SID) (changelog.Seqs, error) {
	seen, err := w.held(id)
	if err != nil {
		return nil, err
	}
	out := changelog.Seqs{}
	for sid, seq := range seen {
		if sid != self && seq > 0 {
			out[sid] = seq
		}
	}
	return out, nil
}

// changes returns what leads from base (nil for an entry that had no image) to
// now. Adopted says that the entry was taken over from a room that knows it
// and that there is nothing to record.
func (w *work) changes(base, now *store.Image) (list []changelog.Change, adopted bool, err error) {
	if base == nil || base.Gone {
		return w.appeared(now)
	}
	life, err := w.dit.Life(now.ID)
	if err != nil {
		return nil, false, err
	}
	if life == dit.Unborn {
		return []changelog.Change{w.addition(now)}, false, nil
	}
	undelete := life == dit.Deleted
	attrs := w.knownAttrs(base)
	if base.Parent != now.Parent || base.RDN != now.RDN {
		c := changelog.Change{Op: changelog.OpModDN, ID: now.ID, Undelete: undelete}
		if base.Parent != now.Parent {
			c.Moved, c.Superior = true, now.Parent
		}
		if base.RDN != now.RDN {
			c.RDN = now.RDN
			c.DeleteOldRDN = !w.KeepsName(base, now)
			if attrs, err = w.Renamed(attrs, base.RDN, now.RDN, c.DeleteOldRDN); err != nil {
				return nil, false, err
			}
		}
		list, undelete = append(list, c), false
	}
	if mods := w.rules.Diff(attrs, now.Attrs); len(mods) > 0 {
		list = append(list, changelog.Change{Op: changelog.OpModify, ID: now.ID, Mods: mods, Undelete: undelete})
	}
	return list, false, nil
}

// knownAttrs returns the attributes of an image without those that are not
// known: a client's write has left stamps of its own.
func (w *work) knownAttrs(m *store.Image) []directory.Attribute {
	if !m.Loose {
		return m.Attrs
	}
	return w.WithoutStamps(m.Attrs)
}

// appeared returns the changes for an entry that the directory did not hold
// before. While a server that joins with data is matched to the room, the room
// wins for entries it knows.
func (w *work) appeared(now *store.Image) ([]changelog.Change, bool, error) {
	life, err := w.dit.Life(now.ID)
	if err != nil {
		return nil, false, err
	}
	if life == dit.Unborn {
		if handled, err := w.unknown(now); err != nil || handled {
			return nil, handled, err
		}
		return []changelog.Change{w.addition(now)}, false, nil
	}
	if id := w.r.Identity(); !id.Adopted && id.Return != nil {
		return nil, true, w.readopt(now)
	} else if !id.Adopted {
		return nil, true, w.adopt(now)
	}
	want, err := w.viewed(now.ID)
	if err != nil {
		return nil, false, err
	}
	if w.Same(want, now) { // our own write
		now.Newest = want.Newest
		return nil, true, w.putAndSettle(now)
	}
	stale, err := w.isOlder(now)
	if err != nil {
		return nil, false, err
	}
	if stale && life == dit.Deleted { // restored from a backup, and clients may have written to it since
		return nil, true, w.undo(now)
	}
	c := changelog.Change{Op: changelog.OpModDN, ID: now.ID, RDN: now.RDN, DeleteOldRDN: true,
		Superior: now.Parent, Moved: true, Undelete: life == dit.Deleted}
	m := changelog.Change{Op: changelog.OpModify, ID: now.ID}
	for _, a := range now.Attrs {
		m.Mods = append(m.Mods, changelog.Mod{Op: changelog.ModReplace, Attr: a.Name, Values: a.Values})
	}
	return []changelog.Change{c, m}, false, nil
}

// isOlder reports whether a state of the directory is older than what is known of
// the entry.
func (w *work) isOlder(now *store.Image) (bool, error) {
	newest, err := w.dit.Newest(now.ID)
	return now.CSN.When().Before(newest.When()), err
}

// spell returns the DN of an image, for people.
func (w *work) spell(m *store.Image) string {
	above, _ := w.nameOf(m.Parent)
	if above == "" {
		return m.RDN
	}
	return m.RDN + "," + above
}
