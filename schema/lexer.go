package schema

import (
	"errors"
	"fmt"
	"strings"
)

// lexer splits a description (RFC 4512 section 4.1) into its tokens: the
// parentheses, the dollar sign, quoted strings and words.
type lexer struct{ rest string }

// token is a quoted string or a word; for end of input both are false and text
// is "".
type token struct {
	text   string
	quoted bool
}

func (t token) is(symbol string) bool { return !t.quoted && t.text == symbol }

var errQuote = errors.New("a quoted string does not end")

func (l *lexer) next() (token, error) {
	l.rest = strings.TrimLeft(l.rest, " \t\r\n")
	if l.rest == "" {
		return token{}, nil
	}
	switch l.rest[0] {
	case '(', ')', '$':
		return l.take(1), nil
	case '\'':
		text, rest, ok := strings.Cut(l.rest[1:], "'")
		if !ok {
			return token{}, errQuote
		}
		l.rest = rest
		return token{text: text, quoted: true}, nil
	}
	if end := strings.IndexAny(l.rest, " \t\r\n()$'"); end >= 0 {
		return l.take(end), nil
	}
	return l.take(len(l.rest)), nil
}

func (l *lexer) take(n int) token {
	t := token{text: l.rest[:n]}
	l.rest = l.rest[n:]
	return t
}

// expect reads the symbol.
func (l *lexer) expect(symbol string) error {
	t, err := l.next()
	if err == nil && !t.is(symbol) {
		err = unexpected(t, symbol)
	}
	return err
}

// word reads one string or word that is not a symbol.
func (l *lexer) word() (string, error) {
	t, err := l.next()
	if err != nil {
		return "", err
	}
	if !t.quoted && (t.text == "" || strings.Contains("()$", t.text)) {
		return "", unexpected(t, "a value")
	}
	return t.text, nil
}

// words reads one string or word, or several in parentheses with or without
// dollar signs between them.
func (l *lexer) words() ([]string, error) {
	before := *l
	t, err := l.next()
	if err != nil {
		return nil, err
	}
	if !t.is("(") {
		*l = before
		w, err := l.word()
		return []string{w}, err
	}
	var list []string
	for {
		t, err := l.next()
		switch {
		case err != nil:
			return nil, err
		case t.is(")"):
			return list, nil
		case t.is("(") || t.is(""):
			return nil, unexpected(t, ")")
		case !t.is("$"):
			list = append(list, t.text)
		}
	}
}

func unexpected(t token, want string) error {
	if t.is("") {
		return fmt.Errorf("ends where %s should stand", want)
	}
	return fmt.Errorf("%q where %s should stand", excerpt(t.text), want)
}

// excerpt returns what of s fits into an error.
func excerpt(s string) string {
	const shown = 60
	if len(s) > shown {
		return s[:shown] + "..."
	}
	return s
}
