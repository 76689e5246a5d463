package protocol

import (
	"slices"

	"ldapsync/xmpp/element"
)

// Bounds of an Assembler, in octets of parts held and changes begun.
const (
	// perSource is how many changes of one source are put together at a time.
	perSource = 4
	// maxHeld is what all unfinished changes together may take.
	maxHeld = 64 << 20
	// partCost is what one held part takes beside its octets.
	partCost = 128
)

// Assembler turns payloads into batches: it opens <changes>, and puts changes
// that came in parts together again, in whatever order and however often the
// parts arrive. What it holds is bounded; the oldest unfinished change goes
// first. A part that was lost shows as a gap, like a lost batch. The zero
// Assembler is ready to use; it is not safe for concurrent use.
type Assembler struct {
	// Limits default to DefaultLimits.
	Limits Limits
	// begun are the unfinished changes, oldest first.
	begun []*assembly
	held  int
}

// assembly is a change of which some parts are here.
type assembly struct {
	source string
	// head has n set to 0.
	head   partHead
	pieces map[int][]byte
	held   int
}

// Add takes a payload that came from source, any name for where it comes from.
// It returns a batch and true when the payload completes one. An error means
// that the payload, or the change it completes, is not as specified.
func (a *Assembler) Add(source string, payload *element.Element) (Batch, bool, error) {
	if !payload.Is(NS, "part") {
		b, err := ParseBatch(payload, a.limits())
		return b, err == nil, err
	}
	head, piece, err := parsePart(payload)
	if err != nil {
		return Batch{}, false, err
	}
	n := head.n
	head.n = 0
	s := a.find(source, head)
	if s.pieces[n] == nil {
		s.pieces[n] = piece
		s.held += len(piece) + partCost
		a.held += len(piece) + partCost
	}
	if len(s.pieces) < head.of && s.held <= a.limits().Bytes+maxParts*partCost {
		a.bound(s)
		return Batch{}, false, nil
	}
	a.drop(s)
	b, err := s.batch(a.limits())
	return b, err == nil, err
}

// Forget drops what has come of unfinished changes from source.
func (a *Assembler) Forget(source string) {
	for _, s := range slices.Clone(a.begun) {
		if s.source == source {
			a.drop(s)
		}
	}
}

func (a *Assembler) limits() Limits {
	if a.Limits == (Limits{}) {
		return DefaultLimits
	}
	return a.Limits
}

// find returns the assembly of a part, a new one where there is none.
func (a *Assembler) find(source string, head partHead) *assembly {
	for _, s := range a.begun {
		if s.source == source && s.head == head {
			return s
		}
	}
	s := &assembly{source: source, head: head, pieces: map[int][]byte{}}
	a.begun = append(a.begun, s)
	return s
}

// bound drops the oldest assemblies, other than keep, that are too many.
func (a *Assembler) bound(keep *assembly) {
	same := 0
	for _, s := range a.begun {
		if s.source == keep.source {
			same++
		}
	}
	for _, s := range slices.Clone(a.begun) {
		if s == keep {
			continue
		}
		tooMany := s.source == keep.source && same > perSource
		if tooMany || a.held > maxHeld {
			a.drop(s)
		}
		if tooMany {
			same--
		}
	}
}

func (a *Assembler) drop(s *assembly) {
	a.begun = slices.DeleteFunc(a.begun, func(t *assembly) bool { return t == s })
	a.held -= s.held
}

// batch opens the change whose parts are all here.
func (s *assembly) batch(limits Limits) (Batch, error) {
	h := s.head
	var z []byte
	for n := 1; n <= h.of; n++ {
		z = append(z, s.pieces[n]...)
	}
	if len(s.pieces) < h.of || digestOf(z) != h.digest {
		return Batch{}, malformed("parts of change %s/%d: too large or not as announced", h.sid, h.seq)
	}
	b, err := parseCompressed(z, Head{h.suffix, h.sid, h.epoch, h.seq, h.seq}, limits)
	if err != nil {
		return Batch{}, err
	}
	if b.Changes[0].CSN != h.csn {
		return Batch{}, malformed("parts of change %s/%d: other CSN", h.sid, h.seq)
	}
	return b, nil
}
