package dit

// SetSpill makes attributes spill earlier until the function returned is called.
func SetSpill(count, size int) (reset func()) {
	oldCount, oldSize := spillCount, spillSize
	spillCount, spillSize = count, size
	return func() { spillCount, spillSize = oldCount, oldSize }
}

// Reencode reads the facts of a record and writes them again.
func Reencode(facts string) ([]byte, error) {
	e := &entry{}
	if err := e.readFacts(facts); err != nil {
		return nil, err
	}
	return e.appendFacts(nil), nil
}

// NodeSize is the length of what stands before the facts in a record.
const NodeSize = nodeSize

// Store returns where a state lives.
func (s *State) Store() KV { return s.kv }
