package xmpp

import (
	"encoding/hex"
	"strings"
)

// escaped are the characters that a localpart cannot hold (XEP-0106 section
// 4), and the backslash itself.
const escaped = " \"&'/:<>@\\"

// EscapeLocal makes s fit for a localpart as far as XEP-0106 can.
func EscapeLocal(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(escaped, c) >= 0 {
			b.WriteByte('\\')
			b.WriteString(hex.EncodeToString([]byte{c}))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// UnescapeLocal is the reverse of EscapeLocal. Sequences that are not escapes
// stay as they are. mellium's own decoder panics on some input.
func UnescapeLocal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+2 < len(s) {
			c, err := hex.DecodeString(s[i+1 : i+3])
			if err == nil && strings.IndexByte(escaped, c[0]) >= 0 {
				b.WriteByte(c[0])
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
