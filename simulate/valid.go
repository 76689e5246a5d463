package simulate

import (
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
)

// checkDIT checks that what is shown is a directory as LDAP has it: one entry
// without a superior, no other without one that is shown, no name twice below
// one entry, and every entry as the schema wants it.
func checkDIT(shown map[changelog.ID]*dit.Shown) {
	taken := map[string]changelog.ID{}
	for _, id := range sortedIDs(shown) {
		v := shown[id]
		if v.Parent.IsZero() != v.RDN.Equal(suffix[0], standard) {
			fail("dit", "entry %s is shown as %s below %s", short(id), v.RDN, short(v.Parent))
		}
		if !v.Parent.IsZero() && shown[v.Parent] == nil {
			fail("dit", "entry %s is shown below %s, which is not", short(id), short(v.Parent))
		}
		key := string(v.Parent[:]) + v.RDN.Key(standard)
		if other, ok := taken[key]; ok {
			fail("dit", "entries %s and %s are both shown as %s below %s", short(other), short(id), v.RDN, short(v.Parent))
		}
		taken[key] = id
		if why := unsuited(v); why != "" {
			fail("dit", "entry %s: %s: %s", short(id), why, showView(v))
		}
	}
}

// unsuited says what the schema has against an entry, "" when nothing.
func unsuited(v *dit.Shown) string {
	names := canonicalNames(v)
	values := func(attr string) []string {
		if i := slices.Index(names, standard.Canonical(attr)); i >= 0 {
			return v.Attrs[i].Values
		}
		return nil
	}
	classes := values("objectclass")
	if len(classes) == 0 {
		return "no class"
	}
	for _, class := range classes {
		if standard.Class(class) == nil {
			return "unknown class " + class
		}
	}
	for _, a := range v.RDN {
		if !hasEqual(values(a.Attr), a) {
			return "name without its value"
		}
	}
	for _, must := range standard.Must(classes) {
		if len(values(must)) == 0 {
			return "no value of " + must
		}
	}
	for _, a := range v.Attrs {
		if len(a.Values) == 0 {
			return "no value of " + a.Name
		}
		if len(a.Values) > 1 && standard.SingleValue(a.Name) {
			return "several values of " + a.Name
		}
		if t := standard.Attribute(a.Name); t == nil || !t.Operational && !standard.Allows(classes, a.Name) {
			return "no class allows " + a.Name
		}
		for i := 1; i < len(a.Values); i++ {
			if standard.Normalise(a.Name, a.Values[i-1]) >= standard.Normalise(a.Name, a.Values[i]) {
				return fmt.Sprintf("values of %s repeated or out of order", a.Name)
			}
		}
	}
	return ""
}

// canonicalNames returns those of the attributes of an entry, in their order.
func canonicalNames(v *dit.Shown) []string {
	names := make([]string, len(v.Attrs))
	for i, a := range v.Attrs {
		names[i] = standard.Canonical(a.Name)
	}
	return names
}

// shownValues returns the values of an attribute of any spelling.
func shownValues(v *dit.Shown, attr string) []string {
	attr = standard.Canonical(attr)
	for _, a := range v.Attrs {
		if standard.Canonical(a.Name) == attr {
			return a.Values
		}
	}
	return nil
}

// hasEqual reports whether one of the values matches that of a name.
func hasEqual(values []string, a dn.AVA) bool {
	norm := standard.Normalise(a.Attr, a.Value)
	return slices.ContainsFunc(values, func(v string) bool { return standard.Normalise(a.Attr, v) == norm })
}

func sortedIDs(shown map[changelog.ID]*dit.Shown) []changelog.ID {
	ids := make([]changelog.ID, 0, len(shown))
	for id := range shown {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, changelog.ID.Compare)
	return ids
}
