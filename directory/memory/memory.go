// Package memory is a directory in memory: it enforces what a real server
// enforces (tree, names, schema, transactions that depend on entryCSN) and
// reports like one, for tests and simulations of replicas.
package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/schema"
)

// Directory is one server holding one suffix. It is safe for concurrent use.
type Directory struct {
	suffix dn.DN

	mu       sync.Mutex
	schema   *schema.Schema
	contents *contents
	tree     *tree
	clock    clock
	// history holds what every write reported; a cookie counts those events.
	history []directory.Event
	// generation counts the times the content was replaced by a backup.
	generation int
	// presents says that a resumed search names what did not change, instead of
	// what was deleted.
	presents bool
	// atomic says that Apply makes all writes or none.
	atomic bool
	// wake is closed at the next change, nil while nobody waits for one.
	wake   chan struct{}
	refuse func(directory.Write) error
	down   bool
	newID  func() changelog.ID
}

// New returns an empty directory. Its own entryCSNs carry sid 0; entries that
// clients add get their entryUUID from newID.
func New(suffix dn.DN, s *schema.Schema, now func() time.Time, newID func() changelog.ID) *Directory {
	return &Directory{
		suffix: suffix, schema: s, contents: new(contents), tree: newTree(),
		clock: clock{now: now}, newID: newID,
	}
}

// SetSchema replaces the schema; entries that it does not allow stay.
func (d *Directory) SetSchema(s *schema.Schema) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.schema, d.contents = s, new(contents)
	renamed := newTree()
	renamed.serial = d.tree.serial
	for id, old := range d.tree.entries {
		e := *old
		e.key = e.rdn.Key(s)
		renamed.set(id, &e)
	}
	renamed.commit()
	d.tree = renamed
}

// SetPresents makes resumed searches name the entries that did not change
// (slapd without a session log) instead of those that were deleted (with one).
func (d *Directory) SetPresents(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.presents = on
}

// Backup is the content of a directory at one time.
type Backup struct{ tree *tree }

// Backup returns the present content.
func (d *Directory) Backup() Backup {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Backup{d.tree.clone()}
}

// Restore replaces the content, by that of this or another directory: as
// slapadd does, with entryUUIDs, entryCSNs and all. Searches end, and none can
// be resumed with an older cookie.
func (d *Directory) Restore(b Backup) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tree, d.history = b.tree.clone(), nil
	d.generation++
	d.signal()
}

// Copy returns a directory that holds the same, reports the same and takes the
// same cookies, with a clock and ids of its own.
func (d *Directory) Copy(now func() time.Time, newID func() changelog.ID) *Directory {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := New(d.suffix, d.schema, now, newID)
	c.contents = d.contents
	c.tree, c.clock.last, c.clock.count = d.tree.clone(), d.clock.last, d.clock.count
	c.history, c.generation = slices.Clone(d.history), d.generation
	c.presents, c.atomic = d.presents, d.atomic
	return c
}

// SetRefuse makes the directory ask fn about every write of Apply; an error is
// returned as the write's.
func (d *Directory) SetRefuse(fn func(directory.Write) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = fn
}

// SetDown makes every call fail with directory.ErrUnavailable and ends every
// watch, until it is set up again.
func (d *Directory) SetDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
	d.signal()
}

func (d *Directory) signal() {
	if d.wake != nil {
		close(d.wake)
		d.wake = nil
	}
}

// changed returns what is closed at the next change.
func (d *Directory) changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wake == nil {
		d.wake = make(chan struct{})
	}
	return d.wake
}

// SetAtomic makes Apply undo the writes before one that fails.
func (d *Directory) SetAtomic(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.atomic = on
}

