package dit

import "slices"

// spills reports whether some attribute keeps its values under keys of their own.
func (t *trimming) spills() bool {
	return slices.ContainsFunc(t.old.attrs, func(a *attribute) bool { return a.spill != nil })
}

// spilled drops dead values, and removals of what has been added again since, of
// the attributes that keep theirs under keys of their own. Of an attribute without
// living values nothing is dropped, of others not what would go last: a class may come
// to demand one.
func (t *trimming) spilled() {
	s := t.state
	for _, a := range t.old.attrs {
		name := s.attrRule(a).name
		if a.spill == nil || !s.tallied(t.old, name) || s.memo.attr(name).register {
			continue
		}
		if have := s.tally(t.old, a); have.shown > 0 {
			t.groups(a, name, have)
		}
	}
}

func (t *trimming) groups(a *attribute, name string, have tally) {
	s := t.state
	var changed []valueGroup
	var was [][]value
	var last fate
	drop := -1 // where the group of that one is to be dropped
	s.kv.Scan(valuePrefix(t.old.id, a.name), nil, func(k, v []byte) bool {
		g := valueGroup{key: slices.Clone(k), values: s.readValues(string(v), new(stamp))}
		f, added := fateOf(a, g)
		leads := added && (last.add == nil || last.goesBefore(f))
		if leads {
			last, drop = f, -1
		}
		if rest, less := t.group(a, name, g); less {
			if leads && len(rest) == 0 {
				drop = len(changed)
			}
			was = append(was, g.values)
			changed = append(changed, valueGroup{key: g.key, values: rest})
		}
		return s.err == nil
	})
	if drop >= 0 {
		was, changed = slices.Delete(was, drop, drop+1), slices.Delete(changed, drop, drop+1)
	}
	if len(changed) == 0 {
		return
	}
	total := s.total()
	for i, g := range changed {
		old := valueGroup{key: g.key, values: was[i]}
		for _, v := range old.values {
			total.sum.sub(digestOf(t.old.id[:], []byte(a.name), v.append(nil)))
		}
		for _, v := range g.values {
			total.sum.add(digestOf(t.old.id[:], []byte(a.name), v.append(nil)))
		}
		have.add(tallyOf(a, old), -1)
		have.add(tallyOf(a, g), +1)
		if f, added := fateOf(a, old); added && f.lost() {
			s.unlist(t.old.id, spilledPrefix(t.old.id, name), f.superseded(t.old.id, name).key())
		}
		a.spill.count -= len(old.values) - len(g.values)
		if len(g.values) == 0 {
			s.delete(g.key)
		} else {
			s.put(g.key, g.bytes())
		}
	}
	total.dirty, s.dropped = true, true
	s.put(appendKeyText(idKey(keySpill, t.old.id), a.name), have.bytes())
}

// group returns what is left of values that match one another, and whether that
// is less than there was.
func (t *trimming) group(a *attribute, name string, g valueGroup) (rest []value, less bool) {
	for _, v := range g.values {
		if !t.f.stable(v.add) || !t.f.stable(v.del) || !t.f.stable(a.clear) {
			return nil, false
		}
	}
	f, added := fateOf(a, g)
	switch {
	case !added:
		return nil, true
	case f.killer != nil && f.lost() && t.fresh(f.superseded(t.old.id, name)):
		return nil, false
	case f.killer != nil:
		return nil, true
	}
	for _, v := range g.values {
		switch {
		case v.add.before(f.add):
			less = true
		case v.del != nil:
			rest, less = append(rest, value{raw: v.raw, add: v.add}), true
		default:
			rest = append(rest, v)
		}
	}
	return rest, less
}
