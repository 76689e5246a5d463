package ldif

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const (
	readSize = 64 << 10
	// keepSize is the largest buffer that is kept for the next record.
	keepSize = 1 << 20
	// lineCost is what a line counts against the limit of its record on top of
	// its bytes: what the values made of it take.
	lineCost = 64
)

// span is one line of a record, unfolded: where it is in scanner.text and on
// which line of the input it begins.
type span struct{ start, end, line int }

// scanner splits the input into records and unfolds their lines.
type scanner struct {
	*options
	in   *bufio.Reader
	line int // lines of the input begun so far
	// text and spans are the current record, valid until the next.
	text  []byte
	spans []span
	// failed is the first mistake of the current record.
	failed error
}

func newScanner(r io.Reader, o *options) *scanner {
	return &scanner{options: o, in: bufio.NewReaderSize(r, readSize)}
}

// record reads the lines up to the next empty one. There are none when only
// comments came. It returns io.EOF at the end, an *Error after a mistake, with
// the whole record skipped, and whatever else the input returned.
func (s *scanner) record() error {
	s.reset()
	comment := false
	for {
		first, err := s.peek()
		if err != nil {
			return s.atEnd(err)
		}
		s.line++
		switch {
		case first == '\n':
			return s.endOfRecord()
		case first == ' ' && comment:
			err = s.skip()
		case first == ' ':
			err = s.fold()
		case first == '#':
			comment = true
			err = s.skip()
		default:
			comment = false
			err = s.begin()
		}
		if err != nil {
			return err
		}
	}
}

func (s *scanner) reset() {
	if cap(s.text) > keepSize || cap(s.spans) > keepSize/lineCost {
		s.text, s.spans = nil, nil
	}
	s.text, s.spans, s.failed = s.text[:0], s.spans[:0], nil
}

// peek returns the first byte of the next line, '\n' for any empty one.
func (s *scanner) peek() (byte, error) {
	if s.line == 0 {
		s.skipBOM()
	}
	next, err := s.in.Peek(1)
	if err != nil {
		return 0, err
	}
	if next[0] == '\r' {
		if next, err = s.in.Peek(2); err == nil && next[1] == '\n' {
			return '\n', nil
		}
		return '\r', nil
	}
	return next[0], nil
}

// skipBOM skips the byte order mark some editors write; ldapadd takes it for a
// part of the first name, and loses the first record.
func (s *scanner) skipBOM() {
	const bom = "\xef\xbb\xbf"
	if b, err := s.in.Peek(len(bom)); err == nil && string(b) == bom {
		_, _ = s.in.Discard(len(bom))
	}
}

// atEnd ends the last record, which need not be followed by an empty line.
func (s *scanner) atEnd(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	if len(s.spans) == 0 && s.failed == nil {
		return io.EOF
	}
	return s.failed
}

func (s *scanner) endOfRecord() error {
	if err := s.skip(); err != nil {
		return err
	}
	return s.failed
}

// begin starts a span with the next line of the input.
func (s *scanner) begin() error {
	if s.failed != nil {
		return s.skip()
	}
	s.spans = append(s.spans, span{len(s.text), len(s.text), s.line})
	return s.take()
}

// fold adds a line that begins with a space to the one before it.
func (s *scanner) fold() error {
	_, _ = s.in.Discard(1)
	if s.failed == nil && len(s.spans) == 0 {
		s.fail(s.odd(s.line, "folded line with nothing before it"))
		return s.begin()
	}
	return s.take()
}

// take adds the rest of the line of the input to the last span.
func (s *scanner) take() error {
	if s.failed != nil {
		return s.skip()
	}
	last := &s.spans[len(s.spans)-1]
	begin := len(s.text)
	for {
		part, err := s.in.ReadSlice('\n')
		if s.failed == nil {
			s.text = append(s.text, part...)
			s.limit(last)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		break
	}
	if s.failed == nil {
		last.end = begin + len(trimEnd(s.text[begin:]))
		s.text = s.text[:last.end]
	}
	return nil
}

func (s *scanner) limit(last *span) {
	if len(s.text)-last.start > s.maxLine {
		s.fail(wrong(last.line, "%w: over %d bytes", ErrLineTooLong, s.maxLine))
	} else if len(s.text)+lineCost*len(s.spans) > s.maxRecord {
		s.fail(wrong(s.spans[0].line, "%w: over %d bytes", ErrRecordTooLarge, s.maxRecord))
	}
}

// fail remembers the first mistake and forgets the text, so that the rest of a
// record that is refused takes no memory.
func (s *scanner) fail(err error) {
	if err != nil && s.failed == nil {
		s.failed, s.text = err, nil
	}
}

// skip reads the rest of the line of the input.
func (s *scanner) skip() error {
	for {
		_, err := s.in.ReadSlice('\n')
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// trimEnd cuts off one line end, CR LF or LF.
func trimEnd(b []byte) []byte {
	line, ended := bytes.CutSuffix(b, []byte("\n"))
	if ended {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	return line
}
