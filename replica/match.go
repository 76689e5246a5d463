package replica

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/schema"
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
	// Held are, where a server returns, the room's entries that its directory
	// held, Missing those that it holds no more, Deletes those of them that
	// certainly were deleted there.
	Held, Missing, Deletes int
}

// matching compares a directory with the room.
type matching struct {
	Matched
	r *Replica
	// refills is Replica.refills when this began: what was found, and the aliases
	// in the store, are of that state.
	refills uint64
	// batch is read and not compared yet.
	batch []*directory.Entry
	dead  string
	// ret is what the earlier installs had, nil for a first join.
	ret *store.Return
}

// matchBatch is how many entries are compared in one transaction.
const matchBatch = 500

// match reads the whole directory and compares it with the room's state before
// anything is written to either. Entries are the same if their entryUUIDs are,
// else if their names are: then the directory's id becomes an alias of the
// room's. The error wraps errMismatch where the two do not go together: see
// verdict.
func (r *Replica) match(ctx context.Context) (*matching, error) {
	m := &matching{r: r, refills: r.refills.Load()}
	err := r.update(func(w *work) (err error) {
		m.ret, err = w.earlier()
		return errors.Join(err, w.ResetRefresh(), w.ResetAliases())
	})
	if err != nil {
		return m, err
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
		return m, fmt.Errorf("read the directory before joining: %w", err)
	}
	if err := errors.Join(m.dropDoubles(), m.findMissing()); err != nil {
		return m, err
	}
	return m, m.verdict()
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
		return m.sighted(w, e)
	}
	name, err := dn.Parse(e.DN)
	if err != nil {
		return fmt.Errorf("report of %s: %w", e.ID, err)
	}
	id, found, err := w.dit.Find(name)
	if err != nil {
		return err
	}
	if !found {
		if id, found, err = w.marked(e); err != nil {
			return err
		}
	}
	if found && id != e.ID && w.Swapped(id) != id {
		found, id = false, e.ID // it is another entry's already
	}
	if found && id != e.ID {
		if awaited, err := w.dit.Awaited(e.ID); err != nil || awaited {
			return err // it is another, and what the room withholds comes to light with it
		}
		if life, err = w.dit.Life(id); err != nil {
			return err
		}
	}
	dead := life == dit.Deleted
	if !found && !dead { // its creation may have yet to be merged
		died, err := w.dit.Death(e.ID)
		if err != nil {
			return err
		}
		dead = !died.IsZero()
	}
	switch {
	case dead:
		m.Deleted++
		m.dead = e.DN
	case found:
		m.ByName++
		return w.SetAlias(e.ID, id)
	}
	return nil
}

// marked returns the entry of the room, which shows it, that an entry is by the mark
// of a lost conflict: the mark stays when the name changes, and when it was matched
// before and its alias is lost.
func (w *work) marked(e *directory.Entry) (id changelog.ID, found bool, err error) {
	for _, a := range e.Attrs {
		if w.rules.Schema.Canonical(a.Name) != w.rules.Schema.Canonical(schema.ConflictID) || len(a.Values) != 1 {
			continue
		}
		if id, err = changelog.ParseID(a.Values[0]); err != nil || id == e.ID {
			return e.ID, false, nil // some client's value
		}
		shown, err := w.dit.View(id)
		return id, shown != nil, err
	}
	return e.ID, false, nil
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
	return r.eachID(func(w *work, after changelog.ID) ([]changelog.ID, error) { return w.Aliases(after, matchBatch), nil }, fn)
}

// eachLive calls fn with every entry of the room that is shown, in transactions
// of bounded size.
func (r *Replica) eachLive(fn func(*work, changelog.ID) error) error {
	return r.eachID(func(w *work, after changelog.ID) ([]changelog.ID, error) { return w.dit.Entries(after, matchBatch) }, fn)
}

// eachID calls fn with the ids that page returns, a transaction for each page,
// until there are none after the last.
func (r *Replica) eachID(page func(w *work, after changelog.ID) ([]changelog.ID, error), fn func(*work, changelog.ID) error) error {
	var after changelog.ID
	for done := false; !done; {
		err := r.update(func(w *work) error {
			ids, err := page(w, after)
			if err != nil {
				return err
			}
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

// sighted notes, where a server returns, how new the directory is.
func (m *matching) sighted(w *work, e *directory.Entry) error {
	if m.ret == nil {
		return nil
	}
	want, err := w.viewed(e.ID)
	if err != nil || want == nil {
		return err
	}
	if m.ret.Horizon.Before(want.Newest) && w.SameAttrs(want, &store.Image{Attrs: e.Attrs}) {
		m.ret.Horizon = want.Newest
	}
	return nil
}

// findMissing looks, where a server returns, for what its directory lacks.
func (m *matching) findMissing() error {
	if m.ret == nil {
		return nil
	}
	return m.r.eachLive(func(w *work, id changelog.ID) error {
		held, certain, err := w.wasHeld(m.ret, id)
		if err != nil || !held {
			return err
		}
		m.Held++
		if w.EntrySeen(w.Swapped(id)) {
			return nil
		}
		m.Missing++
		if certain {
			m.Deletes++
		}
		return nil
	})
}

// fewMissing is how many entries a directory may always lack.
const fewMissing = 10

// verdict decides whether the directory can join. What the room has deleted must
// not be in that of a server that joins for the first time, since that deletes
// nothing. Of one that returns much must not be missing, unless all is.
func (m *matching) verdict() error {
	switch {
	case m.ret == nil && m.Deleted > 0:
		return fmt.Errorf("%w: %d of its %d entries were deleted in the room (%s), and joining never deletes; "+
			"delete them here, or load a newer copy; it is looked at again every half minute", errMismatch, m.Deleted, m.Entries, m.dead)
	case m.ret == nil || m.Entries == 0 || m.r.cfg.Missing == MissingFill:
		return nil
	case m.r.cfg.Missing == MissingUnknown && m.Deletes > max(fewMissing, m.Held/10):
		return fmt.Errorf("%w: it lacks %d of the %d entries that it held before the state file was lost; if they were deleted here, set join.missing: delete, "+
			"if the directory was restored or emptied, join.missing: fill", errMismatch, m.Deletes, m.Held)
	}
	m.ret.Deletes = true
	return nil
}

// adopt takes over an entry that both the directory and the room hold. Where
// they differ one state takes the place of the other, as Config.Prefer says, and
// what it replaces is written down first.
func (w *work) adopt(now *store.Image) error {
	want, err := w.viewed(now.ID)
	if err != nil {
		return err
	}
	switch {
	case w.Same(want, now):
		now.Newest = want.Newest
	case w.newer(now, want):
		return w.prevail(want, now)
	default:
		if err := w.keepUnlessAlike(want, now); err != nil {
			return err
		}
	}
	return w.putAndSettle(now)
}

// keepUnlessAlike writes down a state of the directory that the room's replaces.
func (w *work) keepUnlessAlike(want, now *store.Image) error {
	if w.Alike(want, now) {
		return nil
	}
	return w.keep(now)
}

// prevail makes the directory's state of an entry the room's.
func (w *work) prevail(want, now *store.Image) error {
	if !w.Alike(want, now) {
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
	return w.Value(want, modifyTimestamp) < w.Value(now, modifyTimestamp)
}
