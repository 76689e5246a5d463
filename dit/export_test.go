package dit

// SetSpill makes attributes spill earlier until the function returned is called.
func SetSpill(count, size int) (reset func()) {
	oldCount, oldSize := spillCount, spillSize
	spillCount, spillSize = count, size
	return func() { spillCount, spillSize = oldCount, oldSize }
}
