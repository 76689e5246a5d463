package live

import (
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/scenario"
	"ldapsync/schema"
)

// stage is one scenario on the servers: where its base is, and what the entries
// are called that the file speaks of.
type stage struct {
	file *scenario.File
	// base is in the place of the file's base.
	base dn.DN
	ids  map[string]dit.ID
	// names is the inverse of ids.
	names scenario.Names
}

func (g *stage) call(name string, id dit.ID) { g.ids[name], g.names[id] = id, name }

func (g *stage) id(name string) (dit.ID, bool) {
	id, known := g.ids[name]
	return id, known
}

// there returns a name of the file as it is on the servers.
func (g *stage) there(name dn.DN) dn.DN {
	return scenario.Named(rebase(name, g.file.Base, g.base, g.file.Schema), g.id)
}

// back is the inverse of there, except for ids.
func (g *stage) back(name dn.DN) dn.DN { return rebase(name, g.base, g.file.Base, g.file.Schema) }

// rebase puts names at or below one base below another.
func rebase(name, from, to dn.DN, s *schema.Schema) dn.DN {
	if !name.Equal(from, s) && !name.IsBelow(from, s) {
		return name
	}
	return append(name[:len(name)-len(from):len(name)-len(from)], to...)
}

// syntaxDN is the syntax of distinguished names (RFC 4517 section 3.3.9).
const syntaxDN = "1.3.6.1.4.1.1466.115.121.1.12"

// values returns values with the names in them moved.
func (g *stage) values(attr string, values []string, move func(dn.DN) dn.DN) []string {
	t := g.file.Schema.Attribute(attr)
	if t == nil || t.Syntax != syntaxDN || strings.EqualFold(attr, schema.ConflictOf) {
		return values
	}
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v
		if name, err := dn.Parse(v); err == nil && !name.Equal(move(name), g.file.Schema) {
			out[i] = move(name).String()
		}
	}
	return out
}

// do makes an operation as an LDAP client does.
func (g *stage) do(c *ldap.Conn, o dit.Operation) error {
	name := g.there(o.DN)
	switch o.Op {
	case changelog.OpAdd:
		return c.Add(g.addRequest(name, o.Attrs))
	case changelog.OpDelete:
		return c.Del(ldap.NewDelRequest(name.String(), nil))
	case changelog.OpModify:
		req := ldap.NewModifyRequest(name.String(), nil)
		for _, m := range o.Modifications {
			values := g.values(m.Attr, m.Values, g.there)
			switch m.Op {
			case dit.AddValues:
				req.Add(m.Attr, values)
			case dit.DeleteValues:
				req.Delete(m.Attr, values)
			case dit.ReplaceValues:
				req.Replace(m.Attr, values)
			}
		}
		return c.Modify(req)
	case changelog.OpModDN:
		superior := ""
		if o.NewSuperior != nil {
			superior = g.there(o.NewSuperior).String()
		}
		return c.ModifyDN(ldap.NewModifyDNRequest(name.String(), o.NewRDN.String(), o.DeleteOldRDN, superior))
	}
	return fmt.Errorf("operation %s", o.Op)
}

// addRequest adds an entry with its naming values.
func (g *stage) addRequest(name dn.DN, attrs []dit.Attribute) *ldap.AddRequest {
	req := ldap.NewAddRequest(name.String(), nil)
	given := map[string]bool{}
	for _, a := range attrs {
		req.Attribute(a.Name, g.values(a.Name, a.Values, g.there))
		given[g.file.Schema.Canonical(a.Name)] = true
	}
	for _, a := range name[0] {
		if !given[g.file.Schema.Canonical(a.Attr)] {
			req.Attribute(a.Attr, []string{a.Value})
		}
	}
	return req
}

// idAt returns the entryUUID of an entry.
func (g *stage) idAt(c *ldap.Conn, name dn.DN) (dit.ID, error) {
	found, err := c.Search(ldap.NewSearchRequest(name.String(), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"entryUUID"}, nil))
	if err != nil {
		return dit.ID{}, err
	}
	if len(found.Entries) != 1 {
		return dit.ID{}, fmt.Errorf("%s is not there", name)
	}
	return changelog.ParseID(found.Entries[0].GetAttributeValue("entryUUID"))
}

// read returns everything below the base in the words of the file.
func (g *stage) read(c *ldap.Conn) ([]scenario.Entry, error) {
	found, err := c.Search(ldap.NewSearchRequest(g.base.String(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"*"}, nil))
	if err != nil {
		return nil, err
	}
	var out []scenario.Entry
	for _, e := range found.Entries {
		name, err := dn.Parse(e.DN)
		if err != nil {
			return nil, err
		}
		if name.Equal(g.base, g.file.Schema) {
			continue
		}
		entry := scenario.Entry{DN: g.back(name)}
		for _, a := range e.Attributes {
			entry.Attrs = append(entry.Attrs, dit.Attribute{Name: a.Name, Values: g.values(a.Name, octets(a), g.back)})
		}
		out = append(out, g.names.Entry(entry))
	}
	return out, nil
}

func octets(a *ldap.EntryAttribute) []string {
	out := make([]string, len(a.ByteValues))
	for i, v := range a.ByteValues {
		out[i] = string(v)
	}
	return out
}
