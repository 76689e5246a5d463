// Package octets writes and reads the binary records of state files: numbers
// as varints, strings behind their length. Reading is safe on any input.
package octets

import (
	"encoding/binary"
	"errors"
)

// ErrDamaged is returned for a record that was cut or altered.
var ErrDamaged = errors.New("record is damaged")

// AppendUint appends a number.
func AppendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendString appends the length of s and s.
func AppendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendStrings appends the number of strings and the strings.
func AppendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// Reader takes values off the front of a record. After the first fault it
// returns zero values; Done tells. What it returns shares nothing with the
// record, Take excepted; its strings share one copy.
type Reader struct {
	rest []byte
	// text is a copy of what was left when the first string was read.
	text string
	// room is what is left of the memory for lists of strings, got how much of
	// it was made the last time.
	room   []string
	got    int
	single bool
	failed bool
}

// NewReader returns a reader of b.
func NewReader(b []byte) *Reader { return &Reader{rest: b} }

// Single makes the strings read from now on share nothing: for who reads a few of
// a long record.
func (r *Reader) Single() { r.single = true }

// Fail marks the record as damaged.
func (r *Reader) Fail() { r.rest, r.failed = nil, true }

// Failed reports whether there was a fault.
func (r *Reader) Failed() bool { return r.failed }

// Done returns ErrDamaged after a fault, or when something is left over.
func (r *Reader) Done() error {
	if r.failed || len(r.rest) > 0 {
		return ErrDamaged
	}
	return nil
}

// Take returns the next n bytes of the record itself, nil after a fault.
func (r *Reader) Take(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.Fail()
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 { // as a rule
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Count reads the number of items that follow. Each takes at least size bytes,
// so a number that cannot be true is a fault rather than an allocation.
func (r *Reader) Count(size int) int {
	n := r.Uint()
	if n > uint64(len(r.rest)/size) {
		r.Fail()
		return 0
	}
	return int(n)
}

// String reads a string.
func (r *Reader) String() string {
	n := r.Count(1)
	if n == 0 {
		return ""
	}
	if r.single {
		s := string(r.rest[:n])
		r.rest = r.rest[n:]
		return s
	}
	if r.text == "" {
		r.text = string(r.rest)
	}
	at := len(r.text) - len(r.rest)
	r.rest = r.rest[n:]
	return r.text[at : at+n]
}

// Strings reads a list of strings; nil when empty.
func (r *Reader) Strings() []string {
	n := r.Count(1)
	if n == 0 {
		return nil
	}
	if n > len(r.room) {
		r.got = max(n, min(2*r.got, 16))
		r.room = make([]string, r.got)
	}
	out := r.room[:n:n]
	r.room = r.room[n:]
	for i := range out {
		out[i] = r.String()
	}
	return out
}

// Rest takes whatever is left.
func (r *Reader) Rest() []byte { return r.Take(len(r.rest)) }
