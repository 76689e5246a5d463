package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// digest hashes what s says of each type and class, one line each. The first
// name is the canonical one, so the order of names counts.
func digest(s *Schema) string {
	lines := make([]string, 0, len(s.types)+len(s.classes))
	for _, t := range s.types {
		lines = append(lines, fmt.Sprintf("type %q %q %q %q %t %t %t", lowerASCII(t.OID), lowerAll(t.Names),
			ruleName(t.Equality), lowerASCII(t.Syntax), t.SingleValue, t.Operational, t.ReadOnly))
	}
	for _, c := range s.classes {
		lines = append(lines, fmt.Sprintf("class %q %q %d %q %q", lowerASCII(c.OID), lowerAll(c.Names),
			c.Kind, c.Must, c.May))
	}
	slices.Sort(lines)
	hash := sha256.New()
	for _, line := range lines {
		fmt.Fprintln(hash, line)
	}
	const octets = 8
	return hex.EncodeToString(hash.Sum(nil)[:octets])
}

func lowerAll(list []string) []string {
	lower := make([]string, len(list))
	for i, s := range list {
		lower[i] = lowerASCII(s)
	}
	return lower
}
