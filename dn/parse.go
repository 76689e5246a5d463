package dn

import (
	"errors"
	"fmt"
	"strings"
)

// Parse reads a distinguished name (RFC 4514 section 3). The empty string is
// the root. Spaces around the separators are taken for what RFC 2253 let
// servers write and are dropped; escaped ones belong to the value. Errors wrap
// ErrSyntax.
func Parse(s string) (DN, error) {
	p := parser{s: s}
	d, err := p.dn()
	if err != nil {
		return nil, p.fail(err)
	}
	return d, nil
}

// ParseRDN reads one relative distinguished name, which is never empty. Errors
// wrap ErrSyntax.
func ParseRDN(s string) (RDN, error) {
	p := parser{s: s}
	if len(s) > MaxLen {
		return nil, p.fail(errTooLong)
	}
	r, err := p.rdn()
	if err == nil && !p.end() {
		err = p.unexpected()
	}
	if err != nil {
		return nil, p.fail(err)
	}
	return r, nil
}

var (
	errTooLong = fmt.Errorf("longer than %d octets", MaxLen)
	errTooMany = fmt.Errorf("more than %d attribute values", MaxAVAs)
)

// parser reads s from octet i on; avas counts what it has read, and room is
// memory for what it reads.
type parser struct {
	s    string
	i    int
	avas int
	room RDN
}

// fail wraps reason in ErrSyntax with where it was met.
func (p *parser) fail(reason error) error {
	const shown = 80
	s := p.s
	if len(s) > shown {
		s = s[:shown] + "..."
	}
	return fmt.Errorf("%w %q at octet %d: %w", ErrSyntax, s, p.i, reason)
}

func (p *parser) unexpected() error {
	if p.end() {
		return errors.New("ends too early")
	}
	return fmt.Errorf("unexpected %q", p.s[p.i])
}

func (p *parser) end() bool { return p.i >= len(p.s) }

// at reports whether the next octet is c.
func (p *parser) at(c byte) bool { return p.i < len(p.s) && p.s[p.i] == c }

func (p *parser) skipSpaces() {
	for p.at(' ') {
		p.i++
	}
}

func (p *parser) dn() (DN, error) {
	if len(p.s) > MaxLen {
		return nil, errTooLong
	}
	if p.skipSpaces(); p.end() {
		return nil, nil
	}
	n := min(1+strings.Count(p.s, ","), MaxAVAs)
	d := make(DN, 0, n)
	p.room = make(RDN, n)
	for {
		r, err := p.rdn()
		if err != nil {
			return nil, err
		}
		d = append(d, r)
		switch {
		case p.end():
			return d, nil
		case !p.at(','):
			return nil, p.unexpected()
		}
		p.i++
	}
}

// rdn reads up to the comma or the end.
func (p *parser) rdn() (RDN, error) {
	if len(p.room) == 0 {
		p.room = make(RDN, 1)
	}
	r := p.room[:0:1]
	p.room = p.room[1:]
	for {
		a, err := p.ava()
		if err != nil {
			return nil, err
		}
		r = append(r, a)
		if !p.at('+') {
			return r, nil
		}
		p.i++
	}
}

// ava reads up to the plus sign, the comma or the end.
func (p *parser) ava() (AVA, error) {
	if p.avas++; p.avas > MaxAVAs {
		return AVA{}, errTooMany
	}
	p.skipSpaces()
	attr := p.attr()
	p.skipSpaces()
	if attr == "" || !p.at('=') {
		return AVA{}, p.unexpected()
	}
	p.i++
	p.skipSpaces()
	if p.at('#') {
		v, err := p.hexValue()
		p.skipSpaces()
		return AVA{attr, v}, err
	}
	v, err := p.value()
	return AVA{attr, v}, err
}

// attr reads a descr or a numericoid (RFC 4512 section 1.4), underscores let
// pass as several servers do; "" where there is none.
func (p *parser) attr() string {
	start := p.i
	if p.end() {
		return ""
	}
	if isLetter(p.s[p.i]) {
		for !p.end() && isKeyChar(p.s[p.i]) {
			p.i++
		}
		return p.s[start:p.i]
	}
	for {
		digits := p.i
		for !p.end() && isDigit(p.s[p.i]) {
			p.i++
		}
		if p.i == digits {
			return ""
		}
		if !p.at('.') {
			return p.s[start:p.i]
		}
		p.i++
	}
}

func isDigit(c byte) bool   { return '0' <= c && c <= '9' }
func isLetter(c byte) bool  { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isKeyChar(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '_' }
