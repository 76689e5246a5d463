package pubsub

import (
	"slices"

	"ldapsync/xmpp/element"
)

const (
	nsData     = "jabber:x:data"
	formType   = "FORM_TYPE"
	configForm = "http://jabber.org/protocol/pubsub#node_config"
)

// form is a data form (XEP-0004) as a service offers it.
type form map[string]field

type field struct {
	value string
	// options are the values allowed; empty where the service names none.
	options []string
}

// parseForm reads the data form in parent; nil where there is none.
func parseForm(parent *element.Element) form {
	x := parent.Child(nsData, "x")
	if x == nil {
		return nil
	}
	f := form{}
	for _, e := range x.All(nsData, "field") {
		fd := field{}
		if v := e.Child(nsData, "value"); v != nil {
			fd.value = v.Text
		}
		for _, o := range e.All(nsData, "option") {
			if v := o.Child(nsData, "value"); v != nil {
				fd.options = append(fd.options, v.Text)
			}
		}
		f[e.Attr("var")] = fd
	}
	return f
}

// offers reports whether the form has the field and allows the value.
func (f form) offers(name, value string) bool {
	fd, ok := f[name]
	return ok && (len(fd.options) == 0 || slices.Contains(fd.options, value))
}

// has reports whether the field has the value; true and 1 are one.
func (f form) has(name, value string) bool {
	fd, ok := f[name]
	return ok && truth(fd.value) == truth(value)
}

func truth(s string) string {
	switch s {
	case "true":
		return "1"
	case "false":
		return "0"
	}
	return s
}

// submission returns the form that sets these fields.
func submission(settings []setting) *element.Element {
	x := element.New(nsData, "x", "type", "submit").With(fieldElement(formType, configForm))
	for _, s := range settings {
		x.With(fieldElement(s.name, s.value))
	}
	return x
}

func fieldElement(name, value string) *element.Element {
	return element.New(nsData, "field", "var", name).
		With(element.New(nsData, "value").WithText(value))
}
