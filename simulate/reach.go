package simulate

import "ldapsync/changelog"

// vectorNow returns how far the log reaches.
func (nd *node) vectorNow() changelog.Vector { return nd.reach(&nd.held, nd.rep.Vector) }

// vectorTold returns how far the log reaches for others to see.
func (nd *node) vectorTold() changelog.Vector { return nd.reach(&nd.public, nd.rep.Shown) }

// reach returns what kept holds, or, where that is nil, what is read and then kept.
func (nd *node) reach(kept *changelog.Vector, read func() (changelog.Vector, error)) changelog.Vector {
	if *kept == nil {
		v, err := read()
		if err != nil {
			fail("store", "vector of %s: %v", nd.name, err)
		}
		*kept = v
	}
	return *kept
}
