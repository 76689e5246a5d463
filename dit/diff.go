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
	before, after := r.byName(old), r.byName(new)
	names := make([]string, 0, len(before)+len(after))
	for name := range before {
		names = append(names, name)
	}
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var mods []changelog.Mod
	for _, name := range names {
		mods = append(mods, r.diff(name, before[name], after[name])...)
	}
	return mods
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
	for _, a := range attrs {
		if isMark(a.Name) {
			continue
		}
		name := r.Schema.Canonical(a.Name)
		st := out[name]
		if st == nil {
			st = &state{spelt: a.Name}
			out[name] = st
		}
		for _, v := range a.Values {
			if !isMarkClass(a.Name, v) {
				st.values = append(st.values, spelling{r.Schema.Normalise(name, v), v})
			}
		}
	}
	for _, st := range out {
		slices.SortFunc(st.values, func(a, b spelling) int {
			return cmp.Or(strings.Compare(a.norm, b.norm), strings.Compare(a.raw, b.raw))
		})
		st.values = slices.CompactFunc(st.values, func(a, b spelling) bool { return a.norm == b.norm })
	}
	return out
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
