// Package scenario answers "what would happen if": it reads files that say what
// several servers do to one subtree while they are apart, plays them with the
// production code of dit, delivers the changes in many orders, and compares what
// comes out with what the file expects. docs/scenarios.md describes the files.
//
// It opens no file and no connection; package scenario/live plays the same
// scenarios on real servers.
package scenario

import (
	"fmt"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/schema"
)

// File is a file of scenarios.
type File struct {
	// Name is how errors and reports call it.
	Name string
	// Schema is what its names and values are compared by.
	Schema *schema.Schema
	// Base is the entry below which everything happens; it is there from the
	// beginning.
	Base dn.DN
	// Unique are the attributes whose values are to be unique.
	Unique    []string
	Scenarios []*Scenario
}

// Scenario is one history and what it must lead to.
type Scenario struct {
	ID, Title, Source string
	// File is where it stands.
	File *File
	// Initial is what every replica holds before the first operation, superiors
	// first.
	Initial []Entry
	// Ops are sorted by time.
	Ops []Op
	// Expect is nil where the file does not say what must come out.
	Expect *Expect
}

// Entry is an entry with its user attributes.
type Entry struct {
	DN    dn.DN
	Attrs []dit.Attribute
}

// Op is an operation of a client at one replica, or a moment in which all
// replicas exchange everything.
type Op struct {
	// Sync says that all exchange everything; the rest is then empty but Time.
	Sync bool
	Time int64
	// Replica is a letter, A to Z.
	Replica   string
	Operation dit.Operation
	// Line is where it stands in the file.
	Line int
}

// ID returns what the file calls an entry that the operation adds, such as B4.
func (o Op) ID() string { return fmt.Sprintf("%s%d", o.Replica, o.Time) }

// InitialID returns what a file calls its initial entry of index i, from 0.
func InitialID(i int) string { return fmt.Sprintf("init%d", i+1) }

// Expect is what must come out, on every replica and for every order of
// delivery.
type Expect struct {
	// Text says it to people.
	Text string
	// Entries is everything below the base. An entry that lost its name has
	// the id of the file in its RDN and in ldapsyncConflictOf, where a
	// directory has an entryUUID.
	Entries []Entry
	// Records are the records of the conflict journal; they are compared if
	// Journal is set.
	Journal bool
	Records []Record
}

// Record is a record of the conflict journal in the words of a file. In what a
// file expects, zero fields are not compared.
type Record struct {
	Kind dit.Kind
	// Entry and Winner are ids of the file.
	Entry     string
	Attribute string
	// Value is the value that lost, RDN the name that lost.
	Value, RDN string
	Winner     string
	// Time is the time of the operation that lost.
	Time int64
	// Won is the time of the operation that won, 0 where no single one did or it
	// is not known. Files cannot name it.
	Won int64
}

// Replicas returns the letters of all replicas that do something, but at least
// A and B: what one makes, another must get.
func (s *Scenario) Replicas() []string {
	last := "B"
	for _, o := range s.Ops {
		last = max(last, o.Replica)
	}
	var out []string
	for c := byte('A'); c <= last[0]; c++ {
		out = append(out, string(c))
	}
	return out
}

// SID returns the number of a replica: A is 1.
func SID(replica string) changelog.SID { return changelog.SID(replica[0]-'A') + 1 }

// Replica returns the letter of a number that SID returned.
func Replica(sid changelog.SID) string { return string(rune('A' + sid - 1)) }
