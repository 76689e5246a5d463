// Package ldif reads and writes LDIF (RFC 2849) as streams: the content of a
// directory and changes to it, with the increment of RFC 4525.
//
// It does not parse DNs, knows no schema, decodes no charset and never opens a
// file unless told to. What ldapadd(1) silently drops is refused by default;
// Lenient reads it as ldapadd does.
package ldif

// Op is what a record does to the entry it names.
type Op string

// The kinds of records. The change types modrdn, moddn and the rename of
// OpenLDAP mean the same and are all ModDN.
const (
	// Content is a record without a change type: an entry as it is.
	Content Op = ""
	Add     Op = "add"
	Delete  Op = "delete"
	Modify  Op = "modify"
	ModDN   Op = "moddn"
)

// Record is one entry or one change.
type Record struct {
	// Line is where the dn: of the record stands, counted from 1; the Writer
	// ignores it.
	Line int
	// DN is empty for the root DSE.
	DN       string
	Change   Op
	Controls []Control
	// Attrs are what Content and Add hold, in the order of the first value of
	// each; the values of one attribute are together, under the spelling that
	// came first.
	Attrs []Attribute
	// Mods are the modifications of a Modify, in order.
	Mods []Mod
	// NewRDN, DeleteOldRDN and NewSuperior belong to ModDN. Without
	// NewSuperior the entry stays below its parent.
	NewRDN       string
	DeleteOldRDN bool
	NewSuperior  *string
}

// Attribute is an attribute description, options included, with its values as
// raw octets.
type Attribute struct {
	Name   string
	Values []string
}

// Control goes with a change (RFC 4511 section 4.1.11). A nil Value is no
// value, which is not the same as an empty one.
type Control struct {
	OID      string
	Critical bool
	Value    *string
}

// ModOp is what a modification does to an attribute.
type ModOp string

// The modifications of RFC 4511 section 4.6 and RFC 4525.
const (
	ModAdd       ModOp = "add"
	ModDelete    ModOp = "delete"
	ModReplace   ModOp = "replace"
	ModIncrement ModOp = "increment"
)

// Mod is one modification. Delete without values removes the attribute, and so
// does Replace.
type Mod struct {
	Op     ModOp
	Attr   string
	Values []string
}

// reserved are the names that mean something else than an attribute where one
// may stand.
var reserved = map[string]bool{"dn": true, "changetype": true, "control": true}

// validName tells whether s can stand in front of a colon and be read back. It
// admits more than RFC 4512 section 2.5, because servers do.
func validName(s string) bool {
	if s == "" || s[0] == '#' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return true
}

// validOID tells whether s is a run of digits and dots.
func validOID(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && s[i] != '.' {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
