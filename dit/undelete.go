package dit

import (
	"ldapsync/changelog"
	"ldapsync/dn"
)

// AuthorUndelete returns what bringing back a deleted entry means: a change without Seq,
// CSN and Seen, by which it has its own name again, or rdn where that is not nil. Where
// another entry is shown under that name it is refused with a *ResultError, since the
// older claim would take the name from the other.
func (s *State) AuthorUndelete(id ID, rdn dn.RDN) (*changelog.Change, error) {
	name, _, err := s.NameOf(id)
	if err != nil {
		return nil, err
	}
	e := s.peek(id)
	if e == nil || !e.node.edged || e.live() {
		return nil, refuse(NoSuchObject, "%s is not deleted", id)
	}
	c := &changelog.Change{Op: changelog.OpModify, ID: id, DN: name, Undelete: true}
	if rdn != nil {
		if rdn = withoutMarks(rdn); len(rdn) == 0 {
			return nil, refuse(NamingViolation, "the new name is empty")
		}
		c.Op, c.RDN, c.DeleteOldRDN = changelog.OpModDN, rdn.String(), true
	} else {
		rdn = s.rdnOf(e)
	}
	other, taken := s.holder(e, rdn)
	if taken {
		shown, _ := s.dn(other)
		err = refuse(EntryAlreadyExists, "%s exists", shown)
	}
	if caught := s.caught(); caught != nil {
		return nil, caught
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// holder returns the entry other than e that is shown as rdn where e would be shown.
func (s *State) holder(e *entry, rdn dn.RDN) (ID, bool) {
	if e.node.parent.IsZero() {
		id, found := s.find(s.rules.Suffix)
		return id, found && id != e.id
	}
	f := s.family(e.node.parent)
	if !f.ok {
		return ID{}, false
	}
	id, found := s.child(f.display, rdn)
	return id, found && id != e.id
}
