// Package protocol is the content of urn:ldapsync:0: what the servers of one
// suffix tell each other, as XML elements and as changelog types. The format
// is specified in docs/protocol.md.
//
// Everything that is read is checked and bounded here, so that what the
// parsers return may be stored. The package sends and receives nothing, and it
// decides nothing: who may publish, and what is new, is for its callers.
package protocol

import (
	"errors"
	"fmt"
)

// NS is the namespace of every element of this package.
const NS = "urn:ldapsync:0"

// ErrMalformed is wrapped by every error about a payload that breaks the
// specification or exceeds its limits.
var ErrMalformed = errors.New("malformed payload")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Limits bound what a payload may make of itself when it is read. What Pack
// writes is within DefaultLimits.
type Limits struct {
	// Changes counts the changes of one batch.
	Changes int
	// Bytes is the length of the plain XML document of a batch.
	Bytes int
	// Nodes counts the elements and attributes of that document.
	Nodes int
}

// DefaultLimits are the limits of the specification.
var DefaultLimits = Limits{Changes: 4096, Bytes: 16 << 20, Nodes: 1 << 19}

// Sizes in bytes.
const (
	// MaxItem is the largest encoded payload of one item.
	MaxItem = 64 << 10
	// MinItem is the smallest limit on items that Pack observes.
	MinItem = 4 << 10
	// MaxSuffix is the length of the longest suffix DN.
	MaxSuffix = 1 << 10
	// plainSize is the largest document sent uncompressed.
	plainSize = 2 << 10
)
