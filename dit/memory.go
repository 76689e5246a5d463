package dit

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// blockSize is the greatest number of keys of one block of a Memory.
const blockSize = 128

// spare is for how many more keys a copied block has room.
const spare = 8

// Memory is a KV in memory; its zero value is empty. It is not safe for concurrent
// use.
type Memory struct {
	blocks []*block
	// owner marks the blocks that this Memory alone holds and may change; nil while
	// there are none.
	owner *int
	size  int
	// empty is a block of its own that it does not need now, nil for none.
	empty *block
}

// block is a run of items in ascending order of their keys; never empty.
type block struct {
	owner *int
	// heads are the heads of the keys: most keys differ in them, and to compare
	// numbers is faster.
	heads []uint64
	items []item
}

type item struct{ key, value []byte }

// head returns the first eight octets of a key as a number. Of two keys the one
// with the lesser head is the first.
func head(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var full [8]byte
	copy(full[:], key)
	return binary.BigEndian.Uint64(full[:])
}

// find returns the position in b where key, whose head is h, is or belongs.
func (b *block) find(key []byte, h uint64) (i int, found bool) {
	low, end := below(b.heads, h), len(b.heads)
	if low == end || b.heads[low] != h {
		return low, false
	}
	for low+1 < end && b.heads[low+1] == h { // rarely
		mid := int(uint(low+end) >> 1)
		if b.heads[mid] > h || bytes.Compare(b.items[mid].key, key) > 0 {
			end = mid
		} else {
			low = mid
		}
	}
	order := bytes.Compare(b.items[low].key, key)
	if order < 0 {
		low++
	}
	return low, order == 0
}

// below returns how many of ascending numbers are below h.
func below(heads []uint64, h uint64) int {
	low, high := 0, len(heads)
	for low < high {
		if mid := int(uint(low+high) >> 1); heads[mid] < h {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return new(Memory) }

// Clone returns a copy that shares nothing with m as far as anyone can tell. It
// costs about one allocation per hundred keys, and one more for every hundred
// keys later written to.
func (m *Memory) Clone() *Memory {
	m.owner, m.empty = nil, nil
	return &Memory{blocks: append([]*block(nil), m.blocks...), size: m.size}
}

// self returns the owner of the blocks that m makes.
func (m *Memory) self() *int {
	if m.owner == nil {
		m.owner = new(int)
	}
	return m.owner
}

// Len returns the number of keys.
func (m *Memory) Len() int { return m.size }

// find returns the block and the position in it where key is or belongs.
func (m *Memory) find(key []byte) (b, i int, found bool) {
	if m.size == 0 {
		return 0, 0, false
	}
	h := head(key)
	for high := len(m.blocks) - 1; b < high; {
		mid := int(uint(b+high+1) >> 1)
		if first := m.blocks[mid]; first.heads[0] > h || first.heads[0] == h && bytes.Compare(first.items[0].key, key) > 0 {
			high = mid - 1
		} else {
			b = mid
		}
	}
	i, found = m.blocks[b].find(key, h)
	return b, i, found
}

// own returns block b, first copied when another Memory holds it too.
func (m *Memory) own(b int) *block {
	if old := m.blocks[b]; old.owner != m.owner {
		m.blocks[b] = &block{
			owner: m.self(),
			heads: append(make([]uint64, 0, len(old.heads)+spare), old.heads...),
			items: append(make([]item, 0, len(old.items)+spare), old.items...),
		}
	}
	return m.blocks[b]
}

// Get implements KV.
func (m *Memory) Get(key []byte) []byte {
	b, i, found := m.find(key)
	if !found {
		return nil
	}
	return m.blocks[b].items[i].value
}

// Put implements KV. It never fails.
func (m *Memory) Put(key, value []byte) error {
	m.Swap(key, append([]byte{}, value...), bytes.Clone)
	return nil
}

// insert adds a key where find said that it belongs.
func (m *Memory) insert(b, i int, key, value []byte) {
	m.size++
	if len(m.blocks) == 0 {
		if m.empty == nil {
			m.empty = &block{owner: m.self(), heads: make([]uint64, 0, spare), items: make([]item, 0, spare)}
		}
		m.blocks = append(m.blocks, m.empty)
	}
	block := m.own(b)
	block.heads = append(block.heads, 0)
	copy(block.heads[i+1:], block.heads[i:])
	block.heads[i] = head(key)
	block.items = append(block.items, item{})
	copy(block.items[i+1:], block.items[i:])
	block.items[i] = item{key, value}
	if len(block.items) > blockSize {
		m.split(b, i == len(block.items)-1)
	}
}

// Swap sets the value of a key, not nil, and returns the key as it stands there,
// the copy that is made of it when it is new, and its value before, nil when it is
// new.
func (m *Memory) Swap(key, value []byte, clone func([]byte) []byte) (kept, old []byte) {
	b, i, found := m.find(key)
	if !found {
		kept = clone(key)
		m.insert(b, i, kept, value)
		return kept, nil
	}
	there := &m.own(b).items[i]
	old, there.value = there.value, value
	return there.key, old
}

// split halves block b. A block that grew at its end keeps nearly all its
// keys, so that keys put in ascending order fill their blocks.
func (m *Memory) split(b int, atEnd bool) {
	full := m.blocks[b]
	at := len(full.items) / 2
	if atEnd {
		at = len(full.items) - 1
	}
	right := &block{
		owner: m.owner,
		heads: append(make([]uint64, 0, blockSize+1), full.heads[at:]...),
		items: append(make([]item, 0, blockSize+1), full.items[at:]...),
	}
	clear(full.items[at:])
	full.heads, full.items = full.heads[:at], full.items[:at]
	m.blocks = slices.Insert(m.blocks, b+1, right)
}

// Delete implements KV. It never fails.
func (m *Memory) Delete(key []byte) error {
	m.Take(key)
	return nil
}

// Take is Delete that returns what there was as Replace does.
func (m *Memory) Take(key []byte) (kept, old []byte) {
	b, i, found := m.find(key)
	if !found {
		return nil, nil
	}
	m.size--
	block := m.own(b)
	kept, old = block.items[i].key, block.items[i].value
	block.heads = slices.Delete(block.heads, i, i+1)
	block.items = slices.Delete(block.items, i, i+1)
	if len(block.items) == 0 {
		m.blocks, m.empty = slices.Delete(m.blocks, b, b+1), block
	}
	return kept, old
}

// Scan implements KV.
func (m *Memory) Scan(prefix, from []byte, fn func(key, value []byte) bool) {
	if m.size == 0 {
		return
	}
	start := prefix
	if bytes.Compare(from, prefix) > 0 {
		start = from
	}
	b, i, _ := m.find(start)
	for ; b < len(m.blocks); b, i = b+1, 0 {
		block := m.blocks[b]
		for ; i < len(block.items); i++ {
			if it := &block.items[i]; !bytes.HasPrefix(it.key, prefix) || !fn(it.key, it.value) {
				return
			}
		}
	}
}
