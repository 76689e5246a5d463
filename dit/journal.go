package dit

import "ldapsync/changelog"

// Kind says what a Record is about.
type Kind string

// The kinds of records that follow from the state.
const (
	// ValueSuperseded: a value was removed by a change whose author did not
	// know of it.
	ValueSuperseded Kind = "value-superseded"
	// RenameSuperseded: a name gave way to one given without knowing of it.
	RenameSuperseded Kind = "rename-superseded"
	// MoveSuperseded: a move gave way to one made without knowing of it.
	MoveSuperseded Kind = "move-superseded"
	// MoveSkipped: a move would have put the entry below itself.
	MoveSkipped Kind = "move-skipped"
	// ChangeOnDeleted: a change to an entry that was deleted without knowing
	// of the change.
	ChangeOnDeleted Kind = "change-on-deleted"
	// DeleteSuperseded: a deletion gave way to a restoration made without
	// knowing of it.
	DeleteSuperseded Kind = "delete-superseded"
	// NameConflict: another entry has the name this one claims.
	NameConflict Kind = "name-conflict"
	// GlueShown: the entry is deleted and shown for what is below it.
	GlueShown Kind = "glue"
	// MustRepaired: a removed value is shown because a class demands one.
	MustRepaired Kind = "must-repaired"
	// HiddenNoClass: the attribute is kept but not shown, no class allows it.
	HiddenNoClass Kind = "hidden-no-class"
)

// Side is one of the two changes that met.
type Side struct {
	// CSN is zero where no single change decided.
	CSN changelog.CSN
	// Value is raw octets, for names an RDN. It may be a password.
	Value string
	// Parent is where a move went.
	Parent ID
}

// Record is one decision that cost somebody's change its effect, or part of it.
// It follows from the state: every server has the same records, and a record
// goes when what it tells of no longer holds.
type Record struct {
	Kind  Kind
	Entry ID
	// Attribute is the canonical name where the record is about one.
	Attribute string
	Lost, Won Side
	// Winner is the entry that has the name in a NameConflict; zero for
	// an entry without a parent that has no place at all.
	Winner ID
}

// Records returns what was decided about an entry, in a fixed order.
func (s *State) Records(id ID) ([]Record, error) {
	var records []Record
	if e := s.load(id); e != nil {
		records = s.records(e)
	}
	return records, s.caught()
}

// Journal calls fn with every record, by ascending entry, until it returns false.
func (s *State) Journal(fn func(Record) bool) error {
	next := []byte{keyJournal}
	for {
		var id ID
		found := false
		s.kv.Scan([]byte{keyJournal}, next, func(k, _ []byte) bool {
			id, found = lastID(k), true
			return false
		})
		if !found {
			return s.caught()
		}
		records, err := s.Records(id)
		if err != nil {
			return err
		}
		for _, r := range records {
			if !fn(r) {
				return nil
			}
		}
		next = append(idKey(keyJournal, id), 0)
	}
}

// review keeps the list of entries that have records.
func (s *State) review(e *entry) {
	has := s.hasRecords(e)
	if s.setKey(idKey(keyJournal, e.id), has) {
		t := s.total()
		t.dirty = true
		if has {
			t.counts.Recorded++
		} else {
			t.counts.Recorded--
		}
	}
}
