package dit

import (
	"slices"

	"ldapsync/dn"
)

// names is what the RDNs of an entry mean for its values.
type names struct {
	// rdn is the one in force.
	rdn dn.RDN
	at  *stamp
	// values are those of rdn.
	values []namingValue
	// left are the values that renames removed with the names before them.
	left []namingValue
}

// namingValue is one attribute value of an RDN.
type namingValue struct {
	rule                   *attrRule
	attr, spelt, norm, raw string // attr is canonical
	// at is, of a value left behind, the newest rename that removed it.
	at *stamp
}

func (s *State) names(e *entry) *names {
	n := &names{rdn: s.rdnOf(e), at: e.name().at}
	n.values = s.namingValues(n.rdn)
	if len(e.names) == 1 {
		return n
	}
	for i, name := range e.names {
		if !name.deleteOld {
			continue
		}
		for _, old := range replaced(e.names[:i], name.at) {
			for _, v := range s.namingValues(s.parseRDN(old.rdn)) {
				v.at = name.at // what the new name keeps, it also adds
				n.left = append(n.left, v)
			}
		}
	}
	return n
}

// rdnOf returns the RDN of e in force; it is shared and must not be changed.
func (s *State) rdnOf(e *entry) dn.RDN {
	if s.isRoot(e) && len(s.rules.Suffix) > 0 {
		return s.rules.Suffix[0]
	}
	return s.parseRDN(e.name().rdn)
}

// replaced returns which of the names before it a rename took the place of: the
// newest that its author knew, and all that the author did not know. What became
// of the values of still older names was decided by the renames in between.
func replaced(older []naming, at *stamp) []naming {
	var out []naming
	found := false
	for _, name := range slices.Backward(older) {
		known := at.covers(name.at)
		if !known || !found {
			out = append(out, name)
		}
		found = found || known
	}
	return out
}

// rdnForm is an RDN, parsed, and its normal form.
type rdnForm struct {
	rdn dn.RDN
	key string
}

// parseRDN reads an RDN that was stored after it had been parsed. What it
// returns is shared and must not be changed.
func (s *State) parseRDN(text string) dn.RDN { return s.rdnForm(text).rdn }

// rdnKeyOf returns the normal form of such an RDN.
func (s *State) rdnKeyOf(text string) string { return s.rdnForm(text).key }

func (s *State) rdnForm(text string) *rdnForm {
	if f, ok := s.memo.rdns.Get(text); ok {
		return f
	}
	rdn, err := dn.ParseRDN(text)
	if err != nil {
		s.damaged("name: " + err.Error())
		return new(rdnForm)
	}
	f := &rdnForm{rdn: slices.Clip(rdn), key: rdn.Key(s.rules.Schema)}
	s.memo.rdns.Put(text, f)
	return f
}

func (s *State) namingValues(rdn dn.RDN) []namingValue {
	out := make([]namingValue, len(rdn))
	for i, a := range rdn {
		rule := s.memo.attr(a.Attr)
		out[i] = namingValue{rule: rule, attr: rule.name, spelt: a.Attr, norm: rule.normalise(a.Value), raw: a.Value}
	}
	return out
}

// killer returns the newest rename that removed a value, nil when none did.
func (n *names) killer(attr, norm string) *stamp {
	var at *stamp
	for _, v := range n.left {
		if v.attr == attr && v.norm == norm {
			at = newest(at, v.at)
		}
	}
	return at
}

// force shows the values of the name, whatever was done to them.
func (n *names) force(a *aspect) {
	for _, v := range n.values {
		if v.attr != a.name {
			continue
		}
		i, found := a.find(v.norm)
		if !found {
			a.values = slices.Insert(a.values, i, fate{norm: v.norm, raw: v.raw, name: v.spelt, add: n.at})
		}
		f := &a.values[i]
		if f.killer != nil {
			f.raw = v.raw
		}
		f.shown, f.naming = true, true
	}
}

// isRoot reports whether e has no parent: it is the suffix entry, or claims to be.
func (s *State) isRoot(e *entry) bool { return e.node.edged && e.node.parent.IsZero() }
