package schema

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What preparation does to letters.
const (
	keepCase = false
	foldCase = true
)

// prepare returns the form in which strings match (RFC 4518 section 2): case
// folded where the rule says so, compatibility normalisation (NFKC), spaces at
// the ends dropped and those inside squashed into one. A value of spaces only is
// one space. A value that is not UTF-8 is returned as it is.
//
// It stops short of RFC 4518 where OpenLDAP does, because to match values that a
// server holds side by side would lose one of them: letters are lowered one by
// one, so ß does not match ss nor the final sigma the other; control characters
// and characters without width are characters like others; a sign that stands
// for capital letters, like the trademark sign, matches only itself. It is
// wider only for letters younger than OpenLDAP's tables (Unicode 3), and never
// narrower.
func prepare(v string, fold bool) string {
	ascii, prepared := inspect(v, fold)
	switch {
	case prepared:
		return v
	case !ascii:
		if !utf8.ValidString(v) {
			return v
		}
		if fold {
			v = foldUnicode(v)
		} else {
			v = norm.NFKC.String(v)
		}
	case fold:
		v = lowerASCII(v)
	}
	return squash(v)
}

// prepareIA5 is prepare for ASCII; other values are returned as they are.
func prepareIA5(v string, fold bool) string {
	if ascii, _ := inspect(v, fold); !ascii {
		return v
	}
	return prepare(v, fold)
}

// prepareList prepares each line of a list (RFC 4517 section 3.3.28) by itself.
func prepareList(v string) string {
	if !utf8.ValidString(v) {
		return v
	}
	lines := strings.Split(v, "$")
	for i, line := range lines {
		lines[i] = prepare(line, foldCase)
	}
	return strings.Join(lines, "$")
}

// inspect reports whether v is ASCII and, if so, whether preparation would
// leave it as it is.
func inspect(v string, fold bool) (ascii, prepared bool) {
	prepared = true
	space := true // at the start, or after a space
	for i := range len(v) {
		c := v[i]
		switch {
		case c >= utf8.RuneSelf:
			return false, false
		case c == ' ' && space, fold && 'A' <= c && c <= 'Z':
			prepared = false
		}
		space = c == ' '
	}
	return true, prepared && (v == "" || !space)
}

// squash drops the spaces at the ends and leaves one of each row of them; a
// value of spaces only becomes one.
func squash(v string) string {
	trimmed := strings.Trim(v, " ")
	if trimmed == "" {
		return v[:min(1, len(v))]
	}
	if !strings.Contains(trimmed, "  ") {
		return trimmed
	}
	b := make([]byte, 0, len(trimmed))
	for i := range len(trimmed) {
		if trimmed[i] != ' ' || trimmed[i-1] != ' ' {
			b = append(b, trimmed[i])
		}
	}
	return string(b)
}

// foldUnicode lowers and normalises v, which is UTF-8, letter by letter.
func foldUnicode(v string) string {
	lower := make([]byte, 0, len(v)+8)
	for _, r := range v {
		lower = utf8.AppendRune(lower, unicode.ToLower(r))
	}
	if norm.NFKC.IsNormal(lower) {
		return string(lower)
	}
	var b []byte
	for len(lower) > 0 {
		letter := norm.NFKD.Properties(lower)
		if parts := letter.Decomposition(); len(parts) > 0 && isLower(parts) {
			b = append(b, parts...)
		} else {
			b = append(b, lower[:letter.Size()]...)
		}
		lower = lower[letter.Size():]
	}
	return string(norm.NFC.Bytes(b))
}

// isLower reports whether lowering would leave text as it is.
func isLower(text []byte) bool {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if unicode.ToLower(r) != r {
			return false
		}
		text = text[n:]
	}
	return true
}
