package memory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// Search is a watch that is taken by hand: what Watch reports, as far as it is
// known. It reports as a persistent search of slapd does (RFC 4533 section
// 3.4): the refresh is of one moment, what is written meanwhile follows it.
type Search struct {
	d *Directory
	// queue is what is left of the refresh, in order.
	queue []directory.Event
	// next is the event of the history to report after the refresh.
	next int
	// generation is that of the content the search began with.
	generation int
}

// Search begins a watch from cookie on.
func (d *Directory) Search(cookie []byte) *Search {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &Search{d: d, next: len(d.history), generation: d.generation}
	at, resumed := d.position(cookie)
	s.queue = append(s.queue, directory.Event{Kind: directory.RefreshBegin, Resumed: resumed})
	if resumed {
		s.resume(at)
	} else {
		s.read(d.tree.order)
	}
	s.queue = append(s.queue, directory.Event{
		Kind: directory.RefreshEnd, Complete: !resumed || d.presents, Cookie: d.cookie(s.next),
	})
	return s
}

// Cookie returns what the last of the reports so far is told with.
func (d *Directory) Cookie() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cookie(len(d.history))
}

// cookie returns what to resume with after the first n events.
func (d *Directory) cookie(n int) []byte {
	cookie := make([]byte, 0, 8)
	cookie = append(strconv.AppendInt(cookie, int64(d.generation), 10), '.')
	return strconv.AppendInt(cookie, int64(n), 10)
}

// position reads a cookie; false when the directory cannot resume with it.
func (d *Directory) position(cookie []byte) (at int, ok bool) {
	gen, n, found := strings.Cut(string(cookie), ".")
	if generation, err := strconv.Atoi(gen); !found || err != nil || generation != d.generation {
		return 0, false
	}
	at, err := strconv.Atoi(n)
	return at, err == nil && at >= 0 && at <= len(d.history)
}

// resume queues what changed since event at: with a present phase the ids of
// what did not, else those that were deleted.
func (s *Search) resume(at int) {
	changed, gone := map[changelog.ID]bool{}, []changelog.ID{}
	for _, e := range s.d.history[at:] {
		if e.Entry != nil {
			changed[e.Entry.ID] = true
		}
		gone = append(gone, e.IDs...)
	}
	var same, differ []changelog.ID
	for _, id := range s.d.tree.order {
		if changed[id] {
			differ = append(differ, id)
		} else {
			same = append(same, id)
		}
	}
	switch {
	case s.d.presents && len(same) > 0:
		s.queue = append(s.queue, directory.Event{Kind: directory.Present, IDs: same})
	case !s.d.presents && len(gone) > 0:
		s.queue = append(s.queue, directory.Event{Kind: directory.Gone, IDs: gone})
	}
	s.read(differ)
}

func (s *Search) read(ids []changelog.ID) {
	for _, id := range ids {
		s.queue = append(s.queue, directory.Event{Kind: directory.State, Entry: s.d.report(id)})
	}
}

// Next returns up to max further events, none when nothing is known; what they point
// to must not be changed. It returns directory.ErrUnavailable when the directory is down
// or was restored since the search began; the search is over then.
func (s *Search) Next(max int) ([]directory.Event, error) {
	d := s.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down || s.generation != d.generation {
		return nil, directory.ErrUnavailable
	}
	n := min(max, len(s.queue))
	out := slices.Clip(s.queue[:n])
	s.queue = s.queue[n:]
	for ; len(out) < max && len(s.queue) == 0 && s.next < len(d.history); s.next++ {
		e := d.history[s.next]
		e.Cookie = d.cookie(s.next + 1)
		out = append(out, e)
	}
	return out, nil
}

// Watch implements directory.Directory.
func (d *Directory) Watch(ctx context.Context, cookie []byte, report func(directory.Event) error) error {
	s := d.Search(cookie)
	for {
		wake := d.changed()
		events, err := s.Next(1)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := report(e); err != nil {
				return err
			}
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		}
	}
}
