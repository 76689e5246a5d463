// Package element is the XML of stanzas as trees: small, bounded, and
// independent of any connection. Namespaces are resolved; prefixes, comments
// and processing instructions do not survive.
package element

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Element is an XML element. Text is the concatenation of its character data;
// mixed content does not occur in XMPP (RFC 6120 section 8.4), so its place
// between the children is not kept.
type Element struct {
	Name     xml.Name
	Attrs    []xml.Attr
	Text     string
	Children []*Element
}

// Limits bound what Decode accepts.
type Limits struct {
	// Depth counts nested elements, Nodes all elements and attributes, Bytes
	// the text and attribute values.
	Depth, Nodes, Bytes int
}

// StanzaLimits fit every stanza that an XMPP server passes on by default.
var StanzaLimits = Limits{Depth: 32, Nodes: 50_000, Bytes: 1 << 20}

// ErrLimit is returned for an element beyond the limits.
var ErrLimit = errors.New("XML element too large")

// New returns an element with attributes given as name, value pairs. Pairs
// with an empty value are left out.
func New(space, local string, attrs ...string) *Element {
	e := &Element{Name: xml.Name{Space: space, Local: local}}
	for i := 0; i+1 < len(attrs); i += 2 {
		if attrs[i+1] != "" {
			e.SetAttr(attrs[i], attrs[i+1])
		}
	}
	return e
}

// With appends children and returns e.
func (e *Element) With(children ...*Element) *Element {
	e.Children = append(e.Children, children...)
	return e
}

// WithText sets the text and returns e.
func (e *Element) WithText(text string) *Element {
	e.Text = text
	return e
}

// Is reports whether e has this name. A nil element has none.
func (e *Element) Is(space, local string) bool {
	return e != nil && e.Name.Space == space && e.Name.Local == local
}

// Attr returns the value of an attribute without namespace, "" where e is nil
// or has none.
func (e *Element) Attr(name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// SetAttr sets an attribute without namespace.
func (e *Element) SetAttr(name, value string) {
	for i, a := range e.Attrs {
		if a.Name.Local == name && a.Name.Space == "" {
			e.Attrs[i].Value = value
			return
		}
	}
	e.Attrs = append(e.Attrs, xml.Attr{Name: xml.Name{Local: name}, Value: value})
}

// Child returns the first child of this name, nil where there is none or e is nil.
func (e *Element) Child(space, local string) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Is(space, local) {
			return c
		}
	}
	return nil
}

// All returns the children of this name.
func (e *Element) All(space, local string) []*Element {
	if e == nil {
		return nil
	}
	var out []*Element
	for _, c := range e.Children {
		if c.Is(space, local) {
			out = append(out, c)
		}
	}
	return out
}

// Bytes encodes e. The default namespace of the root is always declared.
func (e *Element) Bytes() []byte {
	var b bytes.Buffer
	e.write(&b, "", true)
	return b.Bytes()
}

// String is Bytes as a string.
func (e *Element) String() string { return string(e.Bytes()) }

func (e *Element) write(b *bytes.Buffer, space string, root bool) {
	b.WriteByte('<')
	b.WriteString(e.Name.Local)
	if e.Name.Space != space || root && e.Name.Space != "" {
		b.WriteString(` xmlns='`)
		escape(b, e.Name.Space)
		b.WriteByte('\'')
	}
	for _, a := range e.Attrs {
		writeAttr(b, a)
	}
	if e.Text == "" && len(e.Children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	escape(b, e.Text)
	for _, c := range e.Children {
		c.write(b, e.Name.Space, false)
	}
	b.WriteString("</")
	b.WriteString(e.Name.Local)
	b.WriteByte('>')
}

const xmlSpace = "http://www.w3.org/XML/1998/namespace"

func writeAttr(b *bytes.Buffer, a xml.Attr) {
	b.WriteByte(' ')
	if a.Name.Space == xmlSpace {
		b.WriteString("xml:")
	}
	b.WriteString(a.Name.Local)
	b.WriteString(`='`)
	escape(b, a.Value)
	b.WriteByte('\'')
}

func escape(b *bytes.Buffer, s string) {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`<>&'"`, r) }) < 0 {
		b.WriteString(s)
		return
	}
	// A bytes.Buffer never fails.
	_ = xml.EscapeText(b, []byte(s))
}

// Parse reads exactly one element from b, within limits.
func Parse(b []byte, limits Limits) (*Element, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		tok, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("parse XML: %w", err)
		}
		if start, ok := tok.(xml.StartElement); ok {
			e, err := Decode(d, start, limits)
			if err != nil {
				return nil, err
			}
			return e, trailing(d)
		}
	}
}

func trailing(d *xml.Decoder) error {
	for {
		switch tok, err := d.Token(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("parse XML: %w", err)
		default:
			if _, ok := tok.(xml.StartElement); ok {
				return errors.New("parse XML: more than one element")
			}
		}
	}
}

// Decode reads the rest of the element that start opened.
func Decode(r xml.TokenReader, start xml.StartElement, limits Limits) (*Element, error) {
	d := decoder{r: r, limits: limits}
	e, err := d.element(start, 1)
	if err != nil {
		return nil, fmt.Errorf("parse XML <%.40s>: %w", start.Name.Local, err)
	}
	return e, nil
}

type decoder struct {
	r            xml.TokenReader
	limits       Limits
	nodes, bytes int
}

func (d *decoder) spend(nodes, n int) error {
	d.nodes += nodes
	d.bytes += n
	if d.nodes > d.limits.Nodes || d.bytes > d.limits.Bytes {
		return ErrLimit
	}
	return nil
}

func (d *decoder) element(start xml.StartElement, depth int) (*Element, error) {
	if depth > d.limits.Depth {
		return nil, ErrLimit
	}
	e := &Element{Name: start.Name}
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if err := d.spend(1, len(a.Value)); err != nil {
			return nil, err
		}
		e.Attrs = append(e.Attrs, a)
	}
	return e, d.content(e, depth)
}

func (d *decoder) content(e *Element, depth int) error {
	var text strings.Builder
	for {
		tok, err := d.r.Token()
		switch t := tok.(type) {
		case xml.StartElement:
			if err := d.spend(1, 0); err != nil {
				return err
			}
			c, err := d.element(t.Copy(), depth+1)
			if err != nil {
				return err
			}
			e.Children = append(e.Children, c)
		case xml.CharData:
			if err := d.spend(0, len(t)); err != nil {
				return err
			}
			text.Write(t)
		case xml.EndElement:
			e.Text = text.String()
			return nil
		}
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}
