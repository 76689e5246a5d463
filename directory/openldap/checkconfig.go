package openldap

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/dn"
)

// configuration looks into cn=config, where the identity may: what it finds
// there makes a suffix slow, not wrong.
func (c *check) configuration(ctx context.Context) error {
	db, err := c.database(ctx)
	if db == nil {
		return err
	}
	indexed := indexedEqually(db.GetAttributeValues("olcDbIndex"))
	for _, attr := range []string{attrUUID, attrCSN} {
		if !indexed[strings.ToLower(attr)] {
			c.add(Warning, CodeIndex, "add the index,"+printed, "the database has no equality index on %s: every look-up reads it all", attr)
		}
	}
	return nil
}

// database returns the configuration of the suffix's database, nil where it may
// not be read.
func (c *check) database(ctx context.Context) (*ldap.Entry, error) {
	all, err := c.readConfig(ctx, "cn=config", ldap.ScopeSingleLevel, "(objectClass=olcDatabaseConfig)", "olcSuffix", "olcDbIndex")
	if err != nil {
		return nil, err
	}
	sch, err := c.server.knownSchema(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		for _, text := range e.GetAttributeValues("olcSuffix") {
			if d, err := dn.Parse(text); err == nil && d.Equal(c.server.suffix, sch) {
				return e, nil
			}
		}
	}
	return nil, nil
}

// readConfig searches cn=config; what may not be read is not there.
func (c *check) readConfig(ctx context.Context, base string, scope int, filter string, attrs ...string) ([]*ldap.Entry, error) {
	entries, err := c.server.search(ctx, base, scope, filter, attrs...)
	if _, _, answered := resultCode(err); answered {
		return nil, nil
	}
	return entries, err
}

// indexedEqually returns the attributes, in lower case, that olcDbIndex's
// values "attr[,attr...] [type[,type...]]" give an equality index.
func indexedEqually(values []string) map[string]bool {
	indexed, byDefault := map[string]bool{}, ""
	for _, v := range values {
		attrs, types, given := strings.Cut(strings.TrimSpace(stripOrder(v)), " ")
		if attrs == "default" {
			byDefault = types
			continue
		}
		if !given {
			types = byDefault
		}
		for _, t := range strings.FieldsFunc(types, func(r rune) bool { return r == ',' || r == ' ' }) {
			if t != "eq" {
				continue
			}
			for _, a := range strings.Split(attrs, ",") {
				indexed[strings.ToLower(a)] = true
			}
		}
	}
	return indexed
}

// stripOrder removes the number that cn=config puts before ordered values.
func stripOrder(v string) string {
	if strings.HasPrefix(v, "{") {
		if _, rest, ok := strings.Cut(v, "}"); ok {
			return rest
		}
	}
	return v
}
