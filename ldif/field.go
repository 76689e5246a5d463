package ldif

import (
	"bytes"
	"encoding/base64"
	"errors"
)

const (
	// maxNames and maxNameLen bound the table of attribute descriptions.
	maxNames   = 1024
	maxNameLen = 256
)

// name is what stands in front of a colon; key is the same in lower case.
type name struct{ text, key string }

// field is one line of a record, taken apart. The line "-" has neither name
// nor value.
type field struct {
	line  int
	dash  bool
	name  name
	value string
}

// fields takes the lines of the scanner's record apart.
type fields struct {
	*options
	names   map[string]name
	decoded []byte // scratch
}

// parse returns the lines of s, appended to dst.
func (p *fields) parse(dst []field, s *scanner) ([]field, error) {
	if bytes.IndexByte(s.text, 0) >= 0 {
		return nil, p.find(s, 0, "NUL in a line: such a value must be in base64")
	}
	cr := bytes.IndexByte(s.text, '\r') >= 0
	if cr && !p.lenient {
		return nil, p.find(s, '\r', "carriage return within a line: such a value must be in base64")
	}
	for i, sp := range s.spans {
		text := s.text[sp.start:sp.end]
		if cr {
			text = bytes.ReplaceAll(text, []byte("\r"), nil)
		}
		if i == 0 && p.lenient && len(text) > 0 && isDigit(text[0]) {
			continue // the entry number of the oldest LDIF
		}
		f, err := p.field(text, sp.line)
		if err != nil {
			return nil, err
		}
		dst = append(dst, f)
	}
	return dst, nil
}

// find returns an Error at the first line of s that holds c.
func (p *fields) find(s *scanner, c byte, reason string) error {
	for _, sp := range s.spans {
		if bytes.IndexByte(s.text[sp.start:sp.end], c) >= 0 {
			return wrong(sp.line, "%s", reason)
		}
	}
	return nil
}

func (p *fields) field(text []byte, line int) (field, error) {
	if len(text) == 1 && text[0] == '-' {
		return field{line: line, dash: true}, nil
	}
	before, after, ok := bytes.Cut(text, []byte(":"))
	if !ok {
		return field{}, wrong(line, "no colon")
	}
	if before = bytes.TrimSpace(before); len(before) == 0 {
		return field{}, wrong(line, "nothing before the colon")
	}
	f := field{line: line, name: p.intern(before)}
	var err error
	if f.value, err = p.value(after, line); err != nil {
		return field{}, err
	}
	return f, nil
}

// intern returns one name for each spelling, so that an attribute of many
// values and entries costs its description once.
func (p *fields) intern(b []byte) name {
	if n, ok := p.names[string(b)]; ok {
		return n
	}
	n := name{string(b), lower(string(b))}
	if len(p.names) < maxNames && len(b) <= maxNameLen {
		p.names[n.text] = n
	}
	return n
}

// value decodes what follows the first colon: a value-spec of RFC 2849.
func (p *fields) value(text []byte, line int) (string, error) {
	if len(text) > 0 && text[0] == ':' {
		return p.base64(bytes.TrimSpace(text[1:]), line)
	}
	if len(text) > 0 && text[0] == '<' {
		return p.fetch(string(bytes.TrimSpace(text[1:])), line)
	}
	return string(bytes.TrimLeft(text, " ")), nil
}

func (p *fields) base64(text []byte, line int) (string, error) {
	if p.lenient {
		text = cutPadded(text)
	}
	var err error
	p.decoded, err = base64.StdEncoding.AppendDecode(p.decoded[:0], text)
	value := string(p.decoded)
	if cap(p.decoded) > keepSize {
		p.decoded = nil
	}
	var at base64.CorruptInputError
	if errors.As(err, &at) {
		return "", wrong(line, "invalid base64 at byte %d of the value", int64(at)+1)
	}
	return value, err
}

// cutPadded cuts base64 after the first group of four with padding.
func cutPadded(text []byte) []byte {
	if pad := bytes.IndexByte(text, '='); pad >= 0 && pad/4*4+4 <= len(text) {
		return text[:pad/4*4+4]
	}
	return text
}

// lower returns s with the letters of ASCII in lower case.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
