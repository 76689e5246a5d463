package replica

import (
	"sync/atomic"

	"ldapsync/store"
)

// idle remembers that the state file showed nothing to be done: that still holds
// as long as nothing is written to it. Its zero value remembers nothing.
type idle struct{ at atomic.Uint64 }

// asOf says how the state file is: to be asked for before it is read.
func asOf(s *store.Store) uint64 { return s.Updates() + 1 }

// asOfParts is asOf for who reads no more than some parts of the state file.
func asOfParts(s *store.Store, of store.Parts) uint64 { return s.Version(of) + 1 }

// holds reports whether nothing was to be done when the file was as at says.
func (i *idle) holds(at uint64) bool { return i.at.Load() == at }

// note remembers that nothing was to be done when the file was as at says.
func (i *idle) note(at uint64) { i.at.Store(at) }
