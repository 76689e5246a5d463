//go:build !race

package simulate

// many is how many operations are many.
const many = 10_000
