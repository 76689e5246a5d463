package dn

import (
	"encoding/hex"
	"errors"
	"strings"
)

var (
	errEscape = errors.New("a backslash needs a special character or two hexadecimal digits")
	errHex    = errors.New("# needs the BER of one string in hexadecimal digits")
)

// value reads a value in string form (RFC 4514 section 3, string) and drops
// the unescaped spaces around it.
func (p *parser) value() (string, error) {
	start := p.i
	for !p.end() && p.s[p.i] != ',' && p.s[p.i] != '+' {
		switch p.s[p.i] {
		case '\\':
			return p.escapedValue(p.s[start:p.i])
		case '"', ';', '<', '>', 0:
			return "", p.unexpected()
		}
		p.i++
	}
	return strings.TrimRight(p.s[start:p.i], " "), nil
}

// escapedValue reads on from the first backslash; head is what stands before.
func (p *parser) escapedValue(head string) (string, error) {
	var b strings.Builder
	b.WriteString(head)
	kept := 0 // octets of b that trailing spaces cannot be trimmed from
	for !p.end() && p.s[p.i] != ',' && p.s[p.i] != '+' {
		c := p.s[p.i]
		switch c {
		case '"', ';', '<', '>', 0:
			return "", p.unexpected()
		case '\\':
			octet, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteByte(octet)
			kept = b.Len()
		default:
			b.WriteByte(c)
			p.i++
			if c != ' ' {
				kept = b.Len()
			}
		}
	}
	return b.String()[:kept], nil
}

// escape reads a pair (RFC 4514 section 3) and returns the octet it means.
func (p *parser) escape() (byte, error) {
	rest := p.s[p.i+1:]
	if rest != "" && strings.IndexByte(`\"+,;<> #=`, rest[0]) >= 0 {
		p.i += 2
		return rest[0], nil
	}
	if len(rest) < 2 {
		return 0, errEscape
	}
	var octet [1]byte
	if _, err := hex.Decode(octet[:], []byte(rest[:2])); err != nil {
		return 0, errEscape
	}
	p.i += 3
	return octet[0], nil
}

// hexValue reads #hexstring: the octets of the string it encodes.
func (p *parser) hexValue() (string, error) {
	start := p.i + 1
	stop := start
	for stop < len(p.s) && strings.IndexByte(",+ ", p.s[stop]) < 0 {
		stop++
	}
	ber, err := hex.DecodeString(p.s[start:stop])
	if err != nil {
		return "", errHex
	}
	v, ok := berString(ber)
	if !ok {
		return "", errHex
	}
	p.i = stop
	return v, nil
}

// stringTags are the universal types whose content is the text itself: OCTET
// STRING and the string types of X.680 section 41.
var stringTags = [...]byte{0x04, 0x0c, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1a, 0x1b, 0x1c, 0x1e}

// berString returns the content of ber, which must be one primitive string of
// definite length with nothing after it.
func berString(ber []byte) (string, bool) {
	if len(ber) < 2 || !strings.Contains(string(stringTags[:]), string(ber[:1])) {
		return "", false
	}
	n, content := int(ber[1]), ber[2:]
	if n >= 0x80 {
		octets := n - 0x80
		if octets == 0 || octets > 3 || octets > len(content) {
			return "", false
		}
		n = 0
		for _, c := range content[:octets] {
			n = n<<8 | int(c)
		}
		content = content[octets:]
	}
	if n != len(content) {
		return "", false
	}
	return string(content), true
}
