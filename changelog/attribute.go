package changelog

import "slices"

// Attribute is one attribute of an entry with its values. Name is the attribute
// description, options included; Values are raw octets.
type Attribute struct {
	Name   string
	Values []string
}

// Equal reports whether two attributes are the same to the octet, in one order.
func (a Attribute) Equal(o Attribute) bool {
	return a.Name == o.Name && slices.Equal(a.Values, o.Values)
}
