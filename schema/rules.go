package schema

import (
	"strings"

	"ldapsync/dn"
)

// rule returns the normal form of a value. Whatever the value is, the normal
// form is its own normal form. A value that is not of the rule's syntax is its
// own normal form.
type rule func(n names, value string) string

// rules holds the equality rules that are more than a comparison of octets, by
// name in lower case.
var rules = map[string]rule{
	"caseignorematch":        func(_ names, v string) string { return prepare(v, foldCase) },
	"caseignoreia5match":     func(_ names, v string) string { return prepareIA5(v, foldCase) },
	"caseexactmatch":         func(_ names, v string) string { return prepare(v, keepCase) },
	"caseexactia5match":      func(_ names, v string) string { return prepareIA5(v, keepCase) },
	"caseignorelistmatch":    func(_ names, v string) string { return prepareList(v) },
	"numericstringmatch":     func(_ names, v string) string { return numericString(v) },
	"telephonenumbermatch":   func(_ names, v string) string { return telephoneNumber(v) },
	"integermatch":           func(_ names, v string) string { return integer(v) },
	"booleanmatch":           func(_ names, v string) string { return boolean(v) },
	"generalizedtimematch":   func(_ names, v string) string { return generalizedTime(v) },
	"uuidmatch":              func(_ names, v string) string { return uuid(v) },
	"csnmatch":               func(_ names, v string) string { return csn(v) },
	"objectidentifiermatch":  objectIdentifier,
	"distinguishednamematch": distinguishedName,
	"uniquemembermatch":      uniqueMember,
}

// ruleOIDs names the rules that a schema may refer to by number.
var ruleOIDs = map[string]string{
	"2.5.13.0":                    "objectidentifiermatch",
	"2.5.13.1":                    "distinguishednamematch",
	"2.5.13.2":                    "caseignorematch",
	"2.5.13.5":                    "caseexactmatch",
	"2.5.13.8":                    "numericstringmatch",
	"2.5.13.11":                   "caseignorelistmatch",
	"2.5.13.13":                   "booleanmatch",
	"2.5.13.14":                   "integermatch",
	"2.5.13.16":                   "bitstringmatch",
	"2.5.13.17":                   "octetstringmatch",
	"2.5.13.20":                   "telephonenumbermatch",
	"2.5.13.23":                   "uniquemembermatch",
	"2.5.13.27":                   "generalizedtimematch",
	"1.3.6.1.4.1.1466.109.114.1":  "caseexactia5match",
	"1.3.6.1.4.1.1466.109.114.2":  "caseignoreia5match",
	"1.3.6.1.1.16.2":              "uuidmatch",
	"1.3.6.1.4.1.4203.666.11.2.2": "csnmatch",
}

// ruleName returns the name of the rule in lower case, or its OID where the
// name is not known.
func ruleName(nameOrOID string) string {
	nameOrOID = lowerASCII(nameOrOID)
	if name, ok := ruleOIDs[nameOrOID]; ok {
		return name
	}
	return nameOrOID
}

// Normalise returns the normal form of a value of attr: two values match under
// the equality rule of attr iff their normal forms are equal. Where the schema
// does not know attr, or attr has no rule or one for octets, and where the value
// is not of the rule's syntax, that is the value itself. A normal form is its
// own normal form. Strings are never matched more widely than OpenLDAP does, see
// prepare, so that values a directory tells apart stay apart.
func (s *Schema) Normalise(attr, value string) string {
	return names{schema: s}.Normalise(attr, value)
}

// Normaliser returns what Normalise does to the values of attr.
func (s *Schema) Normaliser(attr string) func(value string) string {
	t := s.Attribute(attr)
	if t == nil || t.normal == nil {
		return func(value string) string { return value }
	}
	return func(value string) string { return t.normal(names{schema: s}, value) }
}

// names normalises the names inside a value: depth counts how many DNs stand
// around it, each the value of an attribute in the next.
type names struct {
	schema *Schema
	depth  int
}

// maxDepth keeps values of values of values, which no directory has, cheap.
const maxDepth = 3

// Canonical is Schema.Canonical.
func (n names) Canonical(attr string) string { return n.schema.Canonical(attr) }

// Normalise is Schema.Normalise at the depth of n.
func (n names) Normalise(attr, value string) string {
	t := n.schema.Attribute(attr)
	if t == nil || t.normal == nil {
		return value
	}
	return t.normal(n, value)
}

func distinguishedName(n names, v string) string {
	if n.depth == maxDepth {
		return v
	}
	if n.depth > 0 {
		return parsedName(n, v)
	}
	key, ok := n.schema.names.Get(v)
	if !ok {
		key = parsedName(n, v)
		n.schema.names.Put(v, key)
	}
	return key
}

func parsedName(n names, v string) string {
	d, err := dn.Parse(v)
	if err != nil {
		return v
	}
	n.depth++
	return d.Key(n)
}

// uniqueMember normalises a DN with an optional unique identifier after a hash
// sign (RFC 4517 section 3.3.21), which is part of what must be equal.
func uniqueMember(n names, v string) string {
	name, uid := cutUID(v)
	key := distinguishedName(n, name)
	if _, taken := cutUID(key); uid == "" && taken != "" {
		hash := len(key) - len(taken)
		return key[:hash] + `\23` + key[hash+1:]
	}
	return key + uid
}

// cutUID splits off #'0101'B unless the hash sign is escaped.
func cutUID(v string) (name, uid string) {
	i := strings.LastIndexByte(v, '#')
	if i < 0 {
		return v, ""
	}
	if before := strings.TrimRight(v[:i], `\`); (i-len(before))%2 == 1 {
		return v, ""
	}
	bits, ok := strings.CutPrefix(v[i+1:], "'")
	if ok {
		bits, ok = strings.CutSuffix(bits, "'B")
	}
	if !ok || strings.Trim(bits, "01") != "" {
		return v, ""
	}
	return v[:i], v[i:]
}

// objectIdentifier gives all names and the number of a definition one form. A
// name that the schema does not know matches itself in any case.
func objectIdentifier(n names, v string) string {
	v = strings.Trim(v, " ")
	if form, ok := n.schema.oids.find(v); ok {
		return form
	}
	return lowerASCII(v)
}
