package protocol

import (
	"encoding/base64"
	"encoding/binary"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// Page is a page of a server's state.
type Page struct {
	Suffix string
	// More says that there is something behind Next.
	More bool
	Next Place
	// Vector is how far the server reached when it read the page: the state
	// contains what the changes within it did.
	Vector changelog.Vector
	// Members are the changes from which it follows who the members are; on
	// the first page only.
	Members []changelog.Change
	// Records are about entries, by ascending id: each the id and what package
	// dit makes of the rest.
	Records [][]byte
}

// pageHead is what every part of a page says.
type pageHead struct {
	Page
	// n counts from 1 to of; digest is that of the whole zlib form.
	n, of  int
	digest string
}

// Element returns the <snapped> reply that holds a page, or, of one that does
// not fit in limit octets, the part wanted. Parts says how many there are: who
// can send less at a time may do so.
func (p Page) Element(from *PageResume, limit int) (e *element.Element, parts int) {
	z := deflate(p.document())
	h := pageHead{Page: p, n: maxParts, of: maxParts, digest: digestOf(z)}
	piece := max(1, (min(max(limit, MinItem), MaxItem)-len(h.element([]byte{0}).Bytes()))/4*3)
	h.of = max(1, (len(z)+piece-1)/piece)
	h.n = 1
	if from != nil && from.Digest == h.digest && from.Part <= h.of {
		h.n = from.Part
	}
	return h.element(z[(h.n-1)*piece : min(len(z), h.n*piece)]), h.of
}

func (h pageHead) element(piece []byte) *element.Element {
	e := element.New(NS, "snapped")
	setOctets(e, "suffix", h.Suffix)
	if h.More {
		e.SetAttr("more", "1")
	}
	for _, sid := range h.Vector.SIDs() {
		e.With(markElement(sid, h.Vector[sid]))
	}
	e.With(h.Next.element("next"))
	return e.With(element.New(NS, "records", "n", decimal(h.n), "of", decimal(h.of), "sha256", h.digest).
		WithText(base64.StdEncoding.EncodeToString(piece)))
}

// parsePage reads one part of a page.
func parsePage(e *element.Element) (h pageHead, piece []byte, err error) {
	if e.Is(NS, "busy") {
		b, err := ParseBusy(e)
		if err != nil {
			return h, nil, err
		}
		return h, nil, b
	}
	r := open(e, "snapped")
	h.Suffix, h.More = r.suffix(), r.flag("more")
	h.Vector = r.vector()
	next, records := r.e.All(NS, "next"), r.e.All(NS, "records")
	if len(next) != 1 || len(records) != 1 {
		r.fail("not one <next> and one <records>")
		return h, nil, r.err
	}
	h.Next = *r.place(next[0])
	rr := open(records[0], "records")
	h.n, h.of, h.digest = int(rr.number("n", maxParts)), int(rr.number("of", maxParts)), rr.digest("sha256")
	if h.n < 1 || h.n > h.of {
		rr.fail("part %d of %d", h.n, h.of)
	}
	piece, err = fromBase64(records[0].Text)
	rr.adopt(err)
	r.adopt(rr.finish())
	return h, piece, r.finish("csn", "next", "records")
}

// maxPage is the length of the longest document of a page: one record may hold
// the longest value that a change can.
const maxPage = 32 << 20

// document returns the members and records, each behind its length as uvarint; a
// change follows on an id of zeros.
func (p Page) document() []byte {
	var b []byte
	for i := range p.Members {
		change := append(make([]byte, len(changelog.ID{})), changeElement(NS, &p.Members[i]).Bytes()...)
		b = append(binary.AppendUvarint(b, uint64(len(change))), change...)
	}
	for _, r := range p.Records {
		b = append(binary.AppendUvarint(b, uint64(len(r))), r...)
	}
	return b
}

// readDocument is the inverse of document.
func (p *Page) readDocument(doc []byte) error {
	for len(doc) > 0 {
		n, size := binary.Uvarint(doc)
		if size <= 0 || n < uint64(len(changelog.ID{})) || n > uint64(len(doc)-size) {
			return malformed("length of a record")
		}
		record := doc[size : size+int(n)]
		doc = doc[size+int(n):]
		var id changelog.ID
		if copy(id[:], record); !id.IsZero() {
			p.Records = append(p.Records, record)
			continue
		}
		c, err := parseMember(record[len(id):])
		if err != nil {
			return err
		}
		p.Members = append(p.Members, c)
	}
	return nil
}

// parseMember reads a change that says something about members.
func parseMember(text []byte) (changelog.Change, error) {
	e, err := element.Parse(text, element.Limits{Depth: 2, Nodes: 64, Bytes: MaxItem})
	if err != nil {
		return changelog.Change{}, malformed("change of members: %v", err)
	}
	c, err := parseChange(e)
	if err == nil && c.Op != changelog.OpHeartbeat && c.Op != changelog.OpForget {
		err = malformed("%s among the changes of members", c.Op)
	}
	return c, err
}

// Pages puts pages together from the replies of one server, which come in order.
// The zero Pages is ready to use.
type Pages struct {
	digest string
	n      int
	z      []byte
}

// Add takes a reply. It returns a page when it is complete; otherwise the
// request to repeat has to say From. A <busy> is returned as a *Busy error.
func (p *Pages) Add(e *element.Element) (page Page, complete bool, err error) {
	h, piece, err := parsePage(e)
	if err != nil {
		return Page{}, false, err
	}
	if h.n == 1 {
		*p = Pages{digest: h.digest}
	}
	if h.digest != p.digest || h.n != p.n+1 {
		return Page{}, false, malformed("part %d of a page behind %d", h.n, p.n)
	}
	p.n, p.z = h.n, append(p.z, piece...)
	if len(p.z) > maxPage {
		return Page{}, false, malformed("page of more than %d octets", maxPage)
	}
	if h.n < h.of {
		return Page{}, false, nil
	}
	z := p.z
	*p = Pages{}
	if digestOf(z) != h.digest {
		return Page{}, false, malformed("page is not as announced")
	}
	doc, err := inflate(z, maxPage)
	if err != nil {
		return Page{}, false, err
	}
	page = h.Page
	return page, true, page.readDocument(doc)
}

// From returns what the next request has to say to get the rest of a page, nil
// where none is begun.
func (p *Pages) From() *PageResume {
	if p.n == 0 {
		return nil
	}
	return &PageResume{Digest: p.digest, Part: p.n + 1}
}
