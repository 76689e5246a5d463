package changelog

import (
	"fmt"
	"slices"
)

// Since calls fn with every change that a copy reaching as far as have lacks, of the
// servers in upTo none beyond it, until fn returns false. They come by ascending CSN:
// none before what its author had seen. It returns ErrGap when the log no longer
// reaches back far enough for some server.
func (l *Log) Since(have, upTo Seqs, fn func(*Change) bool) error {
	v, err := l.Vector()
	if err != nil {
		return err
	}
	var heads []*head
	for _, sid := range v.SIDs() {
		h := &head{sid: sid, at: have[sid], last: v[sid].Seq}
		if limit, ok := upTo[sid]; ok {
			h.last = min(h.last, limit)
		}
		if h.at >= h.last {
			continue
		}
		if first := l.First(sid); first == 0 || first > h.at+1 {
			return fmt.Errorf("%w: log of server %s begins at %d", ErrGap, sid, first)
		}
		if err := h.fill(l); err != nil {
			return err
		}
		heads = append(heads, h)
	}
	for len(heads) > 0 {
		h := slices.MinFunc(heads, func(a, b *head) int { return a.next[0].CSN.Compare(b.next[0].CSN) })
		if !fn(h.next[0]) {
			return nil
		}
		if h.next = h.next[1:]; len(h.next) > 0 {
			continue
		}
		if err := h.fill(l); err != nil {
			return err
		}
		if len(h.next) == 0 {
			heads = slices.DeleteFunc(heads, func(o *head) bool { return o == h })
		}
	}
	return nil
}

// head is how far the changes of one server have been read, to at and not beyond last.
type head struct {
	sid      SID
	at, last uint64
	next     []*Change
}

// headSize is how many changes of one server are read at a time.
const headSize = 32

// fill reads the next changes, of which there are none at last.
func (h *head) fill(l *Log) error {
	h.next = h.next[:0]
	if h.at >= h.last {
		return nil
	}
	return l.After(h.sid, h.at, func(c *Change) bool {
		h.next, h.at = append(h.next, c), c.Seq
		return len(h.next) < headSize && h.at < h.last
	})
}
