package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with the settings.
type Problem struct {
	// File is a path, or the name of an environment variable.
	File string
	// Line counts from 1; 0 is the file as a whole.
	Line int
	// Key is the path of the setting, such as suffixes[0].directory.uri, or ""
	// where no key is concerned.
	Key  string
	Text string
	// Hint is what to do about it, or "".
	Hint string
}

// String prints file:line: key: text.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	return b.String() + ": " + p.Text
}

// Error is every problem of the settings, by file and line.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// place is where a key was set.
type place struct {
	file string
	line int
}

func (l *loader) report(at place, key, text, hint string) {
	l.problems = append(l.problems, Problem{File: at.file, Line: at.line, Key: key, Text: text, Hint: hint})
}

// refuse reports a problem with the value of key, at the place where the key or
// else the nearest key around it was set.
func (l *loader) refuse(key, hint, format string, args ...any) {
	l.report(l.placeOf(key), key, fmt.Sprintf(format, args...), hint)
}

func (l *loader) placeOf(key string) place {
	for k := key; k != ""; k = parentKey(k) {
		if at, ok := l.places[k]; ok {
			return at
		}
	}
	return place{file: l.path}
}

func parentKey(key string) string {
	return key[:max(strings.LastIndexAny(key, ".["), 0)]
}

// err returns the problems in the order of the files read, or nil.
func (l *loader) err() error {
	if len(l.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(l.rank[a.File], l.rank[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return &Error{Problems: l.problems}
}
