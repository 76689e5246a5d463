package schema

import (
	"cmp"
	"fmt"
	"slices"
)

// builder turns definitions that stand alone into a Schema.
type builder struct {
	*Schema
	visited map[any]visit
	content int // attributes counted against maxContent
}

// visit is how far the superiors of a definition are followed.
type visit uint8

const (
	unvisited visit = iota
	open
	done
)

func build(types []*AttributeType, classes []*ObjectClass) (*Schema, error) {
	b := builder{
		Schema:  new(Schema),
		visited: map[any]visit{},
	}
	b.indexTypes(types)
	b.indexClasses(classes)
	b.indexOIDs()
	for _, t := range b.types {
		if err := b.inherit(t); err != nil {
			return nil, err
		}
	}
	for _, c := range b.classes {
		if err := b.complete(c); err != nil {
			return nil, err
		}
	}
	b.digest = digest(b.Schema)
	return b.Schema, nil
}

// indexTypes gives each type the first of its names that means it and nothing
// else, so that canonical names are unique; a type whose every name and OID are
// another's is dropped.
func (b *builder) indexTypes(types []*AttributeType) {
	for _, t := range types {
		for _, key := range keys(t.Names, t.OID) {
			b.typeIndex.add(key, t)
		}
	}
	for _, t := range types {
		t.canonical = canonicalOf(&b.typeIndex, t, t.Names, t.OID)
		if t.canonical != "" {
			b.types = append(b.types, t)
		}
	}
	slices.SortFunc(b.types, func(x, y *AttributeType) int { return cmp.Compare(x.canonical, y.canonical) })
}

func (b *builder) indexClasses(classes []*ObjectClass) {
	for _, c := range classes {
		for _, key := range keys(c.Names, c.OID) {
			b.classIndex.add(key, c)
		}
	}
	for _, c := range classes {
		c.canonical = canonicalOf(&b.classIndex, c, c.Names, c.OID)
		if c.canonical != "" {
			b.classes = append(b.classes, c)
		}
	}
	slices.SortFunc(b.classes, func(x, y *ObjectClass) int { return cmp.Compare(x.canonical, y.canonical) })
}

// indexOIDs collects what object identifier values may name. Where a class and
// a type share a name it is the class's.
func (b *builder) indexOIDs() {
	var owners index[any]
	for _, c := range b.classes {
		for _, key := range keys(c.Names, c.OID) {
			owners.add(key, c)
		}
	}
	for _, t := range b.types {
		for _, key := range keys(t.Names, t.OID) {
			owners.add(key, t)
		}
	}
	for key, owner := range owners.All() {
		switch d := owner.(type) {
		case *ObjectClass:
			b.oids.Put(key, canonicalOf(&owners, owner, d.Names, d.OID))
		case *AttributeType:
			b.oids.Put(key, canonicalOf(&owners, owner, d.Names, d.OID))
		}
	}
}

func keys(names []string, oid string) []string { return append(slices.Clip(names), oid) }

// canonicalOf returns the first name or the OID of v, in lower case, by which x
// finds v; "" if there is none.
func canonicalOf[T comparable](x *index[T], v T, names []string, oid string) string {
	for _, key := range keys(names, oid) {
		key = lowerASCII(key)
		if found, ok := x.find(key); ok && found == v {
			return key
		}
	}
	return ""
}

// inherit fills in the equality rule and the syntax of t from its superior
// (RFC 4512 section 2.5.1); SINGLE-VALUE and USAGE are each type's own.
func (b *builder) inherit(t *AttributeType) error {
	switch b.visited[t] {
	case open:
		return fmt.Errorf("%w: attribute type %s is its own superior", ErrDefinition, excerpt(t.canonical))
	case done:
		return nil
	}
	b.visited[t] = open
	if up, ok := b.typeIndex.find(t.Superior); ok {
		if err := b.inherit(up); err != nil {
			return err
		}
		t.Equality = cmp.Or(t.Equality, up.Equality)
		t.Syntax = cmp.Or(t.Syntax, up.Syntax)
	}
	t.normal = rules[ruleName(t.Equality)]
	b.visited[t] = done
	return nil
}

// complete adds the attributes of the superiors to those of c and makes them
// canonical.
func (b *builder) complete(c *ObjectClass) error {
	switch b.visited[c] {
	case open:
		return fmt.Errorf("%w: object class %s is its own superior", ErrDefinition, excerpt(c.canonical))
	case done:
		return nil
	}
	b.visited[c] = open
	must, may := b.canonicalAll(c.Must), b.canonicalAll(c.May)
	for _, name := range c.Superiors {
		up, ok := b.classIndex.find(name)
		if !ok {
			continue
		}
		if err := b.complete(up); err != nil {
			return err
		}
		must, may = append(must, up.Must...), append(may, up.May...)
		if len(must)+len(may) > maxContent {
			break
		}
	}
	c.Must, c.May = sorted(must), sorted(may)
	c.May = slices.DeleteFunc(c.May, func(name string) bool { return contains(c.Must, name) })
	if b.content += len(c.Must) + len(c.May); b.content > maxContent {
		return fmt.Errorf("%w: object class %s: more than %d attributes in all", ErrDefinition, excerpt(c.canonical), maxContent)
	}
	b.visited[c] = done
	return nil
}

func (b *builder) canonicalAll(names []string) []string {
	canonical := make([]string, len(names))
	for i, name := range names {
		canonical[i] = b.canonicalBase(name)
	}
	return canonical
}

// sorted sorts list in place and returns it without repetitions.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Clip(slices.Compact(list))
}
