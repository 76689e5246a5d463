// Package memory is a directory in memory: it enforces what a real server
// enforces (tree, names, schema, transactions that depend on entryCSN) and
// reports like one, for tests and simulations of replicas.
package memory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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

	mu     sync.Mutex
	schema *schema.Schema
	state  state
	clock  *changelog.Clock
	// history holds, per commit, what it reported; a cookie counts commits.
	history []directory.Event
	wake    chan struct{}
	refuse  func(directory.Write) error
	down    bool
	newID   func() changelog.ID
}

// New returns an empty directory. Its own entryCSNs carry sid 0; entries that
// clients add get their entryUUID from newID.
func New(suffix dn.DN, s *schema.Schema, now func() time.Time, newID func() changelog.ID) *Directory {
	return &Directory{
		suffix: suffix, schema: s, state: newState(),
		clock: changelog.NewClock(0, now, changelog.CSN{}), newID: newID, wake: make(chan struct{}),
	}
}

// SetSchema replaces the schema; entries that it does not allow stay.
func (d *Directory) SetSchema(s *schema.Schema) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.schema = s
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
	close(d.wake)
	d.wake = make(chan struct{})
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
		if err := d.commit([]directory.Write{w}, false); err != nil {
			return err
		}
	}
	return nil
}

// Apply implements directory.Directory.
func (d *Directory) Apply(_ context.Context, writes []directory.Write) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return directory.ErrUnavailable
	}
	return d.commit(writes, true)
}

// commit makes all writes or none.
func (d *Directory) commit(writes []directory.Write, relax bool) error {
	t := txn{d: d, state: d.state.clone(), relax: relax}
	for _, w := range writes {
		if relax && d.refuse != nil {
			if err := d.refuse(w); err != nil {
				return err
			}
		}
		if err := t.write(w); err != nil {
			return fmt.Errorf("%s: %w", w.DN, err)
		}
	}
	d.state = t.state
	d.history = append(d.history, t.events...)
	d.signal()
	return nil
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
		if d.state.entries[id] != nil {
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

// Since returns what Watch would report to a holder of cookie that looks once:
// a refresh when the cookie is nil, else what happened since. It returns the
// next cookie.
func (d *Directory) Since(cookie []byte) ([]directory.Event, []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := []byte(strconv.Itoa(len(d.history)))
	at, err := strconv.Atoi(string(cookie))
	if err == nil && at >= 0 && at <= len(d.history) {
		events := slices.Clone(d.history[at:])
		for i := range events {
			events[i].Cookie = []byte(strconv.Itoa(at + i + 1))
		}
		return events, now
	}
	events := []directory.Event{{Kind: directory.RefreshBegin}}
	for _, id := range d.state.order() {
		events = append(events, directory.Event{Kind: directory.State, Entry: d.report(id)})
	}
	return append(events, directory.Event{Kind: directory.RefreshEnd, Complete: true, Cookie: now}), now
}

// Watch implements directory.Directory.
func (d *Directory) Watch(ctx context.Context, cookie []byte, report func(directory.Event) error) error {
	if len(cookie) > 0 {
		if err := report(directory.Event{Kind: directory.RefreshBegin, Resumed: true}); err != nil {
			return err
		}
		if err := report(directory.Event{Kind: directory.RefreshEnd}); err != nil {
			return err
		}
	}
	for {
		d.mu.Lock()
		wake, down := d.wake, d.down
		d.mu.Unlock()
		if down {
			return directory.ErrUnavailable
		}
		events, next := d.Since(cookie)
		for _, e := range events {
			if err := report(e); err != nil {
				return err
			}
		}
		cookie = next
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		}
	}
}

// Dump returns every entry as sorted text, one string per entry, without
// entryCSN: two directories with the same content give the same.
func (d *Directory) Dump() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for id := range d.state.entries {
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
func (d *Directory) report(id changelog.ID) *directory.Entry { return d.state.report(id, d.suffix) }
