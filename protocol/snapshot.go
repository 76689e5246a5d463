package protocol

import (
	"encoding/base64"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// Snapshot asks a server for a page of its state.
type Snapshot struct {
	Suffix string
	// Max is as in Pull.
	Max int
	// After is where the last page ended, nil for the first page.
	After *Place
	// From continues within a page that is sent in parts.
	From *PageResume
}

// Place is a place in the order in which a server goes through its state: an
// entry, and what the server itself wrote about how far within it.
type Place struct {
	ID changelog.ID
	// Within has at most MaxWithin octets; empty where the entry is complete.
	Within []byte
}

// PageResume names the first part that is wanted of a page in parts. A server
// whose own page has another digest begins again with part 1.
type PageResume struct {
	Digest string
	Part   int
}

// MaxWithin is the length of the longest Place.Within.
const MaxWithin = 16 << 10

// Page returns the octets of payload for one reply, MinItem to MaxItem.
func (s Snapshot) Page() int { return Pull{Max: s.Max}.Page() }

// Element returns the <snapshot> request.
func (s Snapshot) Element() *element.Element {
	e := element.New(NS, "snapshot")
	setOctets(e, "suffix", s.Suffix)
	if s.Max > 0 {
		e.SetAttr("max", decimal(s.Max))
	}
	if s.After != nil {
		e.With(s.After.element("after"))
	}
	if f := s.From; f != nil {
		e.With(element.New(NS, "from", "sha256", f.Digest, "n", decimal(f.Part)))
	}
	return e
}

func (p Place) element(local string) *element.Element {
	e := element.New(NS, local, "id", p.ID.String())
	if len(p.Within) > 0 {
		e.SetAttr("within", base64.StdEncoding.EncodeToString(p.Within))
	}
	return e
}

func (r *reader) place(e *element.Element) *Place {
	pr := open(e, e.Name.Local)
	p := &Place{ID: pr.id("id")}
	if text := pr.attr("within", base64.StdEncoding.EncodedLen(MaxWithin)); text != "" {
		var err error
		p.Within, err = fromBase64(text)
		pr.adopt(err)
	}
	r.adopt(pr.finish())
	return p
}

// ParseSnapshot reads a <snapshot>.
func ParseSnapshot(e *element.Element) (Snapshot, error) {
	r := open(e, "snapshot")
	s := Snapshot{Suffix: r.suffix()}
	if e.Attr("max") != "" {
		s.Max = int(r.number("max", 1<<31-1))
	}
	for _, a := range r.e.All(NS, "after") {
		if s.After != nil {
			r.fail("two <after>")
		}
		s.After = r.place(a)
	}
	for _, f := range r.e.All(NS, "from") {
		if s.From != nil {
			r.fail("two <from>")
		}
		fr := open(f, "from")
		s.From = &PageResume{Digest: fr.digest("sha256"), Part: int(fr.number("n", maxParts))}
		if s.From.Part == 0 {
			fr.fail("part 0")
		}
		r.adopt(fr.finish())
	}
	if err := r.finish("after", "from"); err != nil {
		return Snapshot{}, err
	}
	return s, nil
}
