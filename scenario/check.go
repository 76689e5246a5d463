package scenario

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
)

// checker reads one scenario and knows which entries it speaks of.
type checker struct {
	*parser
	scenario *Scenario
	// ids holds the line of every entry that can be spoken of.
	ids map[string]int
}

func (c *checker) initial(list []*yaml.Node) {
	names := map[string]bool{c.file.Base.Key(c.file.Schema): true}
	for i, n := range list {
		e := c.entry(n)
		if len(e.DN) == 0 {
			continue
		}
		key := e.DN.Key(c.file.Schema)
		switch {
		case marked(e.DN):
			c.refuse(n.Line, "%s: an entry cannot begin with the mark of a conflict", e.DN)
		case names[key]:
			c.refuse(n.Line, "%s is there already", e.DN)
		case c.below(n.Line, e.DN) && !names[e.DN.Parent().Key(c.file.Schema)]:
			c.refuse(n.Line, "%s: its superior does not stand before it", e.DN)
		}
		names[key] = true
		c.ids[InitialID(i)] = n.Line
		c.scenario.Initial = append(c.scenario.Initial, e)
	}
}

// marked reports whether a name has what only the view puts there.
func marked(name dn.DN) bool {
	return slices.ContainsFunc(name, func(rdn dn.RDN) bool {
		return slices.ContainsFunc(rdn, func(a dn.AVA) bool { return isMark(a.Attr) })
	})
}

// below refuses a name that is not below the base.
func (c *checker) below(line int, name dn.DN) bool {
	if len(name) == 0 || len(c.file.Base) == 0 || name.IsBelow(c.file.Base, c.file.Schema) {
		return len(name) > 0 && len(c.file.Base) > 0
	}
	c.refuse(line, "%s is not below the base %s", name, c.file.Base)
	return false
}

func (c *checker) entry(n *yaml.Node) Entry {
	f := c.fields(n, "dn", "attrs")
	var e Entry
	if d := f.need("dn"); d != nil {
		e.DN = c.name(d)
	}
	if a := f.need("attrs"); a != nil {
		e.Attrs = c.attributes(a)
	}
	return e
}

func (c *checker) ops(list []*yaml.Node) {
	moments := map[string]int{}
	for _, n := range list {
		o, ok := c.op(n)
		if !ok {
			continue
		}
		if !o.Sync {
			if first, twice := moments[o.ID()]; twice {
				c.refuse(n.Line, "%s does two things at time %d, the first in line %d", o.Replica, o.Time, first)
			}
			moments[o.ID()] = n.Line
		}
		if o.Operation.Op == changelog.OpAdd {
			c.ids[o.ID()] = n.Line
		}
		c.scenario.Ops = append(c.scenario.Ops, o)
	}
	slices.SortStableFunc(c.scenario.Ops, func(a, b Op) int { return cmp.Compare(a.Time, b.Time) })
}

// opKeys are the keys of each operation besides time, replica and op.
var opKeys = map[string][]string{
	"sync":   {},
	"add":    {"replica", "dn", "attrs"},
	"delete": {"replica", "dn"},
	"modify": {"replica", "dn", "mods"},
	"modrdn": {"replica", "dn", "newrdn", "deleteoldrdn", "newsuperior"},
}

// op reads one operation; false when so much is wrong that nothing can be said
// of it.
func (c *checker) op(n *yaml.Node) (Op, bool) {
	name := valueOf(n, "op")
	keys, known := opKeys[name]
	if name != "" && !known {
		c.refuse(n.Line, "unknown operation %.60q: known are %s", name, strings.Join(slices.Sorted(maps.Keys(opKeys)), ", "))
		return Op{}, false
	}
	if name == "" {
		keys = opKeys["modrdn"]
	}
	f := c.fields(n, append([]string{"time", "op"}, keys...)...)
	if f == nil || f.need("op") == nil {
		return Op{}, false
	}
	o := Op{Time: f.number("time", MaxTime), Line: n.Line, Sync: name == "sync"}
	if o.Sync {
		return o, true
	}
	if o.Time == 0 {
		c.refuse(n.Line, "time 0 is when the initial entries were made; the first operation comes after it")
	}
	o.Replica = f.text("replica")
	if len(o.Replica) != 1 || o.Replica < "A" || o.Replica > "Z" {
		c.refuse(n.Line, "replica %.40q: want a letter from A to Z", o.Replica)
		return Op{}, false
	}
	if d := f.need("dn"); d != nil {
		o.Operation.DN = c.name(d)
		c.below(d.Line, o.Operation.DN)
	}
	c.operation(&o.Operation, name, f)
	return o, true
}

// valueOf returns the scalar that a mapping has for a key, "" for none.
func valueOf(n *yaml.Node, key string) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1].Value
			}
		}
	}
	return ""
}

func (c *checker) operation(o *dit.Operation, name string, f *fields) {
	switch name {
	case "add":
		o.Op = changelog.OpAdd
		if a := f.need("attrs"); a != nil {
			o.Attrs = c.attributes(a)
		}
	case "delete":
		o.Op = changelog.OpDelete
	case "modify":
		o.Op = changelog.OpModify
		if m := f.need("mods"); m != nil {
			for _, mod := range c.list(m, "mods") {
				o.Modifications = append(o.Modifications, c.mod(mod))
			}
			if len(m.Content) == 0 {
				c.refuse(m.Line, "mods: there is none")
			}
		}
	case "modrdn":
		o.Op, o.DeleteOldRDN = changelog.OpModDN, f.boolean("deleteoldrdn")
		if r := f.need("newrdn"); r != nil {
			o.NewRDN = c.rdn(r)
		}
		if s := f.optional("newsuperior"); s != nil {
			o.NewSuperior = c.name(s)
			if !o.NewSuperior.Equal(c.file.Base, c.file.Schema) {
				c.below(s.Line, o.NewSuperior)
			}
		}
	}
}

var modOps = map[string]dit.ModificationOp{"add": dit.AddValues, "delete": dit.DeleteValues, "replace": dit.ReplaceValues}

func (c *checker) mod(n *yaml.Node) (m dit.Modification) {
	f := c.fields(n, "op", "attr", "values")
	if f == nil {
		return m
	}
	op, known := modOps[f.text("op")]
	if !known {
		c.refuse(n.Line, "unknown modification %.60q: known are add, delete, replace", valueOf(n, "op"))
	}
	m = dit.Modification{Op: op, Attr: f.text("attr")}
	if m.Attr != "" {
		c.knownType(n.Line, m.Attr)
	}
	if v := f.optional("values"); v != nil {
		m.Values = c.values(v, c.file.Schema.Canonical(m.Attr))
	}
	if op == dit.AddValues && len(m.Values) == 0 {
		c.refuse(n.Line, "add of %s without a value", m.Attr)
	}
	return m
}
