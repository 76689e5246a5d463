package replica

import (
	"context"
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/store"
)

// An entry that was matched by its name has one id in the directory and another
// in the room. This file is where the two meet: what the directory reports and
// answers gets the room's ids, what it is asked for its own. Nothing else of the
// replica knows the directory's.

// byRoom gives a report the room's ids.
func (w *work) byRoom(e directory.Event) directory.Event {
	if len(e.IDs) > 0 {
		e.IDs = slices.Clone(e.IDs)
		for i, id := range e.IDs {
			e.IDs[i] = w.Swapped(id)
		}
	}
	if e.Entry != nil {
		entry := *e.Entry
		entry.ID = w.Swapped(entry.ID)
		e.Entry = &entry
	}
	return e
}

// write makes writes in the directory and returns what Apply does.
func (r *Replica) write(ctx context.Context, writes []directory.Write) ([]changelog.CSN, error) {
	err := r.cfg.Store.View(func(t *store.Tx) error {
		for i := range writes {
			writes[i].ID = t.Swapped(writes[i].ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.cfg.Directory.Apply(ctx, writes)
}

// read returns the entries of ids that the directory holds, in any order.
func (r *Replica) read(ctx context.Context, ids []changelog.ID) ([]directory.Entry, error) {
	own := make([]changelog.ID, len(ids))
	err := r.cfg.Store.View(func(t *store.Tx) error {
		for i, id := range ids {
			own[i] = t.Swapped(id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	entries, err := r.cfg.Directory.Read(ctx, own)
	if err != nil {
		return nil, err
	}
	err = r.cfg.Store.View(func(t *store.Tx) error {
		for i := range entries {
			entries[i].ID = t.Swapped(entries[i].ID)
		}
		return nil
	})
	return entries, err
}
