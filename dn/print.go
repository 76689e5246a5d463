package dn

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// String prints d as RFC 4514 section 2 says. Parse gives back the same d,
// octet by octet. UTF-8 stays readable; control characters and octets that are
// no UTF-8 become \xx, so the result is fit for a terminal or a log.
func (d DN) String() string {
	var b strings.Builder
	b.Grow(d.sizeHint())
	for i, r := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		r.print(&b)
	}
	return b.String()
}

// String prints r as DN.String does; ParseRDN gives back the same r.
func (r RDN) String() string {
	if len(r) == 1 {
		return r[0].String()
	}
	var b strings.Builder
	r.print(&b)
	return b.String()
}

// String prints a as RDN.String does an RDN of it alone.
func (a AVA) String() string {
	if isPlain(a.Value) {
		return a.Attr + "=" + a.Value
	}
	var b strings.Builder
	RDN{a}.print(&b)
	return b.String()
}

func (r RDN) print(b *strings.Builder) {
	for i, a := range r {
		if i > 0 {
			b.WriteByte('+')
		}
		b.WriteString(a.Attr)
		b.WriteByte('=')
		printValue(b, a.Value)
	}
}

func printValue(b *strings.Builder, v string) {
	if isPlain(v) {
		b.WriteString(v)
		return
	}
	for i := 0; i < len(v); {
		r, n := utf8.DecodeRuneInString(v[i:])
		switch {
		case r == utf8.RuneError && n == 1, unicode.IsControl(r):
			printHex(b, v[i:i+n])
		case r == ' ' && (i == 0 || i == len(v)-1):
			printHex(b, v[i:i+n])
		case strings.ContainsRune(`\"+,;<>`, r), r == '#' && i == 0:
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteString(v[i : i+n])
		}
		i += n
	}
}

// isPlain reports whether v, being ASCII, prints as it is.
func isPlain(v string) bool {
	if v == "" {
		return true
	}
	if v[0] == ' ' || v[0] == '#' || v[len(v)-1] == ' ' {
		return false
	}
	for i := range len(v) {
		switch c := v[i]; {
		case c < ' ', c >= 0x7f, c == '\\', c == '"', c == '+', c == ',', c == ';', c == '<', c == '>':
			return false
		}
	}
	return true
}

func printHex(b *strings.Builder, octets string) {
	const digits = "0123456789ABCDEF"
	for i := range len(octets) {
		b.WriteByte('\\')
		b.WriteByte(digits[octets[i]>>4])
		b.WriteByte(digits[octets[i]&15])
	}
}
