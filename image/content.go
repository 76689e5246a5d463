package image

import (
	"slices"
	"strings"

	"ldapsync/directory"
)

// values are those of the attribute of a canonical name, sorted by octets.
type values struct {
	name   string
	values []string
}

// content is the values of an entry by ascending name.
type content []values

// get returns the values of an attribute, nil when there are none.
func (c content) get(name string) []string {
	i, found := slices.BinarySearchFunc(c, name, func(v values, name string) int { return strings.Compare(v.name, name) })
	if !found {
		return nil
	}
	return c[i].values
}

// byName returns the values of attributes; those without values are left out.
func (t Terms) byName(attrs []directory.Attribute) content {
	c := make(content, 0, len(attrs))
	for _, a := range attrs {
		if len(a.Values) > 0 {
			c = append(c, values{t.Schema.Canonical(a.Name), a.Values})
		}
	}
	if c.ascending() {
		return c.sorted()
	}
	slices.SortFunc(c, func(a, b values) int { return strings.Compare(a.name, b.name) })
	joined := c[:0]
	for _, v := range c {
		if last := len(joined) - 1; last >= 0 && joined[last].name == v.name {
			joined[last].values = slices.Concat(joined[last].values, v.values)
			continue
		}
		joined = append(joined, v)
	}
	return joined.sorted()
}

// ascending reports whether every name is later than the one before it.
func (c content) ascending() bool {
	for i := 1; i < len(c); i++ {
		if c[i-1].name >= c[i].name {
			return false
		}
	}
	return true
}

// sorted sorts the values of every attribute.
func (c content) sorted() content {
	for i, v := range c {
		if !slices.IsSorted(v.values) {
			c[i].values = slices.Sorted(slices.Values(v.values))
		}
	}
	return c
}

// ByKey returns the normal forms of the values by canonical attribute name.
func (t Terms) ByKey(attrs []directory.Attribute) map[string][]string {
	return t.grouped(attrs, t.Schema.Normalise)
}

// grouped returns what form makes of the values by canonical attribute name.
func (t Terms) grouped(attrs []directory.Attribute, form func(attr, value string) string) map[string][]string {
	m := map[string][]string{}
	for _, a := range attrs {
		name := t.Schema.Canonical(a.Name)
		for _, v := range a.Values {
			m[name] = append(m[name], form(a.Name, v))
		}
	}
	return m
}
