package dit

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"ldapsync/changelog"
)

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
	// DanglingReference: the value names an entry that was deleted without
	// knowing of the value, which was added without knowing of the deletion.
	DanglingReference Kind = "dangling-reference"
	// UniquenessViolation: another entry was given the value, of an attribute
	// whose values are to be unique, earlier and without this one's author
	// knowing of it.
	UniquenessViolation Kind = "uniqueness-violation"
)

// kinds are all of them, in the order of the codes they are stored under.
var kinds = [...]Kind{
	ValueSuperseded, RenameSuperseded, MoveSuperseded, MoveSkipped, ChangeOnDeleted,
	DeleteSuperseded, NameConflict, GlueShown, MustRepaired, HiddenNoClass,
	DanglingReference, UniquenessViolation,
}

// NumKinds is how many kinds of records there are.
const NumKinds = len(kinds)

// Kinds returns every kind, in a fixed order.
func Kinds() []Kind { return slices.Clone(kinds[:]) }

// code is the number of a kind in the state.
func (k Kind) code() byte { return byte(slices.Index(kinds[:], k)) }

// Side is one of the two changes that met.
type Side struct {
	// CSN says when and on which server; it is zero where no single change
	// decided.
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
	// Winner is the other entry: that which has the name in a NameConflict, was
	// deleted in a DanglingReference, or had the value first in a
	// UniquenessViolation.
	Winner ID
}

// recordKey is the digest by which a record is known.
type recordKey [6]byte

// ID returns the hexadecimal digits by which the record is known on every
// server: it is another only where the record tells of another conflict.
func (r Record) ID() string {
	k := r.key()
	return hex.EncodeToString(k[:])
}

// key depends on what met, not on what is shown of it at the moment.
func (r Record) key() (k recordKey) {
	if r.Kind == MoveSkipped {
		r.Won = Side{} // where the entry went since has nothing to do with it
	}
	b := append([]byte(r.Kind), 0)
	b = appendText(append(b, r.Entry[:]...), r.Attribute)
	b = appendText(appendCSN(b, r.Lost.CSN), r.Lost.Value)
	b = appendCSN(append(b, r.Lost.Parent[:]...), r.Won.CSN)
	sum := sha256.Sum256(append(append(b, r.Won.Parent[:]...), r.Winner[:]...))
	copy(k[:], sum[:])
	return k
}

// Time returns when the two met: the later of their CSNs. A skipped move met what
// was there before it.
func (r Record) Time() changelog.CSN {
	if r.Kind != MoveSkipped && r.Lost.CSN.Before(r.Won.CSN) {
		return r.Won.CSN
	}
	return r.Lost.CSN
}
