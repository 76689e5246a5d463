package protocol

import (
	"encoding/base64"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// Item is one pubsub item, or one payload of a pull reply.
type Item struct {
	// ID is "<epoch>-<last>", for a part of a change "<epoch>-<seq>.<n>".
	ID      string
	Payload *element.Element
	// Size is the length of the encoded payload.
	Size int
	// First is the first change that the item holds, wholly or in part. Last
	// is how far the author's changes have been sent completely with this
	// item: for all but the last part of a change, the one before it.
	First, Last uint64
	// Digest and Part are those of a part of a change, else zero; see Resume.
	Digest string
	Part   int
}

// ErrTooLarge is wrapped by the error for a change that cannot be sent at all.
var ErrTooLarge = errors.New("change too large")

const (
	// maxShared bounds the document of a batch of several changes, so that
	// the memory to read one is bounded by the change that needs most.
	maxShared = 1 << 20
	// full is the share of the limit, in percent, with which an item counts as full.
	full = 85
)

// Pack writes consecutive changes of one server as items, each of them as
// many changes as an encoded payload of limit octets takes (at most MaxItem,
// at least MinItem). A change that is too large for one item is cut into parts.
//
// It returns the items of the first n changes. If n is less than
// len(changes), the error says why changes[n] cannot be sent: it wraps
// ErrTooLarge when the change exceeds DefaultLimits.
func Pack(suffix string, sid changelog.SID, epoch uint64, changes []changelog.Change, limit int) (items []Item, n int, err error) {
	if suffix == "" || len(suffix) > MaxSuffix {
		return nil, 0, fmt.Errorf("pack changes: suffix of %d octets", len(suffix))
	}
	p := packer{
		head:    Head{Suffix: suffix, SID: sid, Epoch: epoch},
		changes: changes,
		limit:   min(max(limit, MinItem), MaxItem),
		ratio:   6,
	}
	if len(changes) > 0 {
		p.seq = changes[0].Seq
	}
	for len(p.changes) > 0 {
		more, taken, err := p.next()
		if err != nil {
			return items, n, fmt.Errorf("pack change %s/%d: %w", sid, p.changes[0].Seq, err)
		}
		items = append(items, more...)
		n += taken
		p.seq += uint64(taken)
		p.changes = p.changes[taken:]
		p.ready = p.ready[taken:]
	}
	return items, n, nil
}

// packer cuts a run of changes into items.
type packer struct {
	head    Head
	changes []changelog.Change
	// seq is the sequence number that the first of changes must have.
	seq uint64
	// ready are the first of changes, encoded.
	ready []fragment
	limit int
	// ratio is how many octets of document one octet of payload held last time.
	ratio float64
}

// fragment is one encoded <change>.
type fragment struct {
	xml   []byte
	nodes int
}

// next returns the items of the first changes and how many changes they hold.
func (p *packer) next() ([]Item, int, error) {
	n, err := p.take()
	if err != nil {
		return nil, 0, err
	}
	var best []Item
	fit := 0
	for tries := 0; ; tries++ {
		items, size := p.try(n)
		tooLarge := size > p.limit
		switch {
		case tooLarge && n == 1:
			return p.cut()
		case tooLarge && fit > 0:
			return best, fit, nil
		case !tooLarge:
			best, fit = items, n
			if tries > 2 || size*100 >= p.limit*full {
				return best, fit, nil
			}
		}
		// The ratio is now that of these changes.
		guess, err := p.take()
		switch {
		case tooLarge:
			n = min(n-1, guess)
		case err != nil || guess <= fit:
			return best, fit, nil
		default:
			n = guess
		}
	}
}

// take encodes changes until their document should fill an item or a limit is
// reached, and returns how many these are: at least one.
func (p *packer) take() (int, error) {
	size := min(int(p.ratio*float64(p.limit)*95/100), maxShared)
	length, nodes := 0, 0
	for n := range p.changes {
		if n == len(p.ready) {
			f, err := p.encode(n)
			if err != nil {
				if n > 0 {
					return n, nil
				}
				return 0, err
			}
			p.ready = append(p.ready, f)
		}
		length += len(p.ready[n].xml)
		nodes += p.ready[n].nodes
		if n > 0 && (length > size || nodes > DefaultLimits.Nodes/4 || n == DefaultLimits.Changes) {
			return n, nil
		}
	}
	return len(p.changes), nil
}

// encode returns the n-th change as XML, or why no server could read it.
func (p *packer) encode(n int) (fragment, error) {
	c := &p.changes[n]
	if err := c.Check(); err != nil {
		return fragment{}, err
	}
	if c.SID() != p.head.SID || c.Seq != p.seq+uint64(n) {
		return fragment{}, fmt.Errorf("%w: out of sequence", changelog.ErrChange)
	}
	e := changeElement("", c)
	f := fragment{xml: e.Bytes(), nodes: nodes(e)}
	const around = 8 * MaxSuffix
	if len(f.xml)+around > DefaultLimits.Bytes || f.nodes+8 > DefaultLimits.Nodes {
		return fragment{}, fmt.Errorf("%w: %d octets, %d nodes", ErrTooLarge, len(f.xml), f.nodes)
	}
	return f, nil
}

func nodes(e *element.Element) int {
	n := 1 + len(e.Attrs)
	for _, c := range e.Children {
		n += nodes(c)
	}
	return n
}

// headOf is the head of a batch of the first n changes.
func (p *packer) headOf(n int) Head {
	h := p.head
	h.First, h.Last = p.changes[0].Seq, p.changes[n-1].Seq
	return h
}

// document is the plain XML of the first n changes, which are ready.
func (p *packer) document(n int) []byte {
	const empty = "/>"
	doc := p.headOf(n).element().Bytes()
	doc = append(doc[:len(doc)-len(empty)], '>')
	for _, f := range p.ready[:n] {
		doc = append(doc, f.xml...)
	}
	return append(doc, "</changes>"...)
}

// try returns the item of the first n changes and its size.
func (p *packer) try(n int) ([]Item, int) {
	h := p.headOf(n)
	doc := p.document(n)
	if len(doc) <= plainSize {
		b := Batch{Suffix: h.Suffix, SID: h.SID, Epoch: h.Epoch, Changes: p.changes[:n]}
		return []Item{p.item(h, b.Plain(), len(doc))}, len(doc)
	}
	z := deflate(doc)
	size := len(h.element().Bytes()) + len(" enc='zlib'></changes>") - len("/>") + base64.StdEncoding.EncodedLen(len(z))
	p.ratio = max(1, float64(len(doc))/float64(size))
	if size > p.limit {
		return nil, size
	}
	return []Item{p.item(h, h.compressed(z), size)}, size
}

func (p *packer) item(h Head, payload *element.Element, size int) Item {
	id := decimal(h.Epoch) + "-" + decimal(h.Last)
	return Item{ID: id, Payload: payload, Size: size, First: h.First, Last: h.Last}
}

// cut returns the first change as parts.
func (p *packer) cut() ([]Item, int, error) {
	z := deflate(p.document(1))
	c := &p.changes[0]
	head := partHead{
		suffix: p.head.Suffix, sid: p.head.SID, epoch: p.head.Epoch,
		seq: c.Seq, csn: c.CSN, n: maxParts, of: maxParts, digest: digestOf(z),
	}
	piece := (p.limit - len(head.element(nil).Bytes()) - len("></part>")) / 4 * 3
	if piece < 1 || len(z) > piece*maxParts {
		return nil, 0, fmt.Errorf("%w for items of %d octets: %d octets", ErrTooLarge, p.limit, len(z))
	}
	head.of = (len(z) + piece - 1) / piece
	items := make([]Item, head.of)
	for i := range items {
		head.n = i + 1
		payload := head.element(z[i*piece : min(len(z), (i+1)*piece)])
		items[i] = Item{
			ID:      decimal(head.epoch) + "-" + decimal(c.Seq) + "." + decimal(head.n),
			Payload: payload, Size: len(payload.Bytes()),
			First: c.Seq, Last: c.Seq - 1, Digest: head.digest, Part: head.n,
		}
	}
	items[len(items)-1].Last = c.Seq
	return items, 1, nil
}
