package protocol

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// Pull asks a server for changes.
type Pull struct {
	Suffix string
	// SID is the number of the server that asks, 0 for one that has none.
	SID changelog.SID
	// Max is the most octets of payload wanted in one reply; 0 leaves it to
	// the server asked. See Page.
	Max int
	// Have is how far the asking copy reaches; a server not named stands at 0.
	Have changelog.Seqs
	// From continues within a change that came in parts.
	From *Resume
}

// Resume names the first part that is still wanted of a change that is cut
// into parts.
type Resume struct {
	SID changelog.SID
	Seq uint64
	// Digest and Part are as in Item. A server whose own cut has another
	// digest begins again with part 1.
	Digest string
	Part   int
}

// Page returns the octets of payload for one reply, MinItem to MaxItem.
func (p Pull) Page() int {
	if p.Max == 0 {
		return MaxItem
	}
	return min(max(p.Max, MinItem), MaxItem)
}

// Element returns the <pull> request.
func (p Pull) Element() *element.Element {
	e := element.New(NS, "pull")
	setOctets(e, "suffix", p.Suffix)
	if p.SID != 0 {
		e.SetAttr("sid", decimal(p.SID))
	}
	if p.Max > 0 {
		e.SetAttr("max", decimal(p.Max))
	}
	for _, sid := range slices.Sorted(maps.Keys(p.Have)) {
		e.With(element.New(NS, "csn", "sid", decimal(sid), "seq", decimal(p.Have[sid])))
	}
	if f := p.From; f != nil {
		e.With(element.New(NS, "from", "sid", decimal(f.SID), "seq", decimal(f.Seq),
			"sha256", f.Digest, "n", decimal(f.Part)))
	}
	return e
}

// ParsePull reads a <pull>.
func ParsePull(e *element.Element) (Pull, error) {
	r := open(e, "pull")
	p := Pull{Suffix: r.suffix(), Have: changelog.Seqs{}}
	if e.Attr("sid") != "" {
		p.SID = r.sid("sid")
	}
	if e.Attr("max") != "" {
		p.Max = int(r.number("max", 1<<31-1))
	}
	for _, c := range r.e.All(NS, "csn") {
		cr := open(c, "csn")
		sid, seq := cr.sid("sid"), cr.number("seq", 1<<64-1)
		r.adopt(cr.finish())
		if _, twice := p.Have[sid]; twice {
			r.fail("two <csn> of server %s", sid)
		}
		p.Have[sid] = seq
	}
	for _, f := range r.e.All(NS, "from") {
		if p.From != nil {
			r.fail("two <from>")
		}
		p.From = r.resume(f)
	}
	if err := r.finish("csn", "from"); err != nil {
		return Pull{}, err
	}
	return p, nil
}

func (r *reader) resume(e *element.Element) *Resume {
	fr := open(e, "from")
	f := &Resume{
		SID:    fr.sid("sid"),
		Seq:    fr.number("seq", 1<<64-1),
		Digest: fr.digest("sha256"),
		Part:   int(fr.number("n", maxParts)),
	}
	if f.Seq == 0 || f.Part == 0 {
		fr.fail("sequence or part number 0")
	}
	r.adopt(fr.finish())
	return f
}

// Pulled is one page of the answer to a Pull.
type Pulled struct {
	Suffix string
	// More says that the answering server has more than this page.
	More bool
	// Trimmed says that the log no longer reaches back to what the asking copy
	// has: it needs a snapshot.
	Trimmed bool
	// Removed is when the asking server was removed from the members, zero when it
	// was not: it gets nothing any more.
	Removed changelog.CSN
	// Own says that its own account did so, under another sid.
	Own bool
	// Payloads are <changes> and <part> elements, for an Assembler.
	Payloads []*element.Element
}

// Element returns the <pulled> reply.
func (p Pulled) Element() *element.Element {
	e := element.New(NS, "pulled")
	setOctets(e, "suffix", p.Suffix)
	if p.More {
		e.SetAttr("more", flag(p.More))
	}
	if p.Trimmed {
		e.SetAttr("trimmed", flag(p.Trimmed))
	}
	if !p.Removed.IsZero() {
		e.SetAttr("removed", p.Removed.String())
	}
	if p.Own {
		e.SetAttr("own", flag(p.Own))
	}
	return e.With(p.Payloads...)
}

// ParsePulled reads the answer to a Pull: a <pulled>, or a <busy>, which is
// returned as a *Busy error. The payloads are not looked into.
func ParsePulled(e *element.Element) (Pulled, error) {
	if e.Is(NS, "busy") {
		b, err := ParseBusy(e)
		if err != nil {
			return Pulled{}, err
		}
		return Pulled{}, b
	}
	r := open(e, "pulled")
	p := Pulled{Suffix: r.suffix(), More: r.flag("more"), Trimmed: r.flag("trimmed"), Payloads: r.e.Children}
	if text := r.attr("removed", 64); text != "" {
		p.Removed = r.csn(text)
	}
	if p.Own = r.flag("own"); p.Own && p.Removed.IsZero() {
		r.fail("own without removed")
	}
	if (p.Trimmed || !p.Removed.IsZero()) && len(p.Payloads) > 0 {
		r.fail("payloads beside a refusal")
	}
	if len(p.Payloads) > DefaultLimits.Changes {
		r.fail("%d payloads", len(p.Payloads))
	}
	if err := r.finish("changes", "part"); err != nil {
		return Pulled{}, err
	}
	return p, nil
}

// Busy is the answer of a server that has no time for a Pull.
type Busy struct {
	Suffix string
	// Retry is when to ask again at the earliest, in whole seconds, at most a day.
	Retry time.Duration
	// Others are full JIDs of servers that may answer sooner.
	Others []string
}

// maxOthers bounds the servers that a Busy names.
const maxOthers = 64

func (b *Busy) Error() string { return fmt.Sprintf("server is busy, retry after %s", b.Retry) }

// Element returns the <busy> reply.
func (b *Busy) Element() *element.Element {
	e := element.New(NS, "busy")
	setOctets(e, "suffix", b.Suffix)
	e.SetAttr("retry", decimal(int(b.Retry/time.Second)))
	for _, jid := range b.Others {
		o := element.New(NS, "other")
		setOctets(o, "jid", jid)
		e.With(o)
	}
	return e
}

// ParseBusy reads a <busy>.
func ParseBusy(e *element.Element) (*Busy, error) {
	r := open(e, "busy")
	b := &Busy{
		Suffix: r.suffix(),
		Retry:  time.Duration(r.number("retry", 24*60*60)) * time.Second,
	}
	for _, o := range r.e.All(NS, "other") {
		or := open(o, "other")
		jid := or.octets("jid", maxJID)
		if jid == "" {
			or.fail("no jid")
		}
		r.adopt(or.finish())
		b.Others = append(b.Others, jid)
	}
	if len(b.Others) > maxOthers {
		r.fail("more than %d servers", maxOthers)
	}
	if err := r.finish("other"); err != nil {
		return nil, err
	}
	return b, nil
}
