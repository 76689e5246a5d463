// Package lookup finds things by their names, faster than a map does where the
// names are short: attribute descriptions and object classes are looked up for
// every value that is read.
package lookup

import "iter"

// Table finds values by name. Its zero value is empty and ready for use. Any
// number of readers may use it while nobody calls Put.
type Table[T any] struct {
	// slots is at most half full; its length is a power of two.
	slots []slot[T]
	count int
}

type slot[T any] struct {
	name  string
	value T
	used  bool
}

// Len returns how many names there are.
func (t *Table[T]) Len() int { return t.count }

// Get returns the value of a name; false when there is none.
func (t *Table[T]) Get(name string) (v T, ok bool) {
	if len(t.slots) == 0 {
		return v, false
	}
	mask := uint(len(t.slots) - 1)
	for i := hash(name) & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if !s.used {
			return v, false
		}
		if s.name == name {
			return s.value, true
		}
	}
}

// All yields every name with its value, in no order that means anything.
func (t *Table[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, s := range t.slots {
			if s.used && !yield(s.name, s.value) {
				return
			}
		}
	}
}

// Put sets the value of a name.
func (t *Table[T]) Put(name string, v T) {
	if 2*(t.count+1) > len(t.slots) {
		t.grow()
	}
	mask := uint(len(t.slots) - 1)
	i := hash(name) & mask
	for t.slots[i].used && t.slots[i].name != name {
		i = (i + 1) & mask
	}
	if !t.slots[i].used {
		t.count++
	}
	t.slots[i] = slot[T]{name, v, true}
}

func (t *Table[T]) grow() {
	next := Table[T]{slots: make([]slot[T], max(8, 2*len(t.slots)))}
	for _, s := range t.slots {
		if s.used {
			next.Put(s.name, s.value)
		}
	}
	*t = next
}

// Clone returns a copy that may be changed.
func (t *Table[T]) Clone() *Table[T] {
	return &Table[T]{slots: append([]slot[T](nil), t.slots...), count: t.count}
}

// hash mixes the length of a name with its first and last eight octets.
func hash[S string | []byte](s S) uint {
	h := uint64(len(s))
	switch n := len(s); {
	case n >= 8:
		h ^= word(s) ^ word(s[n-8:])*0xff51afd7ed558ccd
	default:
		for i := range n {
			h = h<<8 ^ uint64(s[i]) ^ h>>56
		}
	}
	h *= 0x9e3779b97f4a7c15
	return uint(h >> 32)
}

func word[S string | []byte](s S) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
