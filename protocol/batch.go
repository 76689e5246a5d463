package protocol

import (
	"encoding/base64"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// Head says which changes a payload holds, without opening it.
type Head struct {
	Suffix string
	SID    changelog.SID
	// Epoch is the author's incarnation.
	Epoch uint64
	// First and Last are sequence numbers; equal for a part of a change.
	First, Last uint64
}

// Batch is consecutive changes of one server.
type Batch struct {
	Suffix string
	SID    changelog.SID
	// Epoch is the author's incarnation.
	Epoch uint64
	// Changes are in the order of their sequence numbers, at least one.
	Changes []changelog.Change
}

// Head returns what b holds.
func (b Batch) Head() Head {
	h := Head{Suffix: b.Suffix, SID: b.SID, Epoch: b.Epoch}
	if n := len(b.Changes); n > 0 {
		h.First, h.Last = b.Changes[0].Seq, b.Changes[n-1].Seq
	}
	return h
}

func (h Head) element() *element.Element {
	e := element.New(NS, "changes")
	setOctets(e, "suffix", h.Suffix)
	e.SetAttr("sid", decimal(h.SID))
	e.SetAttr("epoch", decimal(h.Epoch))
	e.SetAttr("first", decimal(h.First))
	e.SetAttr("last", decimal(h.Last))
	return e
}

// Plain returns the uncompressed form of b.
func (b Batch) Plain() *element.Element {
	e := b.Head().element()
	for i := range b.Changes {
		e.With(changeElement(NS, &b.Changes[i]))
	}
	return e
}

// Element returns b as it is sent: plain when short, else compressed. The
// result may be larger than an item; see Pack.
func (b Batch) Element() *element.Element {
	plain := b.Plain()
	doc := plain.Bytes()
	if len(doc) <= plainSize {
		return plain
	}
	return b.Head().compressed(deflate(doc))
}

// compressed returns the <changes> that holds z, the document in zlib form.
func (h Head) compressed(z []byte) *element.Element {
	e := h.element()
	e.SetAttr("enc", "zlib")
	return e.WithText(base64.StdEncoding.EncodeToString(z))
}

// ParseHead reads the head of a <changes> or <part>. The rest of the payload
// is not looked at.
func ParseHead(e *element.Element) (Head, error) {
	if e.Is(NS, "part") {
		p, err := parsePartHead(open(e, "part"))
		return Head{p.suffix, p.sid, p.epoch, p.seq, p.seq}, err
	}
	r := open(e, "changes")
	return r.head(), r.err
}

func (r *reader) head() Head {
	h := Head{
		Suffix: r.suffix(),
		SID:    r.sid("sid"),
		Epoch:  r.number("epoch", 1<<64-1),
		First:  r.number("first", 1<<64-1),
		Last:   r.number("last", 1<<64-1),
	}
	if h.First == 0 || h.First > h.Last {
		r.fail("first and last are not a range")
	}
	return h
}

// ParseBatch reads a <changes> in either form. Every change of the result
// passes Change.Check, is by the batch's server and follows the one before.
func ParseBatch(e *element.Element, limits Limits) (Batch, error) {
	r := open(e, "changes")
	h := r.head()
	switch enc := r.attr("enc", 16); enc {
	case "":
		return parsePlain(r, h, limits)
	case "zlib":
		z, err := fromBase64(e.Text)
		r.adopt(err)
		if err := r.finish(); err != nil {
			return Batch{}, err
		}
		return parseCompressed(z, h, limits)
	default:
		r.fail("unknown encoding %.20q", enc)
		return Batch{}, r.err
	}
}

// parseCompressed reads the document in z, which must be what h announced.
func parseCompressed(z []byte, h Head, limits Limits) (Batch, error) {
	doc, err := inflate(z, limits.Bytes)
	if err != nil {
		return Batch{}, err
	}
	e, err := element.Parse(doc, element.Limits{Depth: 8, Nodes: limits.Nodes, Bytes: limits.Bytes})
	if err != nil {
		return Batch{}, malformed("compressed document: %v", err)
	}
	r := open(e, "changes")
	if inner := r.head(); inner != h {
		r.fail("compressed document is not the one announced")
	}
	return parsePlain(r, h, limits)
}

// parsePlain reads the changes of r, whose head h is read already.
func parsePlain(r *reader, h Head, limits Limits) (Batch, error) {
	if err := r.finish("change"); err != nil {
		return Batch{}, err
	}
	n := len(r.e.Children)
	if n > limits.Changes || uint64(n) != h.Last-h.First+1 {
		r.fail("%d changes for %d to %d", n, h.First, h.Last)
		return Batch{}, r.err
	}
	b := Batch{Suffix: h.Suffix, SID: h.SID, Epoch: h.Epoch, Changes: make([]changelog.Change, n)}
	for i, child := range r.e.Children {
		c, err := parseChange(child)
		if err != nil {
			return Batch{}, err
		}
		if c.SID() != h.SID || c.Seq != h.First+uint64(i) {
			r.fail("change %s/%d in place of %s/%d", c.SID(), c.Seq, h.SID, h.First+uint64(i))
			return Batch{}, r.err
		}
		b.Changes[i] = c
	}
	return b, nil
}
