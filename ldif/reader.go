package ldif

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// Reader reads records one after the other. It is not for concurrent use.
type Reader struct {
	opts    options
	scanner *scanner
	parser  parser
	// broken is what the input returned; nothing can be read after it.
	broken error
}

// NewReader returns a Reader of what r holds, with or without a byte order
// mark, its lines ended by LF or CR LF, the last one perhaps not at all.
func NewReader(r io.Reader, opts ...Option) *Reader {
	rd := &Reader{opts: options{maxLine: DefaultMaxLine, maxRecord: DefaultMaxRecord}}
	for _, o := range opts {
		o(&rd.opts)
	}
	rd.scanner = newScanner(r, &rd.opts)
	rd.parser = parser{
		fields: &fields{options: &rd.opts, names: map[string]name{}},
		at:     map[string]int{},
	}
	return rd
}

// Next returns the next record, which belongs to the caller. At the end it
// returns io.EOF, and for text that is not LDIF or over a limit an *Error,
// after which it can be called again for the record that follows. Any other
// error is the input's and comes again.
func (r *Reader) Next() (*Record, error) {
	for r.broken == nil {
		rec, err := r.record()
		if rec != nil || err != nil {
			return rec, r.note(err)
		}
	}
	return nil, r.broken
}

// All returns the records and, between them, an *Error for each that is wrong.
// It ends with the input, or with the error of the input.
func (r *Reader) All() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			}
			if !yield(rec, err) || r.broken != nil {
				return
			}
		}
	}
}

// record returns nil if the next record is none, such as a version line.
func (r *Reader) record() (*Record, error) {
	if err := r.scanner.record(); err != nil {
		return nil, err
	}
	var err error
	p := &r.parser
	if p.all, err = p.parse(p.all[:0], r.scanner); err != nil || len(p.all) == 0 {
		return nil, err
	}
	defer r.release()
	return p.record()
}

// release lets go of the values, which the parser need not keep alive.
func (r *Reader) release() {
	p := &r.parser
	clear(p.all)
	if cap(p.all) > keepSize/lineCost {
		p.all = nil
	}
	if len(p.at) > maxNames {
		p.at = map[string]int{}
	}
}

// note completes an *Error and keeps an error of the input.
func (r *Reader) note(err error) error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		e.File = r.opts.file
		return e
	case err == io.EOF:
		r.broken = err
	default:
		r.broken = fmt.Errorf("read LDIF: %w", err)
	}
	return r.broken
}
