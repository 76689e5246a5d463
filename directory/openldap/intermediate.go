package openldap

import (
	"context"
	"sync"

	"ldapsync/changelog"
)

// semaphore is a mutex that can be waited for with a context.
type semaphore chan struct{}

func (s semaphore) lock(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s semaphore) unlock() { <-s }

// intermediates keeps the states between two writes of one batch to one entry,
// which nobody meant anybody to see, from being reported: what is told of such an
// entry waits until the batch is done, and what is older than its last state is
// dropped.
type intermediates struct {
	mu       sync.Mutex
	searches map[*floors]struct{}
	written  chan struct{} // closed, and another made, when something was written
}

func newIntermediates() *intermediates {
	return &intermediates{searches: map[*floors]struct{}{}, written: make(chan struct{})}
}

// wrote returns a channel that is closed when something is written.
func (m *intermediates) wrote() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written
}

func (m *intermediates) tellWritten() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.written)
	m.written = make(chan struct{})
}

// search returns the floors of a new search.
func (m *intermediates) search() *floors {
	f := &floors{pending: map[changelog.ID]chan struct{}{}, last: map[changelog.ID]changelog.CSN{}, failed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.searches[f] = struct{}{}
	return f
}

func (m *intermediates) forget(f *floors) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.searches, f)
}

func (m *intermediates) each(f func(*floors)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.searches {
		s.mu.Lock()
		f(s)
		s.mu.Unlock()
	}
}

// begin says that the entries ids are about to be written more than once.
func (m *intermediates) begin(ids []changelog.ID) {
	m.each(func(f *floors) {
		for _, id := range ids {
			f.pending[id] = make(chan struct{})
		}
	})
}

// settle says that the writes to ids are made, and which CSNs the entries that
// are there have since.
func (m *intermediates) settle(ids []changelog.ID, final map[changelog.ID]changelog.CSN) {
	m.each(func(f *floors) {
		for _, id := range ids {
			f.settle(id, final[id])
		}
	})
}

// fail says that nobody knows what became of the entries that were begun.
func (m *intermediates) fail() {
	m.each(func(f *floors) {
		select {
		case <-f.failed:
		default:
			close(f.failed)
		}
	})
}

// floors are, for one search, the entries whose older states are not reported.
type floors struct {
	mu      sync.Mutex
	pending map[changelog.ID]chan struct{} // closed when the last CSN is known
	last    map[changelog.ID]changelog.CSN
	failed  chan struct{} // closed when a last CSN will never be known
}

// settle is called with f locked. A search that began after the writes knows
// nothing of id.
func (f *floors) settle(id changelog.ID, last changelog.CSN) {
	done, ok := f.pending[id]
	if !ok {
		return
	}
	delete(f.pending, id)
	if !last.IsZero() {
		f.last[id] = last
	}
	close(done)
}

// passes waits until it is known whether the state of id at csn, zero for its
// end, is to be reported.
func (f *floors) passes(ctx context.Context, id changelog.ID, csn changelog.CSN) (bool, error) {
	for {
		f.mu.Lock()
		done := f.pending[id]
		if done == nil {
			defer f.mu.Unlock()
			last, ok := f.last[id]
			if ok && !csn.IsZero() && csn.Before(last) {
				return false, nil
			}
			delete(f.last, id)
			return true, nil
		}
		f.mu.Unlock()
		select {
		case <-done:
		case <-f.failed:
			return false, errOutcomeUnknown
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
