package dit

// Life is what a state knows of whether an entry exists.
type Life uint8

// The lives of an entry.
const (
	// Unborn is an entry whose creation has not arrived, though changes of it
	// may have.
	Unborn Life = iota
	// Live exists.
	Live
	// Deleted does not; it may be shown as glue.
	Deleted
)

// Awaited reports whether changes of an entry, or of entries below it, have arrived
// though its creation has not: they are withheld until it has.
func (s *State) Awaited(id ID) (bool, error) {
	return s.has(keyGap, id), s.caught()
}

// Life returns whether an entry exists.
func (s *State) Life(id ID) (Life, error) {
	n, known := s.node(id)
	switch {
	case !known || !n.created:
		return Unborn, s.caught()
	case n.live:
		return Live, s.caught()
	}
	return Deleted, s.caught()
}
