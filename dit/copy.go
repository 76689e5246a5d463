package dit

import "slices"

// spilled reports whether values of e stand under keys of their own.
func (e *entry) spilled() bool {
	return slices.ContainsFunc(e.attrs, func(a *attribute) bool { return a.spill != nil })
}

// maxCopied is how often entries are copied before they are read again: a value keeps
// the memory of the change or the record that it came with.
const maxCopied = 8

// copy returns a copy of an entry that was read from a record or written to one, and
// has nothing spilled: what parse makes of that record. It shares no stamps with e; nil
// where theirs have another order by now.
func (e *entry) copy() *entry {
	stamps, whole := make([]stamp, e.stamped), true
	own := func(s *stamp) *stamp {
		if s == nil {
			return nil
		}
		if s.index >= len(stamps) {
			whole = false
			return nil
		}
		at := &stamps[s.index]
		if at.csn.IsZero() {
			*at = *s
		}
		whole = whole && at.csn == s.csn
		return at
	}
	c := *e
	c.known, c.frozen = nil, nil
	c.copied++
	c.created, c.deleted, c.undeleted = own(e.created), own(e.deleted), own(e.undeleted)
	c.edges, c.names, c.settled = slices.Clone(e.edges), slices.Clone(e.names), slices.Clone(e.settled)
	for i := range c.edges {
		c.edges[i].at = own(c.edges[i].at)
	}
	for i := range c.names {
		c.names[i].at = own(c.names[i].at)
	}
	c.attrs = copyAttributes(e.attrs, own)
	if !whole {
		return nil
	}
	return &c
}

func copyAttributes(attrs []*attribute, own func(*stamp) *stamp) []*attribute {
	count := 0
	for _, a := range attrs {
		count += len(a.values)
	}
	out, block, values := make([]*attribute, len(attrs)), make([]attribute, len(attrs)), make([]value, 0, count)
	for i, a := range attrs {
		start := len(values)
		for _, v := range a.values {
			values = append(values, value{v.raw, own(v.add), own(v.del)})
		}
		block[i] = attribute{name: a.name, rule: a.rule, clear: own(a.clear), values: values[start:len(values):len(values)]}
		out[i] = &block[i]
	}
	return out
}
