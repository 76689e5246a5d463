package dit

import (
	"maps"
	"math/big"
	"slices"
	"strings"

	"ldapsync/changelog"
)

// editing is an entry while the modifications of one operation are made to it.
type editing struct {
	rules *Rules
	attrs map[string]*edited // by canonical name
}

// edited is one attribute on its way.
type edited struct {
	spelt string
	// before and now are the values by normal form.
	before, now map[string]string
	// replaced says that the values there were have been removed as a whole.
	replaced bool
}

func (s *State) authorModify(c *changelog.Change, e *entry, op Operation) (*changelog.Change, error) {
	shown := s.show(e)
	if shown == nil {
		return nil, refuse(NoSuchObject, "no entry %s", op.DN)
	}
	edit := editing{rules: &s.rules, attrs: map[string]*edited{}}
	for name, st := range s.rules.byName(shown.Attrs) {
		a := edit.attribute(name)
		a.spelt = st.spelt
		for _, v := range st.values {
			a.before[v.norm], a.now[v.norm] = v.raw, v.raw
		}
	}
	for _, m := range op.Modifications {
		if isMark(m.Attr) {
			continue
		}
		m.Values = slices.DeleteFunc(slices.Clone(m.Values), func(v string) bool { return isMarkClass(m.Attr, v) })
		if err := edit.apply(m); err != nil {
			return nil, err
		}
	}
	for _, v := range s.names(e).values {
		if a := edit.attrs[v.attr]; a != nil && has(a.before, v.norm) && !has(a.now, v.norm) {
			return nil, refuse(NotAllowedOnRDN, "%s: the entry is named by the value", v.spelt)
		}
	}
	if c.Mods = edit.mods(); len(c.Mods) == 0 && !c.Undelete {
		return nil, nil
	}
	return c, nil
}

func has(values map[string]string, norm string) bool {
	_, ok := values[norm]
	return ok
}

func (e *editing) attribute(canonical string) *edited {
	a := e.attrs[canonical]
	if a == nil {
		a = &edited{before: map[string]string{}, now: map[string]string{}}
		e.attrs[canonical] = a
	}
	return a
}

func (e *editing) apply(m Modification) error {
	canonical := e.rules.Schema.Canonical(m.Attr)
	a := e.attribute(canonical)
	a.spelt = m.Attr
	values := make(map[string]string, len(m.Values))
	for _, v := range m.Values {
		norm := e.rules.Schema.Normalise(canonical, v)
		if has(values, norm) && m.Op != ReplaceValues {
			return refuse(AttributeOrValueExists, "%s: value given twice", m.Attr)
		}
		values[norm] = v
	}
	switch m.Op {
	case AddValues:
		return a.add(m, values)
	case DeleteValues:
		return a.delete(m, values)
	case ReplaceValues:
		a.now, a.replaced = values, true
		return nil
	case IncrementValues:
		return a.increment(m, func(v string) string { return e.rules.Schema.Normalise(canonical, v) })
	}
	return refuse(UnwillingToPerform, "unknown modification %d", m.Op)
}

func (a *edited) add(m Modification, values map[string]string) error {
	if len(values) == 0 {
		return refuse(InvalidAttributeSyntax, "%s: nothing to add", m.Attr)
	}
	for norm, v := range values {
		if has(a.now, norm) {
			return refuse(AttributeOrValueExists, "%s: value exists", m.Attr)
		}
		a.now[norm] = v
	}
	return nil
}

func (a *edited) delete(m Modification, values map[string]string) error {
	if len(a.now) == 0 {
		return refuse(NoSuchAttribute, "%s: no such attribute", m.Attr)
	}
	if len(values) == 0 {
		a.now, a.replaced = map[string]string{}, true
	}
	for norm := range values {
		if !has(a.now, norm) {
			return refuse(NoSuchAttribute, "%s: no such value", m.Attr)
		}
		delete(a.now, norm)
	}
	return nil
}

func (a *edited) increment(m Modification, normalise func(string) string) error {
	if len(m.Values) != 1 {
		return refuse(ConstraintViolation, "%s: increment takes one value", m.Attr)
	}
	by, ok := new(big.Int).SetString(strings.TrimPrefix(m.Values[0], "+"), 10)
	if !ok || len(m.Values[0]) > maxDigits {
		return refuse(InvalidAttributeSyntax, "%s: increment by what is no integer", m.Attr)
	}
	if len(a.now) == 0 {
		return refuse(NoSuchAttribute, "%s: no such attribute", m.Attr)
	}
	sums := make(map[string]string, len(a.now))
	for _, v := range a.now {
		n, ok := new(big.Int).SetString(v, 10)
		if !ok || len(v) > maxDigits {
			return refuse(ConstraintViolation, "%s: increment of what is no integer", m.Attr)
		}
		sum := n.Add(n, by).String()
		sums[normalise(sum)] = sum
	}
	a.now, a.replaced = sums, true
	return nil
}

// maxDigits bounds the integers that are incremented.
const maxDigits = 1000

// mods returns the net effect of the modifications, at most one of each kind
// per attribute, in the order of the canonical names.
func (e *editing) mods() []changelog.Mod {
	var mods []changelog.Mod
	for _, name := range slices.Sorted(maps.Keys(e.attrs)) {
		a := e.attrs[name]
		gone, _, added := compare(sorted(a.before), sorted(a.now))
		observed := e.rules.observedRemove(name)
		switch {
		case observed || !a.replaced && (len(gone)+len(added) == 0 || !e.rules.isRegister(name)):
			mods = append(mods, differences(a.spelt, gone, added)...)
		default:
			mods = append(mods, changelog.Mod{Op: changelog.ModReplace, Attr: a.spelt, Values: raws(sorted(a.now))})
		}
	}
	return mods
}

func sorted(values map[string]string) []spelling {
	out := make([]spelling, 0, len(values))
	for _, norm := range slices.Sorted(maps.Keys(values)) {
		out = append(out, spelling{norm, values[norm]})
	}
	return out
}
