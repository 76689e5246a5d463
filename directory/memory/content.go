package memory

import (
	"slices"
	"strings"
	"sync"

	"ldapsync/lookup"
	"ldapsync/schema"
)

// contents are what one schema says of sets of classes, as far as asked. Copies of
// a directory share them; who uses them holds mu.
type contents struct {
	mu    sync.Mutex
	known map[string]*content
}

// content is what the schema says of the entries of some classes.
type content struct {
	classes  []string
	must     []string
	verdicts lookup.Table[verdict]
}

// verdict is what the schema says of an attribute.
type verdict uint8

const (
	allowed verdict = iota + 1
	single          // and allowed
	notAllowed
	undefined
)

// maxContents bounds the sets of classes that are remembered.
const maxContents = 1000

// content returns that of some classes; the error says which the schema does not
// know.
func (k *contents) content(s *schema.Schema, classes []string) (*content, error) {
	key := strings.Join(classes, "\x00")
	c := k.known[key]
	if c == nil {
		for _, class := range classes {
			if s.Class(class) == nil {
				return nil, refused(21, "objectClass %s is unknown", class)
			}
		}
		c = &content{classes: slices.Clone(classes), must: s.Must(classes)}
		if k.known == nil || len(k.known) >= maxContents {
			k.known = map[string]*content{}
		}
		k.known[key] = c
	}
	return c, nil
}

// verdict returns what s says of an attribute by its canonical name.
func (c *content) verdict(s *schema.Schema, attr string) verdict {
	v, known := c.verdicts.Get(attr)
	if known {
		return v
	}
	switch {
	case s.Attribute(attr) == nil:
		return undefined
	case !s.Allows(c.classes, attr):
		v = notAllowed
	case s.SingleValue(attr):
		v = single
	default:
		v = allowed
	}
	c.verdicts.Put(attr, v)
	return v
}
