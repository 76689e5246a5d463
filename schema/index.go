package schema

import (
	"strings"

	"ldapsync/lookup"
)

// index finds definitions by any of their names and by OID, in any case. The
// spelling of the definitions is found without allocating.
type index[T any] struct{ lookup.Table[T] }

// add makes v known under key, unless key is empty or taken.
func (x *index[T]) add(key string, v T) {
	lower := lowerASCII(key)
	if _, taken := x.Get(lower); taken || key == "" {
		return
	}
	x.Put(key, v)
	x.Put(lower, v)
}

func (x *index[T]) find(key string) (T, bool) {
	v, ok := x.Get(key)
	if !ok {
		if lower := lowerASCII(key); lower != key {
			v, ok = x.Get(lower)
		}
	}
	return v, ok
}

// cutOptions splits an attribute description (RFC 4512 section 2.5) at its
// first semicolon.
func cutOptions(desc string) (base, options string) {
	base, options, _ = strings.Cut(desc, ";")
	return base, options
}

// canonicalOptions returns options, separated by semicolons, in lower case,
// sorted, each once and each after a semicolon.
func canonicalOptions(options string) string {
	if options == "" {
		return ""
	}
	list := sorted(strings.Split(lowerASCII(options), ";"))
	if list[0] == "" {
		list = list[1:]
	}
	if len(list) == 0 {
		return ""
	}
	return ";" + strings.Join(list, ";")
}

// lowerASCII returns s with the ASCII letters in lower case and every other
// octet as it is.
func lowerASCII(s string) string {
	for i := range len(s) {
		if isUpperASCII(s[i]) {
			return lowerFrom(s, i)
		}
	}
	return s
}

func lowerFrom(s string, i int) string {
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		c := s[i]
		if isUpperASCII(c) {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isUpperASCII(c byte) bool { return 'A' <= c && c <= 'Z' }
