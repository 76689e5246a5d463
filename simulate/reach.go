package simulate

import "ldapsync/changelog"

// vectorNow returns how far the log reaches.
func (nd *node) vectorNow() changelog.Vector {
	if nd.held == nil {
		v, err := nd.rep.Vector()
		if err != nil {
			fail("store", "vector of %s: %v", nd.name, err)
		}
		nd.held = v
	}
	return nd.held
}

// vectorTold returns how far the log reaches for others to see.
func (nd *node) vectorTold() changelog.Vector {
	if nd.public == nil {
		v, err := nd.rep.Shown()
		if err != nil {
			fail("store", "vector of %s: %v", nd.name, err)
		}
		nd.public = v
	}
	return nd.public
}
