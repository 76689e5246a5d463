package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder puts one file into a Config that may hold settings of earlier ones.
type decoder struct {
	*loader
	file string
}

func (d *decoder) refuseAt(n *yaml.Node, key, hint, format string, args ...any) {
	d.broken = true
	d.report(place{d.file, n.Line}, key, fmt.Sprintf(format, args...), hint)
}

func (d *decoder) value(n *yaml.Node, into reflect.Value, key string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case isScalar(into.Type()):
		d.scalar(n, into, key)
	case into.Kind() == reflect.Slice:
		d.list(n, into, key)
	default:
		d.mapping(n, into, key)
	}
}

func (d *decoder) mapping(n *yaml.Node, into reflect.Value, key string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.refuseAt(n, key, "", "want keys and values, not %s", kindName(n))
		return
	}
	known := fields(into)
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		path := joinKey(key, name.Value)
		field, ok := known[name.Value]
		if !ok {
			d.refuseAt(name, path, suggest(name.Value, names(into.Type())), "unknown key")
			continue
		}
		if line, twice := seen[name.Value]; twice {
			d.refuseAt(name, path, "", "set twice, first in line %d", line)
			continue
		}
		seen[name.Value] = name.Line
		if _, set := d.places[path]; !set && !isScalar(field.Type()) {
			d.places[path] = place{d.file, name.Line}
		}
		d.value(value, field, path)
	}
}

// list appends to what earlier files gave, so that an index counts over all
// files.
func (d *decoder) list(n *yaml.Node, into reflect.Value, key string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.refuseAt(n, key, "", "want a list, not %s", kindName(n))
		return
	}
	for _, item := range n.Content {
		path := fmt.Sprintf("%s[%d]", key, into.Len())
		element := reflect.New(into.Type().Elem()).Elem()
		if !isScalar(element.Type()) {
			d.places[path] = place{d.file, item.Line}
		}
		d.value(item, element, path)
		into.Set(reflect.Append(into, element))
	}
}

func (d *decoder) scalar(n *yaml.Node, into reflect.Value, key string) {
	if n.Kind != yaml.ScalarNode {
		d.refuseAt(n, key, "", "want a single value, not %s", kindName(n))
		return
	}
	text := n.Value
	if isNull(n) {
		text = ""
	}
	value := reflect.New(into.Type()).Elem()
	if err := setScalar(value, text); err != nil {
		d.refuseAt(n, key, "", "%v", err)
		return
	}
	if first, set := d.places[key]; set && !value.Equal(into) {
		d.refuseAt(n, key, "set it in one file only", "already set to %v in %s:%d", into.Interface(), first.file, first.line)
		return
	} else if !set {
		d.places[key] = place{d.file, n.Line}
	}
	into.Set(value)
}

// setScalar reads text as the type of v: string, bool, int or a type that reads
// itself. An empty text is the zero value.
func setScalar(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" && text != "" {
			return fmt.Errorf("want true or false, not %.40q", text)
		}
		v.SetBool(text == "true")
	default:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil && text != "" {
			return fmt.Errorf("want a whole number, not %.40q", text)
		}
		v.SetInt(n)
	}
	return nil
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func isScalar(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(textUnmarshaler) || t.Kind() != reflect.Struct && t.Kind() != reflect.Slice
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

func joinKey(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// fields returns the settable fields of a struct by key, those of an inlined
// struct included.
func fields(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for i := range v.NumField() {
		switch f := v.Type().Field(i); {
		case f.Anonymous:
			for name, inner := range fields(v.Field(i)) {
				out[name] = inner
			}
		case f.IsExported():
			out[keyOf(f)] = v.Field(i)
		}
	}
	return out
}

// names returns the keys of a struct type in the order of its fields.
func names(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Anonymous:
			out = append(out, names(f.Type)...)
		case f.IsExported():
			out = append(out, keyOf(f))
		}
	}
	return out
}

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}
