package openldap

import (
	"context"
	"errors"
	"hash/maphash"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory/ber"
)

// errNamesChanged says that a refresh is not of one moment: slapd reads on in the
// present state of the database now and then, so an entry may be told by a name
// that its superior got after it had been told itself.
var errNamesChanged = errors.New("names of entries with others below them changed during a refresh")

// maxAnew is how often in a row a refresh is begun again for changed names.
const maxAnew = 3

var nameSeed = maphash.MakeSeed()

// superiors returns the names, as digests, of all entries that have others below
// them.
func (s *Server) superiors(ctx context.Context) (map[changelog.ID]uint64, error) {
	all := map[changelog.ID]uint64{}
	hasSubordinates := ber.Element(ber.Context|ber.Constructed|3,
		ber.String(ber.OctetString, "hasSubordinates"), ber.String(ber.OctetString, "TRUE"))
	err := s.scan(ctx, hasSubordinates, func(id changelog.ID, name string) error {
		all[id] = maphash.String(nameSeed, name)
		return nil
	})
	if code, _, ok := resultCode(err); ok && code == ldap.LDAPResultNoSuchObject {
		return nil, nil
	}
	return all, err
}

// checkNames returns errNamesChanged unless every entry that had others below it
// when the search began has them, and its name, still.
func (w *watch) checkNames(ctx context.Context) error {
	now, err := w.server.superiors(ctx)
	if err != nil {
		return err
	}
	for id, name := range w.superiors {
		if now[id] != name {
			return errNamesChanged
		}
	}
	return nil
}