// Do makes writes as a client: one after the other, each on its own, with the
// stamps of the directory. An added entry without ID gets one.
func (d *Directory) Do(writes ...directory.Write) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range writes {
		if w.Op == directory.Add && w.ID.IsZero() {
			w.ID = d.newID()
		}
		t := txn{d: d, tree: d.tree}
		if err := t.write(w); err != nil {
			d.tree.rollback()
			return fmt.Errorf("%s: %w", w.DN, err)
		}
		d.commit(&t)
	}
	return nil
}

// Apply implements directory.Directory.
func (d *Directory) Apply(_ context.Context, writes []directory.Write) (made []changelog.CSN, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, directory.ErrUnavailable
	}
	t := txn{d: d, tree: d.tree, relax: true}
	for i, w := range writes {
		if err := t.writeUnlessRefused(w); err != nil {
			t.tree.rollback()
			if d.atomic {
				made = nil
			} else {
				d.commit(&t)
			}
			return made, &directory.WriteError{Index: i, Kept: !d.atomic, Err: fmt.Errorf("%s: %w", w.DN, err)}
		}
		made = append(made, t.csnOf(w.ID))
		if !d.atomic {
			t.tree.commit()
		}
	}
	d.commit(&t)
	return made, nil
}

// csnOf returns the entryCSN of an entry, zero where there is none.
func (t *txn) csnOf(id changelog.ID) (csn changelog.CSN) {
	if e := t.tree.entries[id]; e != nil {
		csn = e.csn
	}
	return csn
}

// commit makes what t has written last, and reports it.
func (d *Directory) commit(t *txn) {
	t.tree.commit()
	d.history = append(d.history, t.events...)
	d.signal()
}

// Read implements directory.Directory.
func (d *Directory) Read(_ context.Context, ids []changelog.ID) ([]directory.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, directory.ErrUnavailable
	}
	var out []directory.Entry
	for _, id := range ids {
		if d.tree.entries[id] != nil {
			out = append(out, *d.report(id))
		}
	}
	return out, nil
}

// Schema implements directory.Directory.
func (d *Directory) Schema(context.Context) (*schema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, directory.ErrUnavailable
	}
	return d.schema, nil
}

// IDs returns the entries in the order in which they were added.
func (d *Directory) IDs() []changelog.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.tree.order)
}

// Entry returns one entry, nil when there is none. Its attributes must not be changed.
func (d *Directory) Entry(id changelog.ID) *directory.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tree.entries[id] == nil {
		return nil
	}
	return d.report(id)
}

// Find returns the entry that has a name, zero when none has.
func (d *Directory) Find(name dn.DN) changelog.ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.tree.find(name, d.suffix, d.schema)
	if !ok {
		return changelog.ID{}
	}
	return id
}

// Parent returns the superior of an entry, zero for that of the suffix and for
// one that is not there.
func (d *Directory) Parent(id changelog.ID) changelog.ID { return d.stored(id).parent }

// RDN returns the name of an entry as it was written, nil for one that is not there. It
// must not be changed.
func (d *Directory) RDN(id changelog.ID) dn.RDN { return d.stored(id).rdn }

// stored returns an entry as it is held, the zero entry for one that is not there. What
// it refers to must not be changed.
func (d *Directory) stored(id changelog.ID) (e entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if held := d.tree.entries[id]; held != nil {
		e = *held
	}
	return e
}

// Dump returns every entry as sorted text, one string per entry, without
// entryCSN: two directories with the same content give the same.
func (d *Directory) Dump() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for id := range d.tree.entries {
		e := d.report(id)
		lines := []string{}
		for _, a := range e.Attrs {
			for _, v := range a.Values {
				lines = append(lines, fmt.Sprintf("  %s: %q", d.schema.Canonical(a.Name), v))
			}
		}
		slices.Sort(lines)
		out = append(out, fmt.Sprintf("%s\n  id: %s\n%s", e.DN, e.ID, strings.Join(lines, "\n")))
	}
	slices.Sort(out)
	return out
}

// report returns an entry as its directory reports it.
func (d *Directory) report(id changelog.ID) *directory.Entry { return d.tree.report(id, d.suffix) }
