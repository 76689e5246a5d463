package xmpp

import (
	"errors"
	"sync"

	"ldapsync/xmpp/element"
)

// maxQueued is the number of bytes of stanzas that may wait for their
// handlers. Beyond it the session ends: handlers that are so far behind are
// better served by asking later for what they missed, which the protocol above
// can do at any time, than by a process without memory.
const maxQueued = 64 << 20

var errBacklog = errors.New("stanzas arrive faster than they are handled")

// event is a stanza for the handlers, or something to run between stanzas.
type event struct {
	stanza *element.Element
	size   int
	run    func()
}

// queue is what the dispatcher has still to do, in order.
type queue struct {
	mu     sync.Mutex
	events []event
	bytes  int
	ready  chan struct{}
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// stanza appends a stanza, or returns errBacklog.
func (q *queue) stanza(e *element.Element) error {
	size := footprint(e)
	q.mu.Lock()
	full := q.bytes+size > maxQueued
	if !full {
		q.events = append(q.events, event{stanza: e, size: size})
		q.bytes += size
	}
	q.mu.Unlock()
	if full {
		return errBacklog
	}
	q.signal()
	return nil
}

// call appends something to run.
func (q *queue) call(fn func()) {
	q.mu.Lock()
	q.events = append(q.events, event{run: fn})
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take waits for events and returns them all. They count as queued until done
// is called for each.
func (q *queue) take() []event {
	for {
		q.mu.Lock()
		events := q.events
		q.events = nil
		q.mu.Unlock()
		if len(events) > 0 {
			return events
		}
		<-q.ready
	}
}

func (q *queue) done(e event) {
	q.mu.Lock()
	q.bytes -= e.size
	q.mu.Unlock()
}

// footprint estimates the memory that e holds.
func footprint(e *element.Element) int {
	const perElement, perAttr = 160, 64
	n := perElement + len(e.Text)
	for _, a := range e.Attrs {
		n += perAttr + len(a.Value)
	}
	for _, c := range e.Children {
		n += footprint(c)
	}
	return n
}
