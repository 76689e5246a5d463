package openldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory"
)

const (
	attrUUID = "entryUUID"
	attrCSN  = "entryCSN"
	// attrModifier holds the DN of who wrote last.
	attrModifier = "modifiersName"

	// readChunk is how many entries one search asks for.
	readChunk = 100
)

// wanted are the attributes of an entry: all user attributes, and of the
// operational ones those of directory.Entry.
var wanted = []string{"*", attrUUID, attrCSN, "creatorsName", "createTimestamp", "modifiersName", "modifyTimestamp"}

// Read implements directory.Directory.
func (s *Server) Read(ctx context.Context, ids []changelog.ID) ([]directory.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if err := s.learnSelf(ctx); err != nil {
		return nil, err
	}
	var found []directory.Entry
	for chunk := range slices.Chunk(ids, readChunk) {
		var f strings.Builder
		for _, id := range chunk {
			fmt.Fprintf(&f, "(%s=%s)", attrUUID, id)
		}
		entries, err := s.search(ctx, s.cfg.Suffix, ldap.ScopeWholeSubtree, "(|"+f.String()+")", wanted...)
		if code, _, ok := resultCode(err); ok && code == ldap.LDAPResultNoSuchObject {
			return nil, nil // the suffix has no entry, so nothing has
		}
		if err != nil {
			return nil, failure("read entries", err)
		}
		for _, e := range entries {
			read, err := s.entry(e)
			if err != nil {
				return nil, fmt.Errorf("read entries: %w", err)
			}
			found = append(found, *read)
		}
	}
	return found, nil
}

// base reads one entry.
func (s *Server) base(ctx context.Context, dn string, attrs ...string) (*ldap.Entry, error) {
	entries, err := s.search(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", attrs...)
	if err != nil {
		return nil, failure("read "+quoteDN(dn), err)
	}
	if len(entries) != 1 {
		return nil, &SetupError{
			Text: fmt.Sprintf("%s may not read %s", s.identity(), quoteDN(dn)),
			Fix:  "give that identity the rights that ldapsync setup openldap prints",
		}
	}
	return entries[0], nil
}

func quoteDN(dn string) string {
	if dn == "" {
		return "the root DSE"
	}
	return dn
}

func (s *Server) search(ctx context.Context, base string, scope int, filter string, attrs ...string) (entries []*ldap.Entry, err error) {
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attrs,
		[]ldap.Control{manageDsaIT})
	err = s.pool.with(ctx, func(c *session) error {
		res, err := c.Search(req)
		if err == nil {
			entries = res.Entries
		}
		return failure("search", err)
	})
	return entries, err
}

// entry makes a directory.Entry of what a search returned.
func (s *Server) entry(e *ldap.Entry) (*directory.Entry, error) {
	out := &directory.Entry{DN: e.DN, Attrs: make([]directory.Attribute, 0, len(e.Attributes))}
	var err error
	for _, a := range e.Attributes {
		if err = s.addAttribute(out, a.Name, a.Values); err != nil {
			return nil, err
		}
	}
	if out.ID.IsZero() {
		return nil, &SetupError{
			Text: e.DN + " has no entryUUID",
			Fix:  "set olcLastMod to TRUE on the database, or let ldapsync's identity read every attribute",
		}
	}
	return out, nil
}

// learnSelf asks the server by which DN it knows us (RFC 4532), once: that is
// what it writes into modifiersName.
func (s *Server) learnSelf(ctx context.Context) error {
	if s.self.Load() != nil {
		return nil
	}
	return s.pool.with(ctx, func(c *session) error {
		r, err := c.WhoAmI(nil)
		if err != nil {
			return failure("ask who we are", err)
		}
		name, _ := strings.CutPrefix(r.AuthzID, "dn:")
		s.self.Store(&name)
		return nil
	})
}

// addAttribute puts one attribute where it belongs in e.
func (s *Server) addAttribute(e *directory.Entry, name string, values []string) (err error) {
	base, _, _ := strings.Cut(name, ";")
	if strings.EqualFold(name, attrModifier) && len(values) == 1 {
		e.Own = strings.EqualFold(values[0], *s.self.Load())
	}
	switch {
	case s.hidden[strings.ToLower(base)] || len(values) == 0:
	case strings.EqualFold(name, attrUUID):
		e.ID, err = changelog.ParseID(values[0])
	case strings.EqualFold(name, attrCSN):
		e.CSN, err = changelog.ParseCSN(values[0])
	default:
		e.Attrs = append(e.Attrs, directory.Attribute{Name: name, Values: values})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.DN, err)
	}
	return nil
}
