package lookup

import (
	"strings"
	"sync/atomic"
)

// The bounds of a Recent: how many names, and how long they are.
const (
	recentCount = 512
	recentName  = 512
)

// Recent remembers what was found for names that were asked for lately, up to a
// bound. Its zero value is empty and ready for use, and safe for concurrent use.
type Recent[T any] struct {
	slots [recentCount]atomic.Pointer[found[T]]
}

type found[T any] struct {
	name  string
	value T
}

// place returns the slot of a name. Long names often begin and end alike, so all
// of such a name counts.
func place[S string | []byte](name S) uint {
	h := hash(name)
	for i := 8; i+8 < len(name); i += 8 {
		h = (h ^ uint(word(name[i:]))) * 0x9e3779b1
		h ^= h >> 15
	}
	return h % recentCount
}

// Get returns what was found for a name; false when that is not remembered.
func (r *Recent[T]) Get(name string) (v T, ok bool) {
	if f := r.slots[place(name)].Load(); f != nil && f.name == name {
		return f.value, true
	}
	return v, false
}

// GetBytes is Get of a name that is no string.
func (r *Recent[T]) GetBytes(name []byte) (v T, ok bool) {
	if f := r.slots[place(name)].Load(); f != nil && f.name == string(name) {
		return f.value, true
	}
	return v, false
}

// PutBytes is Put of a name that is no string.
func (r *Recent[T]) PutBytes(name []byte, v T) {
	if len(name) <= recentName {
		r.slots[place(name)].Store(&found[T]{string(name), v})
	}
}

// Put remembers what was found for a name, in the place of another.
func (r *Recent[T]) Put(name string, v T) {
	if len(name) <= recentName {
		r.slots[place(name)].Store(&found[T]{strings.Clone(name), v})
	}
}
