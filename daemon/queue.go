package daemon

import (
	"context"
	"sync"

	"ldapsync/pubsub"
)

// maxQueued bounds the events that wait; what is dropped shows as a gap and is
// pulled.
const maxQueued = 20_000

// queue holds events between the session, which must not wait, and the store,
// which takes its time.
type queue struct {
	mu     sync.Mutex
	events []pubsub.Event
	wake   chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) put(e pubsub.Event) {
	q.mu.Lock()
	if len(q.events) < maxQueued {
		q.events = append(q.events, e)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for events and returns all there are; false when ctx has ended.
func (q *queue) take(ctx context.Context) ([]pubsub.Event, bool) {
	for {
		q.mu.Lock()
		out := q.events
		q.events = nil
		q.mu.Unlock()
		if len(out) > 0 {
			return out, true
		}
		select {
		case <-ctx.Done():
			return nil, false
		case <-q.wake:
		}
	}
}
