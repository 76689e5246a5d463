package directorytest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// patience is how long a condition may take to become true.
const patience = 20 * time.Second

// Mirror is a copy of a directory made of the events of its Watch, as a replica
// keeps one. It checks that they come as directory.Directory promises.
type Mirror struct {
	t    testing.TB
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	err     error // of Watch, when done is closed
	changed chan struct{}
	entries map[changelog.ID]directory.Entry
	seen    map[changelog.ID]bool // reported in the refresh; nil outside
	cookie  []byte
	events  []directory.Event
}

// Follow watches d from m's cookie on, with m's entries; a nil m is empty.
func (m *Mirror) Follow(t testing.TB, d directory.Directory) *Mirror {
	ctx, stop := context.WithCancel(context.Background())
	n := &Mirror{t: t, stop: stop, done: make(chan struct{}), changed: make(chan struct{}),
		entries: map[changelog.ID]directory.Entry{}}
	if m != nil {
		m.mu.Lock()
		n.cookie = m.cookie
		for id, e := range m.entries {
			n.entries[id] = e
		}
		m.mu.Unlock()
	}
	go func() {
		defer close(n.done)
		err := d.Watch(ctx, n.cookie, n.report)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.err = err
		n.tell()
	}()
	t.Cleanup(func() { n.Stop() })
	return n
}

// Stop ends the watch and returns its error.
func (m *Mirror) Stop() error {
	m.stop()
	<-m.done
	return m.err
}

// tell wakes those who wait. The caller holds the lock.
func (m *Mirror) tell() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *Mirror) report(e directory.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.tell()
	m.events = append(m.events, e)
	if e.Cookie != nil {
		m.cookie = slices.Clone(e.Cookie)
	}
	if m.seen == nil && len(m.events) > 1 && (e.Kind == directory.Present || e.Kind == directory.RefreshEnd) ||
		len(m.events) == 1 && e.Kind != directory.RefreshBegin {
		return errors.New("event outside a refresh")
	}
	switch e.Kind {
	case directory.RefreshBegin:
		m.seen = map[changelog.ID]bool{}
	case directory.State:
		m.entries[e.Entry.ID] = *e.Entry
		m.see(e.Entry.ID)
	case directory.Present:
		m.see(e.IDs...)
	case directory.Gone:
		for _, id := range e.IDs {
			delete(m.entries, id)
		}
	case directory.RefreshEnd:
		m.end(e.Complete)
	}
	return nil
}

func (m *Mirror) see(ids ...changelog.ID) {
	if m.seen == nil {
		return
	}
	for _, id := range ids {
		m.seen[id] = true
	}
}

func (m *Mirror) end(complete bool) {
	for id := range m.entries {
		if complete && !m.seen[id] {
			delete(m.entries, id)
		}
	}
	m.seen = nil
}

// Until waits until cond, which may read m's fields, is true.
func (m *Mirror) Until(what string, cond func() bool) {
	m.t.Helper()
	deadline := time.After(patience)
	for {
		m.mu.Lock()
		ok, changed, err := cond(), m.changed, m.err
		m.mu.Unlock()
		switch {
		case ok:
			return
		case err != nil:
			m.t.Fatalf("watch ended before %s: %v", what, err)
		}
		select {
		case <-changed:
		case <-deadline:
			m.t.Fatalf("never %s", what)
		}
	}
}

// Refreshed waits for the end of the first refresh and returns its two ends.
func (m *Mirror) Refreshed() (begin, end directory.Event) {
	m.t.Helper()
	m.Until("refreshed", func() bool {
		i := slices.IndexFunc(m.events, func(e directory.Event) bool { return e.Kind == directory.RefreshEnd })
		if i >= 0 {
			begin, end = m.events[0], m.events[i]
		}
		return i >= 0
	})
	return begin, end
}

// Has waits until the entry called dn has value as the last of attr, "" for
// any.
func (m *Mirror) Has(dn, attr, value string) {
	m.t.Helper()
	m.Until(dn+" has "+attr+" "+value, func() bool {
		for _, e := range m.entries {
			if e.DN == dn && (value == "" || last(e, attr) == value) {
				return true
			}
		}
		return false
	})
}

// Lacks waits until there is no entry id.
func (m *Mirror) Lacks(id changelog.ID) {
	m.t.Helper()
	m.Until("entry "+id.String()+" gone", func() bool { _, ok := m.entries[id]; return !ok && m.seen == nil })
}

// Events returns what was reported.
func (m *Mirror) Events() []directory.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// Kinds counts the events of a kind.
func (m *Mirror) Kinds(k directory.EventKind) (n int) {
	for _, e := range m.Events() {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// Equals checks that m holds the entries of ids as d has them, and no others.
func (m *Mirror) Equals(d directory.Directory, ids []changelog.ID) {
	m.t.Helper()
	want, err := d.Read(m.t.Context(), ids)
	if err != nil {
		m.t.Fatal(err)
	}
	var diff string
	m.mu.Lock()
	got := make([]directory.Entry, 0, len(m.entries))
	for _, e := range m.entries {
		got = append(got, e)
	}
	m.mu.Unlock()
	if diff = cmp.Diff(normal(want), normal(got)); diff != "" {
		m.t.Errorf("what was reported is not what is there (-there +reported):\n%s", diff)
	}
}

// normal sorts entries by DN, their attributes by name and the values.
func normal(entries []directory.Entry) []directory.Entry {
	out := slices.Clone(entries)
	for i := range out {
		attrs := slices.Clone(out[i].Attrs)
		for j := range attrs {
			attrs[j].Values = slices.Sorted(slices.Values(attrs[j].Values))
		}
		slices.SortFunc(attrs, func(a, b directory.Attribute) int { return strings.Compare(a.Name, b.Name) })
		out[i].Attrs = attrs
	}
	slices.SortFunc(out, func(a, b directory.Entry) int { return strings.Compare(a.DN, b.DN) })
	return out
}

func last(e directory.Entry, attr string) string {
	for _, a := range e.Attrs {
		if strings.EqualFold(a.Name, attr) {
			return a.Values[len(a.Values)-1]
		}
	}
	return ""
}
