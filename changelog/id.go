package changelog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
)

// ID is the identity of an entry: the bytes of its entryUUID (RFC 4530). It
// never changes, whatever the entry's name. The zero ID is no entry; as a
// parent it stands above the entry of the suffix.
type ID [16]byte

// ErrID is returned for text that is not a UUID.
var ErrID = errors.New("not a UUID")

// ParseID reads the 8-4-4-4-12 form of RFC 4122, in either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("%w: %.60q", ErrID, s)
	}
	plain := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(plain)); err != nil {
		return ID{}, fmt.Errorf("%w: %.60q", ErrID, s)
	}
	return id, nil
}

// String prints id in lower case with hyphens, as entryUUID is shown.
func (id ID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// IsZero reports whether id is no entry.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders ids by their bytes.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
