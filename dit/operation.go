package dit

import (
	"fmt"
	"maps"
	"slices"

	"ldapsync/changelog"
	"ldapsync/dn"
)

// Operation is an update operation as an LDAP client asks for it (RFC 4511
// sections 4.6 to 4.9).
type Operation struct {
	Op changelog.Op
	DN dn.DN
	// Attrs is the content of an added entry.
	Attrs []Attribute
	// Modifications belong to OpModify.
	Modifications []Modification
	// NewRDN, DeleteOldRDN and NewSuperior (nil for none) belong to OpModDN.
	NewRDN       dn.RDN
	DeleteOldRDN bool
	NewSuperior  dn.DN
}

// Modification is one modification as a client asks for it. It differs from
// changelog.Mod in that its meaning depends on what the client sees: a delete
// without values is of all, and there is increment (RFC 4525).
type Modification struct {
	Op     ModificationOp
	Attr   string
	Values []string
}

// ModificationOp is a modification's operation, numbered as in RFC 4511
// section 4.6 and RFC 4525 section 3.
type ModificationOp uint8

// The modifications of a client.
const (
	AddValues       ModificationOp = 0
	DeleteValues    ModificationOp = 1
	ReplaceValues   ModificationOp = 2
	IncrementValues ModificationOp = 3
)

// ResultError refuses an operation.
type ResultError struct {
	// Code is the LDAP result code (RFC 4511 appendix A).
	Code int
	Text string
}

// Result codes of ResultError.
const (
	NoSuchAttribute        = 16
	ConstraintViolation    = 19
	AttributeOrValueExists = 20
	InvalidAttributeSyntax = 21
	NoSuchObject           = 32
	UnwillingToPerform     = 53
	NamingViolation        = 64
	NotAllowedOnNonLeaf    = 66
	NotAllowedOnRDN        = 67
	EntryAlreadyExists     = 68
)

func (e *ResultError) Error() string { return fmt.Sprintf("result %d: %s", e.Code, e.Text) }

func refuse(code int, format string, args ...any) error {
	return &ResultError{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Author returns what an operation of a local client means: a change without
// Seq, CSN and Seen, nil when the operation changes nothing. Fresh is the id for
// an added entry. An operation that is not possible in what the state shows is
// refused with a *ResultError; whether it suits the schema is not asked.
func (s *State) Author(op Operation, fresh ID) (*changelog.Change, error) {
	c, err := s.author(op, fresh)
	if caught := s.caught(); caught != nil {
		return nil, caught
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (s *State) author(op Operation, fresh ID) (*changelog.Change, error) {
	c := &changelog.Change{Op: op.Op, DN: op.DN.String()}
	if op.Op == changelog.OpAdd {
		c.ID = fresh
		return s.authorAdd(c, op)
	}
	id, found := s.find(op.DN)
	if !found {
		return nil, refuse(NoSuchObject, "no entry %s", c.DN)
	}
	e := s.peek(id)
	if e == nil {
		return nil, refuse(NoSuchObject, "no entry %s", c.DN)
	}
	c.ID = id
	c.Undelete = !e.live() && op.Op != changelog.OpDelete
	switch op.Op {
	case changelog.OpModify:
		return s.authorModify(c, e, op)
	case changelog.OpDelete:
		if s.hasShownChildren(id) {
			return nil, refuse(NotAllowedOnNonLeaf, "%s has subordinates", c.DN)
		}
		return c, nil
	case changelog.OpModDN:
		return s.authorModDN(c, e, op)
	}
	return nil, refuse(UnwillingToPerform, "unknown operation %d", op.Op)
}

// hasShownChildren reports whether anything is shown below id.
func (s *State) hasShownChildren(id ID) bool {
	f := s.family(id)
	if f.display != id {
		return false
	}
	for _, member := range f.members {
		for _, child := range s.children(member) {
			if e := s.peek(child); e != nil && s.place(e).shown {
				return true
			}
		}
	}
	return false
}

func (s *State) authorAdd(c *changelog.Change, op Operation) (*changelog.Change, error) {
	if _, taken := s.find(op.DN); taken {
		return nil, refuse(EntryAlreadyExists, "%s exists", c.DN)
	}
	if len(op.DN) == 0 {
		return nil, refuse(UnwillingToPerform, "the root cannot be added")
	}
	if !op.DN.Equal(s.rules.Suffix, s.rules.Schema) {
		parent, found := s.find(op.DN.Parent())
		if !found {
			return nil, refuse(NoSuchObject, "no entry %s", op.DN.Parent())
		}
		c.Superior = parent
	}
	rdn := withoutMarks(op.DN[0])
	if len(rdn) == 0 {
		return nil, refuse(NamingViolation, "%s has no name of its own", c.DN)
	}
	c.RDN = rdn.String()
	content := s.rules.byName(op.Attrs)
	for _, v := range s.namingValues(rdn) {
		st := content[v.attr]
		if st == nil {
			st = &state{spelt: v.spelt}
			content[v.attr] = st
		}
		if !slices.ContainsFunc(st.values, func(o spelling) bool { return o.norm == v.norm }) {
			st.values = append(st.values, spelling{v.norm, v.raw})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(content)) {
		if st := content[name]; len(st.values) > 0 {
			c.Mods = append(c.Mods, changelog.Mod{Op: changelog.ModAdd, Attr: st.spelt, Values: raws(st.values)})
		}
	}
	return c, nil
}

func (s *State) authorModDN(c *changelog.Change, e *entry, op Operation) (*changelog.Change, error) {
	p := s.place(e)
	if p.parent.IsZero() {
		return nil, refuse(UnwillingToPerform, "%s is the suffix", c.DN)
	}
	rdn := withoutMarks(op.NewRDN)
	if len(rdn) == 0 {
		return nil, refuse(NamingViolation, "the new name is empty")
	}
	superior := p.parent
	if op.NewSuperior != nil {
		var found bool
		if superior, found = s.find(op.NewSuperior); !found {
			return nil, refuse(NoSuchObject, "no entry %s", op.NewSuperior)
		}
		if s.leads(superior, e.id, nil) || s.shownBelow(superior, e.id) {
			return nil, refuse(UnwillingToPerform, "%s is below %s", op.NewSuperior, c.DN)
		}
	}
	if other, taken := s.child(superior, rdn); taken && other != e.id {
		return nil, refuse(EntryAlreadyExists, "%s exists", rdn)
	}
	if op.NewSuperior == nil || !rdn.Equal(s.parseRDN(e.name().rdn), s.rules.Schema) {
		c.RDN, c.DeleteOldRDN = rdn.String(), op.DeleteOldRDN
	}
	if op.NewSuperior != nil && superior != e.node.parent {
		c.Superior, c.Moved = superior, true
	}
	if c.RDN == "" && !c.Moved {
		return nil, nil
	}
	return c, nil
}

// shownBelow reports whether id is target or shown somewhere below it.
func (s *State) shownBelow(id, target ID) bool {
	for !id.IsZero() {
		if id == target {
			return true
		}
		e := s.peek(id)
		if e == nil {
			return false
		}
		p := s.place(e)
		if !p.shown {
			return false
		}
		id = p.parent
	}
	return false
}
