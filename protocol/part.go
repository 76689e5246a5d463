package protocol

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// maxParts is the largest number of parts of one change.
const maxParts = 1 << 14

// partHead is what every part of a change that is too large for one item says.
// Parts with equal heads, but for n, are pieces of one zlib form of one document.
type partHead struct {
	suffix string
	sid    changelog.SID
	epoch  uint64
	seq    uint64
	csn    changelog.CSN
	// n counts from 1 to of.
	n, of int
	// digest is the SHA-256 of the whole zlib form, in hexadecimal.
	digest string
}

func (p partHead) element(piece []byte) *element.Element {
	e := element.New(NS, "part")
	setOctets(e, "suffix", p.suffix)
	e.SetAttr("sid", decimal(p.sid))
	e.SetAttr("epoch", decimal(p.epoch))
	e.SetAttr("seq", decimal(p.seq))
	e.SetAttr("csn", p.csn.String())
	e.SetAttr("n", decimal(p.n))
	e.SetAttr("of", decimal(p.of))
	e.SetAttr("sha256", p.digest)
	return e.WithText(base64.StdEncoding.EncodeToString(piece))
}

func parsePartHead(r *reader) (partHead, error) {
	p := partHead{
		suffix: r.suffix(),
		sid:    r.sid("sid"),
		epoch:  r.number("epoch", 1<<64-1),
		seq:    r.number("seq", 1<<64-1),
		csn:    r.csn(r.attr("csn", 64)),
		n:      int(r.number("n", maxParts)),
		of:     int(r.number("of", maxParts)),
		digest: r.digest("sha256"),
	}
	switch {
	case p.seq == 0 || p.csn.SID != p.sid:
		r.fail("not of a change of server %s", p.sid)
	case p.n < 1 || p.n > p.of:
		r.fail("part %d of %d", p.n, p.of)
	}
	return p, r.err
}

// digest reads a SHA-256 in lower-case hexadecimal.
func (r *reader) digest(name string) string {
	s := r.attr(name, 2*sha256.Size)
	if b, err := hex.DecodeString(s); err != nil || hex.EncodeToString(b) != s || len(b) != sha256.Size {
		r.fail("%s is not a SHA-256", name)
	}
	return s
}

// ParseLast returns whose changes an item holds, and the number and time of the
// last of them, of which it may hold a part only.
func ParseLast(e *element.Element) (Head, changelog.Mark, error) {
	if e == nil {
		return Head{}, changelog.Mark{}, malformed("no payload")
	}
	if e.Is(NS, "part") {
		p, _, err := parsePart(e)
		return Head{p.suffix, p.sid, p.epoch, p.seq, p.seq}, changelog.Mark{Seq: p.seq, CSN: p.csn}, err
	}
	b, err := ParseBatch(e, DefaultLimits)
	if err != nil {
		return Head{}, changelog.Mark{}, err
	}
	last := &b.Changes[len(b.Changes)-1]
	return b.Head(), changelog.Mark{Seq: last.Seq, CSN: last.CSN}, nil
}

func parsePart(e *element.Element) (partHead, []byte, error) {
	r := open(e, "part")
	p, _ := parsePartHead(r)
	piece, err := fromBase64(e.Text)
	r.adopt(err)
	if err := r.finish(); err != nil {
		return partHead{}, nil, err
	}
	return p, piece, nil
}

func digestOf(z []byte) string {
	sum := sha256.Sum256(z)
	return hex.EncodeToString(sum[:])
}
