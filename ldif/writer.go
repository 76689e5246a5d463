package ldif

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// width is the longest line that is written, without its end.
const width = 76

// Writer writes records one after the other, each with one call of Write
// below. It is not for concurrent use.
type Writer struct {
	w       io.Writer
	started bool
	out     []byte
	line    []byte // scratch: one line before it is folded
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// WriteVersion writes "version: 1", which can only be the first line.
func (w *Writer) WriteVersion() error {
	if w.started {
		return errors.New("write LDIF: the version must come first")
	}
	w.text("version", "1")
	return w.flush()
}

// Comment writes text as comment lines, which belong to the record after them.
// Control characters become spaces.
func (w *Writer) Comment(text string) error {
	for line := range strings.Lines(text) {
		w.line = append(w.line[:0], "# "...)
		for _, r := range strings.TrimRight(line, "\r\n") {
			if r < ' ' {
				r = ' '
			}
			w.line = append(w.line, string(r)...)
		}
		w.fold()
	}
	return w.write()
}

// Write writes rec. It refuses, and writes nothing of, a record that a Reader
// would not read back as it is; only that an attribute given twice comes back
// as one.
func (w *Writer) Write(rec *Record) error {
	if err := check(rec); err != nil {
		return fmt.Errorf("write LDIF: entry %q: %w", rec.DN, err)
	}
	w.text("dn", rec.DN)
	for _, c := range rec.Controls {
		w.control(c)
	}
	switch rec.Change {
	case Content:
		w.attributes(rec.Attrs)
	case Add:
		w.text("changetype", "add")
		w.attributes(rec.Attrs)
	case Delete:
		w.text("changetype", "delete")
	case Modify:
		w.text("changetype", "modify")
		w.mods(rec.Mods)
	case ModDN:
		w.modDN(rec)
	}
	return w.flush()
}

func (w *Writer) attributes(attrs []Attribute) {
	for _, a := range attrs {
		w.values(a.Name, a.Values)
	}
}

func (w *Writer) values(name string, values []string) {
	for _, v := range values {
		w.text(name, v)
	}
}

func (w *Writer) mods(mods []Mod) {
	for _, m := range mods {
		w.text(string(m.Op), m.Attr)
		w.values(m.Attr, m.Values)
		w.out = append(w.out, "-\n"...)
	}
}

// modDN says modrdn, as the examples of RFC 2849 do for a move too.
func (w *Writer) modDN(rec *Record) {
	w.text("changetype", "modrdn")
	w.text("newrdn", rec.NewRDN)
	if rec.DeleteOldRDN {
		w.text("deleteoldrdn", "1")
	} else {
		w.text("deleteoldrdn", "0")
	}
	if rec.NewSuperior != nil {
		w.text("newsuperior", *rec.NewSuperior)
	}
}

// control always states the criticality: ldapadd wants it before a value.
func (w *Writer) control(c Control) {
	w.line = fmt.Appendf(w.line[:0], "control: %s %t", c.OID, c.Critical)
	if c.Value != nil {
		w.spec(*c.Value)
	}
	w.fold()
}

// text writes a line of a name and a value.
func (w *Writer) text(name, value string) {
	w.line = append(w.line[:0], name...)
	w.spec(value)
	w.fold()
}

// spec appends the value-spec of RFC 2849 to the line.
func (w *Writer) spec(value string) {
	switch {
	case value == "":
		w.line = append(w.line, ':')
	case safe(value):
		w.line = append(append(w.line, ": "...), value...)
	default:
		w.line = append(w.line, ":: "...)
		w.line = base64.StdEncoding.AppendEncode(w.line, []byte(value))
	}
}

// safe tells whether value can be written as it is. It is stricter than
// SAFE-STRING of RFC 2849 in that no control character and no space at the end
// is safe.
func safe(value string) bool {
	switch value[0] {
	case ' ', ':', '<':
		return false
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return false
		}
	}
	return value[len(value)-1] != ' '
}

// fold appends the line to the output, broken between bytes.
func (w *Writer) fold() {
	rest, room := w.line, width
	for len(rest) > room {
		w.out = append(append(w.out, rest[:room]...), "\n "...)
		rest, room = rest[room:], width-1
	}
	w.out = append(append(w.out, rest...), '\n')
}

// flush ends a record.
func (w *Writer) flush() error {
	w.out = append(w.out, '\n')
	return w.write()
}

func (w *Writer) write() error {
	w.started = true
	_, err := w.w.Write(w.out)
	w.out = w.out[:0]
	if cap(w.out) > keepSize || cap(w.line) > keepSize {
		w.out, w.line = nil, nil
	}
	if err != nil {
		return fmt.Errorf("write LDIF: %w", err)
	}
	return nil
}
