// Package ber reads and writes the Basic Encoding Rules as LDAP uses them
// (RFC 4511 section 5.1): definite lengths and tags of one octet. Nothing that
// comes off a wire makes it panic, copy, or take memory beyond a given bound.
package ber

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Tags of the universal class, and the bits that make others.
const (
	Boolean     = 0x01
	Integer     = 0x02
	OctetString = 0x04
	Enumerated  = 0x0a
	Sequence    = 0x30
	Set         = 0x31

	Constructed = 0x20
	Application = 0x40
	Context     = 0x80
)

// ErrMalformed is returned for octets that are not BER, or not the element
// that was asked for.
var ErrMalformed = errors.New("malformed BER")

// ErrTooLong is returned for a message longer than its reader takes.
var ErrTooLong = errors.New("message too long")

// ReadMessage reads one element with tag Sequence, an LDAPMessage, and returns
// its contents, in buf where they fit. It takes no more than limit octets. At
// the end of the stream, between two messages, the error is io.EOF.
func ReadMessage(r *bufio.Reader, buf []byte, limit int) ([]byte, error) {
	tag, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	if tag != Sequence {
		return nil, fmt.Errorf("%w: message starts with %#x", ErrMalformed, tag)
	}
	n, err := readLength(r)
	if err != nil {
		return nil, unexpected(err)
	}
	if n > limit {
		return nil, fmt.Errorf("%w: %d octets", ErrTooLong, n)
	}
	if n > cap(buf) {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, unexpected(err)
	}
	return buf, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func readLength(r io.ByteReader) (int, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	if first < 0x80 {
		return int(first), nil
	}
	count := int(first & 0x7f)
	if count == 0 || count > 4 {
		return 0, fmt.Errorf("%w: length of %d octets", ErrMalformed, count)
	}
	n := 0
	for range count {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		n = n<<8 | int(b)
	}
	if n < 0 { // 32-bit int
		return 0, ErrTooLong
	}
	return n, nil
}

// Cursor walks the elements of one constructed value. The strings it returns
// share memory with the one it was made of. After an error every further read
// fails, so that a caller may look at Err once, at the end.
type Cursor struct {
	rest string
	err  error
}

// NewCursor returns a cursor over contents.
func NewCursor(contents string) *Cursor { return &Cursor{rest: contents} }

// Err returns the first error.
func (c *Cursor) Err() error { return c.err }

// More reports whether an element is left.
func (c *Cursor) More() bool { return c.err == nil && c.rest != "" }

// Is reports whether the next element has the tag.
func (c *Cursor) Is(tag byte) bool { return c.More() && c.rest[0] == tag }

// Any returns the next element, whatever its tag.
func (c *Cursor) Any() (tag byte, contents string) {
	if c.err != nil {
		return 0, ""
	}
	head, n, ok := elementSize(c.rest)
	if !ok {
		c.fail("element does not fit")
		return 0, ""
	}
	tag, contents = c.rest[0], c.rest[head:head+n]
	c.rest = c.rest[head+n:]
	return tag, contents
}

// elementSize returns the sizes of the head and the contents of the element
// that s starts with.
func elementSize(s string) (head, contents int, ok bool) {
	if len(s) < 2 || s[0]&0x1f == 0x1f {
		return 0, 0, false
	}
	head, contents = 2, int(s[1])
	if contents >= 0x80 {
		count := contents & 0x7f
		if count == 0 || count > 4 || len(s) < 2+count {
			return 0, 0, false
		}
		contents = 0
		for _, b := range []byte(s[2 : 2+count]) {
			contents = contents<<8 | int(b)
		}
		head += count
	}
	return head, contents, contents >= 0 && contents <= len(s)-head
}

// Bytes returns the contents of the next element, which must have the tag.
func (c *Cursor) Bytes(tag byte) string {
	if c.err == nil && !c.Is(tag) {
		c.fail(fmt.Sprintf("want tag %#x", tag))
	}
	_, contents := c.Any()
	return contents
}

// Enter returns a cursor over the next element, which must have the tag. It
// fails as c does; what fails in it does not fail c.
func (c *Cursor) Enter(tag byte) *Cursor {
	contents := c.Bytes(tag)
	return &Cursor{rest: contents, err: c.err}
}

// Int returns the next element, an integer of at most 64 bits with the tag.
func (c *Cursor) Int(tag byte) int64 {
	s := c.Bytes(tag)
	if c.err != nil {
		return 0
	}
	if len(s) == 0 || len(s) > 8 {
		c.fail("integer of wrong size")
		return 0
	}
	n := int64(int8(s[0]))
	for _, b := range []byte(s[1:]) {
		n = n<<8 | int64(b)
	}
	return n
}

// Bool returns the next element when it is a BOOLEAN, else absent.
func (c *Cursor) Bool(absent bool) bool {
	if !c.Is(Boolean) {
		return absent
	}
	s := c.Bytes(Boolean)
	if len(s) != 1 {
		c.fail("boolean of wrong size")
		return absent
	}
	return s[0] != 0
}

func (c *Cursor) fail(why string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrMalformed, why)
	}
}
