package dit

import (
	"slices"
	"strings"

	"ldapsync/dn"
	"ldapsync/schema"
)

// Rules is what the view of a state depends on besides the facts. Every server
// of a suffix must use the same. After a change of the rules, State.Rebuild.
// What is found out with those of DefaultRules is kept with them and their
// copies.
type Rules struct {
	Schema *schema.Schema
	// ObservedRemove lists attributes of which a client's replace means the
	// difference against what the client saw, so that two administrators who
	// edit one group both keep their edits.
	ObservedRemove []string
	// Containers lists object classes whose entries, where several claim one
	// name, are shown with the children of all below the first.
	Containers []string
	// Unique lists attributes of which no two entries should have the same
	// value. Entries that do keep it; the journal tells.
	Unique []string
	// Suffix is the name of the entry that has no parent.
	Suffix dn.DN

	memo *memo
}

// DefaultRules returns the rules that hold where an administrator has not
// chosen others.
func DefaultRules(s *schema.Schema, suffix dn.DN) Rules {
	r := Rules{
		Schema:         s,
		ObservedRemove: []string{"member", "uniqueMember", "memberUid"},
		Containers:     []string{"organizationalUnit", "organization", "domain", "dcObject"},
		Suffix:         suffix,
	}
	r.memo = newMemo(r)
	return r
}

// The attributes of every entry that are replicated though no user writes them
// (RFC 4512 section 3.4). Of each only the newest state is kept, and nothing
// about them is recorded.
var operational = []string{"createTimestamp", "creatorsName", "modifiersName", "modifyTimestamp"}

const (
	objectClass  = "objectClass"
	userPassword = "userPassword"
)

// operationalName returns the spelling of an operational attribute, "" when
// attr is none.
func operationalName(attr string) string {
	if len(attr) < len("creatorsName") || len(attr) > len("modifyTimestamp") {
		return ""
	}
	if first := attr[0] | 0x20; first != 'c' && first != 'm' {
		return ""
	}
	for _, name := range operational {
		if strings.EqualFold(name, attr) {
			return name
		}
	}
	return ""
}

// isMark reports whether attr is one of the attributes that the view adds to
// show what became of an entry. They are no facts.
func isMark(attr string) bool {
	return len(attr) > 8 && strings.EqualFold(attr[:8], "ldapsync") &&
		(strings.EqualFold(attr, schema.ConflictID) || strings.EqualFold(attr, schema.ConflictOf) || strings.EqualFold(attr, schema.Glue))
}

// isMarkClass reports whether value, of attribute attr, is the class of the marks.
func isMarkClass(attr, value string) bool {
	return strings.EqualFold(attr, objectClass) && strings.EqualFold(value, schema.ConflictClass)
}

// isRegister reports whether all values of the attribute change together, so
// that adding one takes the place of those there were.
func (r *Rules) isRegister(canonical string) bool {
	return r.Schema.SingleValue(canonical) || !r.Schema.HasEquality(canonical)
}

// listed reports whether a list of attributes or classes names one.
func listed(list []string, name string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, name) })
}

// observedRemove reports whether a replace of attr is recorded as a difference.
// Options do not matter.
func (r *Rules) observedRemove(attr string) bool {
	base, _, _ := strings.Cut(attr, ";")
	return listed(r.ObservedRemove, base)
}
