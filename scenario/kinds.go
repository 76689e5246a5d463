package scenario

import "ldapsync/dit"

// kind is what a report says of the records of one kind.
type kind struct {
	// exact says that the records of this kind must be those that a file
	// expects, no others. Those of other kinds follow from rules of their own;
	// a file may demand them, and need not.
	exact bool
	words string
}

// kinds are those a file may name.
var kinds = map[dit.Kind]kind{
	dit.ValueSuperseded:  {true, "a value gave way to one written without knowing of it"},
	dit.RenameSuperseded: {true, "a name gave way to one given without knowing of it"},
	dit.ChangeOnDeleted:  {true, "a change to an entry that was deleted without knowing of it"},
	dit.MoveSkipped:      {true, "a move would have put the entry below itself"},
	dit.NameConflict:     {true, "another entry has the name"},
	dit.GlueShown:        {true, "deleted, and shown for what is below it"},
	dit.MustRepaired:     {true, "a removed value is shown because a class demands one"},
	dit.HiddenNoClass:    {true, "kept, and hidden because no class allows it"},
	dit.MoveSuperseded:   {false, "a move gave way to one made without knowing of it"},
	dit.DeleteSuperseded: {false, "a deletion gave way to a restoration made without knowing of it"},

	dit.DanglingReference:   {false, "a value names an entry that was deleted without knowing of it"},
	dit.UniquenessViolation: {false, "another entry was given the same value earlier"},
}
