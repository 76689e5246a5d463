package replica

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/store"
)

var (
	errMismatch = errors.New("this directory cannot join as it is")
	errMatched  = errors.New("matched")
)

// Matched counts what the directory of a server that joins holds.
type Matched struct {
	// Entries is their number; those that the room has are known by their
	// entryUUIDs or by their names.
	Entries, ByID, ByName int
	// Deleted are those that the room has deleted.
	Deleted int
}

// matching compares a directory with the room.
type matching struct {
	Matched
	r *Replica
	// batch is read and not compared yet.
	batch []*directory.Entry
	dead  string
}

// matchBatch is how many entries are compared in one transaction.
const matchBatch = 500

// match reads the whole directory and compares it with the room's state before
// anything is written to either. Entries are the same if their entryUUIDs are,
// else if their names are: then the directory's id becomes an alias of the
// room's. It returns an error that wraps errMismatch when the room has deleted an
// entry that is still here, since joining never deletes.
func (r *Replica) match(ctx context.Context) (Matched, error) {
	m := matching{r: r}
	err := r.update(func(w *work) error { return errors.Join(w.ResetRefresh(), w.ResetAliases()) })
	if err != nil {
		return m.Matched, err
	}
	err = r.cfg.Directory.Watch(ctx, nil, func(e directory.Event) error {
		if e.Kind == directory.State {
			m.batch = append(m.batch, e.Entry)
		}
		if len(m.batch) >= matchBatch || e.Kind == directory.RefreshEnd {
			if err := m.compareBatch(); err != nil {
				return err
			}
		}
		if e.Kind == directory.RefreshEnd {
			return errMatched
		}
		return nil
	})
	if !errors.Is(err, errMatched) {
		return m.Matched, fmt.Errorf("read the directory before joining: %w", err)
	}
	if err := m.dropDoubles(); err != nil {
		return m.Matched, err
	}
	return m.Matched, m.verdict()
}

func (m *matching) compareBatch() error {
	err := m.r.update(func(w *work) error {
		for _, e := range m.batch {
			if err := m.compare(w, e); err != nil {
				return err
			}
		}
		return nil
	})
	m.batch = m.batch[:0]
	return err
}

func (m *matching) compare(w *work, e *directory.Entry) error {
	m.Entries++
	if err := w.SeeEntry(e.ID); err != nil {
		return err
	}
	life, err := w.dit.Life(e.ID)
	if err != nil {
		return err
	}
	if life == dit.Live {
		m.ByID++
		return nil
	}
	name, err := dn.Parse(e.DN)
	if err != nil {
		return fmt.Errorf("report of %s: %w", e.ID, err)
	}
	id, found, err := w.dit.Find(name)
	if err != nil {
		return err
	}
	if found && id != e.ID {
		if life, err = w.dit.Life(id); err != nil {
			return err
		}
	}
	switch {
	case life == dit.Deleted:
		m.Deleted++
		m.dead = e.DN
	case found:
		m.ByName++
		return w.SetAlias(e.ID, id)
	}
	return nil
}

// dropDoubles drops the aliases of entries that the directory also holds under
// the room's id: that is the better match.
func (m *matching) dropDoubles() error {
	return m.r.eachAlias(func(w *work, id changelog.ID) error {
		if !w.EntrySeen(id) {
			return nil
		}
		m.ByName--
		return w.DropAlias(id)
	})
}

// dropIdleAliases drops the aliases of entries that were deleted before the
// directory's reports told of them.
func (r *Replica) dropIdleAliases() error {
	return r.eachAlias(func(w *work, id changelog.ID) error {
		m, err := w.Image(id)
		if err != nil || m != nil {
			return err
		}
		return w.DropAlias(id)
	})
}

// eachAlias calls fn with the room's id of every alias, in transactions of
// bounded size.
func (r *Replica) eachAlias(fn func(*work, changelog.ID) error) error {
	var after changelog.ID
	for done := false; !done; {
		err := r.update(func(w *work) error {
			ids := w.Aliases(after, matchBatch)
			done = len(ids) == 0
			for _, id := range ids {
				after = id
				if err := fn(w, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *matching) verdict() error {
	if m.Deleted > 0 {
		return fmt.Errorf("%w: %d of its %d entries were deleted in the room (%s), and joining never deletes; "+
			"delete them here, or load a newer copy; it is looked at again every half minute", errMismatch, m.Deleted, m.Entries, m.dead)
	}
	return nil
}

// adopt takes over an entry that both the directory and the room hold. Where
// they differ one state takes the place of the other, as Config.Prefer says, and
// what it replaces is written down first.
func (w *work) adopt(now *store.Image) error {
	shown, err := w.dit.View(now.ID)
	if err != nil {
		return err
	}
	want, err := w.wanted(shown)
	if err != nil {
		return err
	}
	switch {
	case w.same(want, now):
		now.Newest = want.Newest
	case w.newer(now, want):
		return w.prevail(want, now)
	case !w.alike(want, now):
		if err := w.keep(now); err != nil {
			return err
		}
	}
	return w.putAndSettle(now)
}

// prevail makes the directory's state of an entry the room's.
func (w *work) prevail(want, now *store.Image) error {
	if !w.alike(want, now) {
		if err := w.keep(want); err != nil {
			return err
		}
	}
	if err := w.SetSeen(now.ID, w.seen); err != nil {
		return err
	}
	return w.author(want, now)
}

// newer reports whether a state of the directory is to take the place of the
// room's: it was written later, where the later one is preferred.
func (w *work) newer(now, want *store.Image) bool {
	if w.r.cfg.Prefer != PreferNewest || want == nil || !w.r.Role().Writes() {
		return false
	}
	return w.modified(want) < w.modified(now)
}

// modified returns the modifyTimestamp of an image in a form that sorts by time.
func (w *work) modified(m *store.Image) string {
	for _, a := range m.Attrs {
		if w.rules.Schema.Canonical(a.Name) == "modifytimestamp" && len(a.Values) == 1 {
			return w.rules.Schema.Normalise(a.Name, a.Values[0])
		}
	}
	return ""
}

// alike is same without the attributes by which a directory notes who wrote an
// entry and when.
func (w *work) alike(a, b *store.Image) bool {
	if a == nil || b == nil || a.Gone || b.Gone {
		return w.same(a, b)
	}
	return w.same(w.unstamped(a), w.unstamped(b))
}

func (w *work) unstamped(m *store.Image) *store.Image {
	out := *m
	out.Attrs = nil
	for _, a := range m.Attrs {
		switch w.rules.Schema.Canonical(a.Name) {
		case "createtimestamp", "creatorsname", "modifiersname", "modifytimestamp":
		default:
			out.Attrs = append(out.Attrs, a)
		}
	}
	return &out
}
