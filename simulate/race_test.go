//go:build race

package simulate

// many is how many operations are many; the race detector makes each ten times
// as dear, and `make test` makes the ten thousand without it too.
const many = 1000
