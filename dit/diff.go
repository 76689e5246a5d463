package dit

import (
	"cmp"
	"slices"
	"strings"

	"ldapsync/changelog"
)

// Diff returns what a client did who turned the attributes old into new: an
// attribute that lost all its values, or can have one only, or whose values
// cannot be told apart, was replaced; else values were added and deleted. Where
// ObservedRemove lists the attribute, they always were. A value that matches an
// old one and is spelled otherwise was added. What the view itself puts into
// entries (ldapsync...) does not count. The order is that of canonical names.
func (r Rules) Diff(old, new []Attribute) []changelog.Mod {
	before, after := r.sorted(old), r.sorted(new)
	var mods []changelog.Mod
	for len(before)+len(after) > 0 {
		name := first(before, after)
		var was, is []canonicalAttribute
		was, before = take(before, name)
		is, after = take(after, name)
		if len(was) == 1 && len(is) == 1 && slices.Equal(was[0].Values, is[0].Values) {
			continue
		}
		mods = append(mods, r.diff(name, r.stateOf(was), r.stateOf(is))...)
	}
	return mods
}

// canonicalAttribute is an attribute with its canonical name.
type canonicalAttribute struct {
	name string
	Attribute
}

// sorted returns attributes by ascending canonical name, without the view's marks;
// those of one name in the order in which they are given.
func (r *Rules) sorted(attrs []Attribute) []canonicalAttribute {
	out := make([]canonicalAttribute, 0, len(attrs))
	for _, a := range attrs {
		if !isMark(a.Name) {
			out = append(out, canonicalAttribute{r.Schema.Canonical(a.Name), a})
		}
	}
	slices.SortStableFunc(out, func(a, b canonicalAttribute) int { return strings.Compare(a.name, b.name) })
	return out
}

// first returns the first name in two lists, of which one is not empty.
func first(a, b []canonicalAttribute) string {
	if len(b) == 0 || len(a) > 0 && a[0].name < b[0].name {
		return a[0].name
	}
	return b[0].name
}

// take splits off the attributes of a name at the beginning of a list.
func take(list []canonicalAttribute, name string) (taken, rest []canonicalAttribute) {
	n := 0
	for n < len(list) && list[n].name == name {
		n++
	}
	return list[:n], list[n:]
}

// state is the values of one attribute by ascending normal form, each once, and
// its description as spelled.
type state struct {
	spelt  string
	values []spelling
}

type spelling struct{ norm, raw string }

// byName returns attributes by canonical name, without the view's marks.
func (r *Rules) byName(attrs []Attribute) map[string]*state {
	out := make(map[string]*state, len(attrs))
	for rest := r.sorted(attrs); len(rest) > 0; {
		name := rest[0].name
		var same []canonicalAttribute
		same, rest = take(rest, name)
		out[name] = r.stateOf(same)
	}
	return out
}

// stateOf returns the state of attributes of one canonical name, nil where there are none.
func (r *Rules) stateOf(attrs []canonicalAttribute) *state {
	if len(attrs) == 0 {
		return nil
	}
	st := &state{spelt: attrs[0].Name}
	for _, a := range attrs {
		for _, v := range a.Values {
			if !isMarkClass(a.Name, v) {
				st.values = append(st.values, spelling{r.Schema.Normalise(a.name, v), v})
			}
		}
	}
	slices.SortFunc(st.values, func(a, b spelling) int {
		return cmp.Or(strings.Compare(a.norm, b.norm), strings.Compare(a.raw, b.raw))
	})
	st.values = slices.CompactFunc(st.values, func(a, b spelling) bool { return a.norm == b.norm })
	return st
}

func (r *Rules) diff(name string, old, new *state) []changelog.Mod {
	if old == nil {
		old = &state{spelt: new.spelt}
	}
	if new == nil {
		new = &state{spelt: old.spelt}
	}
	gone, kept, added := compare(old.values, new.values)
	if len(gone)+len(added) == 0 {
		return nil
	}
	if !r.observedRemove(name) && (r.isRegister(name) || len(old.values) > 0 && kept == 0) {
		return []changelog.Mod{{Op: changelog.ModReplace, Attr: new.spelt, Values: raws(new.values)}}
	}
	return differences(new.spelt, gone, added)
}

// differences returns the modifications that delete and add values.
func differences(attr string, gone, added []spelling) []changelog.Mod {
	var mods []changelog.Mod
	if len(gone) > 0 {
		mods = append(mods, changelog.Mod{Op: changelog.ModDelete, Attr: attr, Values: raws(gone)})
	}
	if len(added) > 0 {
		mods = append(mods, changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: raws(added)})
	}
	return mods
}

// compare returns the values that are only in old, how many are in both, and
// those of new that are not in old as spelled.
func compare(old, new []spelling) (gone []spelling, kept int, added []spelling) {
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(new) == 0 || len(old) > 0 && old[0].norm < new[0].norm:
			gone = append(gone, old[0])
			old = old[1:]
		case len(old) == 0 || new[0].norm < old[0].norm:
			added = append(added, new[0])
			new = new[1:]
		default:
			kept++
			if old[0].raw != new[0].raw {
				added = append(added, new[0])
			}
			old, new = old[1:], new[1:]
		}
	}
	return gone, kept, added
}

func raws(values []spelling) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.raw
	}
	return out
}
