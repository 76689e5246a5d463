package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var errEmpty = errors.New("the file is empty")

// document returns the only document of b as it stands, nothing expanded.
func document(b []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		return nil, errEmpty
	case err != nil:
		return nil, err
	}
	if err := dec.Decode(&second); err == nil {
		return nil, fmt.Errorf("line %d: a second document: a file holds one", second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return doc.Content[0], nil
}

// What the library says of a syntax error. It tells no line where that is the first, or
// where it has read ahead.
var (
	yamlLine   = regexp.MustCompile(`(?s)^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	noAnchor   = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	unreadable = regexp.MustCompile(`UTF-|Unicode|surrogate|control characters`)
)

// yamlError takes the line of an error in b out of what the library says, or finds it;
// 0 means the file as a whole.
func yamlError(b []byte, err error) (line int, text string) {
	m := yamlLine.FindStringSubmatch(err.Error())
	if text = m[2]; m[1] != "" {
		line, _ = strconv.Atoi(m[1])
		return line, text
	}
	at := 0
	if anchor := noAnchor.FindStringSubmatch(text); anchor != nil {
		at = max(bytes.Index(b, []byte("*"+anchor[1])), 0)
	} else if unreadable.MatchString(text) {
		at = readable(b)
	} else if errors.Is(err, errEmpty) {
		return 0, text
	}
	return 1 + bytes.Count(b[:at], []byte("\n")), text
}

// readable returns how many octets of b there are before the first that YAML does not
// allow (YAML 1.2 section 5.1).
func readable(b []byte) int {
	for at := 0; at < len(b); {
		r, size := utf8.DecodeRune(b[at:])
		control := r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 && r != 0x85
		if r == utf8.RuneError && size == 1 || control || r == 0xfffe || r == 0xffff {
			return at
		}
		at += size
	}
	return len(b)
}
