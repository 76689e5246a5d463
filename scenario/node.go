package scenario

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"ldapsync/dit"
	"ldapsync/dn"
)

// fields are the keys and values of one mapping.
type fields struct {
	p      *parser
	node   *yaml.Node
	values map[string]*yaml.Node
}

// fields reads a mapping that has none but the known keys; nil when it is no
// mapping.
func (p *parser) fields(n *yaml.Node, known ...string) *fields {
	if n.Kind != yaml.MappingNode {
		p.refuse(n.Line, "want keys and values, not %s", kindOf(n))
		return nil
	}
	f := &fields{p: p, node: n, values: map[string]*yaml.Node{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch _, twice := f.values[key.Value]; {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			p.refuse(key.Line, "unknown key %.60q: known are %s", key.Value, strings.Join(known, ", "))
		case twice:
			p.refuse(key.Line, "%s is there twice", key.Value)
		default:
			f.values[key.Value] = value
		}
	}
	return f
}

// optional returns the value of a key, nil when it is not there.
func (f *fields) optional(key string) *yaml.Node {
	if f == nil {
		return nil
	}
	return f.values[key]
}

// need refuses a mapping without the key.
func (f *fields) need(key string) *yaml.Node {
	n := f.optional(key)
	if n == nil && f != nil {
		f.p.refuse(f.node.Line, "%s is missing", key)
	}
	return n
}

func (f *fields) text(key string) string {
	n := f.need(key)
	if n == nil {
		return ""
	}
	text, ok := f.p.scalar(n)
	if ok && text == "" {
		f.p.refuse(n.Line, "%s is empty", key)
	}
	return text
}

func (f *fields) optionalText(key string) string {
	if n := f.optional(key); n != nil {
		text, _ := f.p.scalar(n)
		return text
	}
	return ""
}

// number reads a whole number from 0 to limit.
func (f *fields) number(key string, limit int64) int64 {
	n := f.need(key)
	if n == nil {
		return 0
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || n.Kind != yaml.ScalarNode || v < 0 || v > limit {
		f.p.refuse(n.Line, "%s %.40q: want a whole number from 0 to %d", key, n.Value, limit)
	}
	return v
}

// boolean reads true or false.
func (f *fields) boolean(key string) bool {
	n := f.need(key)
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
		f.p.refuse(n.Line, "%s %.40q: want true or false", key, n.Value)
	}
	return n.Value == "true"
}

// list returns the items of a list.
func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	switch {
	case n.Kind != yaml.SequenceNode:
		p.refuse(n.Line, "%s: want a list, not %s", what, kindOf(n))
		return nil
	case len(n.Content) > MaxOps:
		p.refuse(n.Line, "%s: %d of them, more than %d", what, len(n.Content), MaxOps)
		return nil
	}
	return n.Content
}

// scalar returns a single value as it is written; !!binary stands for octets in
// base64.
func (p *parser) scalar(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		p.refuse(n.Line, "want a single value, not %s", kindOf(n))
		return "", false
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return n.Value, true
	case "!!binary":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		if err != nil {
			p.refuse(n.Line, "not in base64: %v", err)
		}
		return string(b), err == nil
	}
	p.refuse(n.Line, "want a value, not %.40s", n.ShortTag())
	return "", false
}

// name reads a DN; nil when it is none, or the root.
func (p *parser) name(n *yaml.Node) dn.DN {
	text, ok := p.scalar(n)
	if !ok {
		return nil
	}
	d, err := dn.Parse(text)
	if err != nil {
		p.refuse(n.Line, "%v", err)
		return nil
	}
	for _, rdn := range d {
		p.knownTypes(n.Line, rdn)
	}
	return d
}

func (p *parser) rdn(n *yaml.Node) dn.RDN {
	text, ok := p.scalar(n)
	if !ok {
		return nil
	}
	r, err := dn.ParseRDN(text)
	if err != nil {
		p.refuse(n.Line, "%v", err)
		return nil
	}
	p.knownTypes(n.Line, r)
	return r
}

func (p *parser) knownTypes(line int, rdn dn.RDN) {
	for _, a := range rdn {
		p.knownType(line, a.Attr)
	}
}

func (p *parser) knownType(line int, attr string) {
	if p.file.Schema.Attribute(attr) == nil {
		p.refuse(line, "attribute type %.60q is not in the schema", attr)
	}
}

// attributes reads a mapping of attribute descriptions to lists of values.
func (p *parser) attributes(n *yaml.Node) []dit.Attribute {
	if n.Kind != yaml.MappingNode {
		p.refuse(n.Line, "attrs: want attributes and their values, not %s", kindOf(n))
		return nil
	}
	var out []dit.Attribute
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name, ok := p.scalar(key)
		if !ok {
			continue
		}
		p.knownType(key.Line, name)
		canonical := p.file.Schema.Canonical(name)
		if seen[canonical] {
			p.refuse(key.Line, "%s is there twice", name)
		}
		seen[canonical] = true
		if values := p.values(n.Content[i+1], canonical); len(values) > 0 {
			out = append(out, dit.Attribute{Name: name, Values: values})
		}
	}
	return out
}

// values reads a list of values of an attribute, in which none is twice.
func (p *parser) values(n *yaml.Node, attr string) []string {
	var out []string
	seen := map[string]bool{}
	for _, item := range p.list(n, attr) {
		v, ok := p.scalar(item)
		if !ok {
			continue
		}
		norm := p.file.Schema.Normalise(attr, v)
		if seen[norm] {
			p.refuse(item.Line, "%s: value %.60q is there twice", attr, v)
		}
		if attr == "objectclass" && p.file.Schema.Class(v) == nil {
			p.refuse(item.Line, "object class %.60q is not in the schema", v)
		}
		seen[norm] = true
		out = append(out, v)
	}
	return out
}

// kindOf says what a node is.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	return "a single value"
}
