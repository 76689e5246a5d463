package dit

import (
	"bytes"
	"fmt"
)

// SetSpill makes attributes spill earlier until the function returned is called.
func SetSpill(count, size int) (reset func()) {
	oldCount, oldSize := spillCount, spillSize
	spillCount, spillSize = count, size
	return func() { spillCount, spillSize = oldCount, oldSize }
}

// Reencode reads the facts of a record and writes them again. It fails where copies of
// the entry, as it was read and as it was written, have others.
func Reencode(facts string) ([]byte, error) {
	e := &entry{}
	if err := e.readFacts(facts); err != nil {
		return nil, err
	}
	if e.spilled() {
		return e.appendFacts(nil), nil
	}
	read := e.copy().appendFacts(nil)
	once := e.appendFacts(nil)
	if written := e.copy().appendFacts(nil); !bytes.Equal(once, read) || !bytes.Equal(once, written) {
		return nil, fmt.Errorf("%x is copied as %x and as %x", once, read, written)
	}
	return once, nil
}

// NodeSize is the length of what stands before the facts in a record.
const NodeSize = nodeSize

// Store returns where a state lives.
func (s *State) Store() KV { return s.kv }
