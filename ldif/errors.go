package ldif

import (
	"errors"
	"fmt"
)

// What an Error can wrap, apart from mistakes of syntax.
var (
	// ErrLineTooLong says that a line, its folded parts joined, is over the limit.
	ErrLineTooLong = errors.New("line too long")
	// ErrRecordTooLarge says that a record is over the limit.
	ErrRecordTooLarge = errors.New("record too large")
	// ErrURL says that a value given as a URL was not fetched.
	ErrURL = errors.New("value by URL refused")
)

// Error is a mistake in the text. The Reader has skipped the rest of that
// record and can go on with the next one.
type Error struct {
	// File is what WithName said, or empty.
	File string
	// Line is where the wrong line begins, counted from 1.
	Line int
	Err  error
}

func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// wrong returns an Error for a mistake in the line that begins at line.
func wrong(line int, format string, args ...any) error {
	return &Error{Line: line, Err: fmt.Errorf(format, args...)}
}
