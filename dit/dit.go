// Package dit holds the replicated state of one suffix: a set of small facts,
// merged by union, and the view of them, a valid directory information tree.
//
// Two states that were given the same changes are equal, whatever the order and
// however often each came; what they show is equal where the schemas are. What
// is awkward about LDAP (names claimed twice, orphans, moves that would make a
// cycle, single values, mandatory attributes) is decided when the state is
// viewed, never written back as a change, and recorded.
//
// The package does no I/O of its own, reads no clock and knows no network. A
// State lives in a KV, so the same code runs on a bucket of a file and in memory.
package dit

import (
	"ldapsync/changelog"
)

// ID is the identity of an entry, its entryUUID.
type ID = changelog.ID

// Attribute is one attribute of an entry.
type Attribute = changelog.Attribute

// KV is one transaction's view of an ordered store.
type KV interface {
	// Get returns the value of key, nil when there is none. It is valid until
	// the next Put or Delete and must not be changed.
	Get(key []byte) []byte
	// Put sets the value of key. It keeps copies of both.
	Put(key, value []byte) error
	// Delete removes key; it is no error when there is none.
	Delete(key []byte) error
	// Scan calls fn for the keys that begin with prefix and are not before from
	// (nil: from the first), in ascending order of bytes, until fn returns
	// false. What fn is given is valid during the call; fn must not write.
	Scan(prefix, from []byte, fn func(key, value []byte) bool)
}
