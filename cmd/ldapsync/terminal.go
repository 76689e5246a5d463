package main

import (
	"io"
	"os"
	"strings"
	"unicode"

	"ldapsync/control"
)

const clearScreen = "\x1b[H\x1b[2J"

var colours = map[control.State]string{control.Green: "\x1b[32m", control.Amber: "\x1b[33m", control.Red: "\x1b[31m"}

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// painted returns the word of a state, in its colour if wanted.
func painted(s control.State, colour bool) string {
	word := printable(string(s))
	if start := colours[s]; colour && start != "" {
		return start + word + "\x1b[0m"
	}
	return word
}

// printable replaces what a terminal would act on: texts come from other
// servers and from directories.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// printableWriter lets through what a terminal would not act on, and line ends.
type printableWriter struct{ io.Writer }

// Write never splits a character as long as its caller does not.
func (w printableWriter) Write(b []byte) (int, error) {
	lines := strings.Split(string(b), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	if _, err := io.WriteString(w.Writer, strings.Join(lines, "\n")); err != nil {
		return 0, err
	}
	return len(b), nil
}
