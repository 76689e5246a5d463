package scenario

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"ldapsync/dit"
	"ldapsync/schema"
)

func (c *checker) expect(n *yaml.Node) *Expect {
	f := c.fields(n, "text", "entries", "journal", "superseded")
	if f == nil {
		return nil
	}
	e := &Expect{Text: f.optionalText("text")}
	names := map[string]bool{}
	if l := f.need("entries"); l != nil {
		for _, item := range c.list(l, "entries") {
			entry := c.entry(item)
			c.below(item.Line, entry.DN)
			c.marks(item.Line, entry)
			key := entry.DN.Key(c.file.Schema)
			if names[key] {
				c.refuse(item.Line, "%s is there twice", entry.DN)
			}
			names[key] = true
			e.Entries = append(e.Entries, entry)
		}
	}
	for _, key := range []string{"journal", "superseded"} {
		if l := f.optional(key); l != nil {
			e.Journal = true
			for _, item := range c.list(l, key) {
				e.Records = append(e.Records, c.record(item))
			}
		}
	}
	return e
}

// marks refuses ids, in what the view adds to an entry, that cannot be.
func (c *checker) marks(line int, e Entry) {
	for _, rdn := range e.DN {
		for _, a := range rdn {
			if strings.EqualFold(a.Attr, schema.ConflictID) {
				c.known(line, a.Value)
			}
		}
	}
	for _, a := range e.Attrs {
		if strings.EqualFold(a.Name, schema.ConflictID) || strings.EqualFold(a.Name, schema.ConflictOf) {
			for _, id := range a.Values {
				c.known(line, id)
			}
		}
	}
}

// known refuses an id that is of no entry.
func (c *checker) known(line int, id string) {
	if _, ok := c.ids[id]; !ok {
		c.refuse(line, "id %.60q: no entry is called so; known are %s", id, strings.Join(slices.Sorted(maps.Keys(c.ids)), ", "))
	}
}

func (c *checker) record(n *yaml.Node) (r Record) {
	f := c.fields(n, "kind", "entry", "attribute", "value", "rdn", "winner", "csn_time")
	if f == nil {
		return r
	}
	r = Record{
		Kind: dit.Kind(f.text("kind")), Entry: f.text("entry"), Attribute: f.optionalText("attribute"), Value: f.optionalText("value"),
		RDN: f.optionalText("rdn"), Winner: f.optionalText("winner"),
	}
	if _, known := kinds[r.Kind]; !known && r.Kind != "" {
		c.refuse(n.Line, "unknown kind %.60q: known are %s", r.Kind, kindNames())
	}
	for _, id := range []string{r.Entry, r.Winner} {
		if id != "" {
			c.known(n.Line, id)
		}
	}
	if r.Attribute != "" {
		c.knownType(n.Line, r.Attribute)
	}
	if f.optional("csn_time") != nil {
		r.Time = f.number("csn_time", MaxTime)
		c.happened(n.Line, r.Time)
	}
	return r
}

// happened refuses a time at which nothing is done.
func (c *checker) happened(line int, time int64) {
	if !slices.ContainsFunc(c.scenario.Ops, func(o Op) bool { return o.Time == time && !o.Sync }) {
		c.refuse(line, "csn_time %s: nobody does anything then", strconv.FormatInt(time, 10))
	}
}

func kindNames() string {
	var names []string
	for k := range kinds {
		names = append(names, string(k))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
