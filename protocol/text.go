package protocol

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// b64Suffix marks an attribute that holds the base64 of its value.
const b64Suffix = "-b64"

var strictBase64 = base64.StdEncoding.Strict()

// plainText reports whether s arrives unchanged as character data, also
// through servers that write out anew what they parsed: it is UTF-8, has no
// control or noncharacters but line feed and tab, and does not begin or end
// with white space.
func plainText(s string) bool {
	return strings.TrimSpace(s) == s && utf8.ValidString(s) &&
		strings.IndexFunc(s, func(r rune) bool { return !legible(r) && r != '\n' && r != '\t' }) < 0
}

// plainAttr is plainText for attribute values, where XML makes spaces of line
// feeds and tabs (XML 1.0 section 3.3.3).
func plainAttr(s string) bool {
	return plainText(s) && !strings.ContainsAny(s, "\n\t")
}

func legible(r rune) bool {
	noncharacter := r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef
	return r >= ' ' && !unicode.IsControl(r) && !noncharacter
}

// setOctets sets an attribute to any octets; an empty value is left out.
func setOctets(e *element.Element, name, value string) {
	switch {
	case value == "":
	case plainAttr(value):
		e.SetAttr(name, value)
	default:
		e.SetAttr(name+b64Suffix, base64.StdEncoding.EncodeToString([]byte(value)))
	}
}

// setIDs sets an attribute to ids between single spaces, where there are any.
func setIDs(e *element.Element, name string, ids []changelog.ID) {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = id.String()
	}
	if len(words) > 0 {
		e.SetAttr(name, strings.Join(words, " "))
	}
}

// octetElement returns an element whose content is any octets.
func octetElement(space, local, value string) *element.Element {
	if plainText(value) {
		return element.New(space, local).WithText(value)
	}
	return element.New(space, local, "b64", "1").WithText(base64.StdEncoding.EncodeToString([]byte(value)))
}

// fromBase64 reads base64, which may stand between white space and be broken
// into lines.
func fromBase64(s string) ([]byte, error) {
	b, err := strictBase64.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return nil, malformed("not base64")
	}
	return b, nil
}
