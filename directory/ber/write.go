package ber

// Element returns an element with the tag whose contents are the parts, one
// after the other.
func Element(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := append(make([]byte, 0, n+6), tag)
	b = appendLength(b, n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func appendLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n < 1<<8:
		return append(b, 0x81, byte(n))
	case n < 1<<16:
		return append(b, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		return append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// String returns an element with the tag that holds s.
func String(tag byte, s string) []byte { return Element(tag, []byte(s)) }

// Int returns an integer with the tag, in the fewest octets.
func Int(tag byte, n int64) []byte {
	size := 1
	for v := n; v < -0x80 || v > 0x7f; v >>= 8 {
		size++
	}
	contents := make([]byte, size)
	for i := range contents {
		contents[i] = byte(n >> (8 * (size - 1 - i)))
	}
	return Element(tag, contents)
}

// Bool returns a BOOLEAN.
func Bool(v bool) []byte {
	if v {
		return []byte{Boolean, 1, 0xff}
	}
	return []byte{Boolean, 1, 0}
}
