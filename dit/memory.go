package dit

import (
	"bytes"
	"slices"
)

// blockSize is the greatest number of keys of one block of a Memory.
const blockSize = 128

// spare is for how many more keys a copied block has room.
const spare = 8

// Memory is a KV in memory. It is not safe for concurrent use.
type Memory struct {
	blocks []*block
	// owner marks the blocks that this Memory alone holds and may change.
	owner *int
	size  int
}

// block is a run of keys in ascending order; never empty.
type block struct {
	owner  *int
	keys   [][]byte
	values [][]byte
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{owner: new(int)} }

// Clone returns a copy that shares nothing with m as far as anyone can tell. It
// costs about one allocation per hundred keys, and one more for every hundred
// keys later written to.
func (m *Memory) Clone() *Memory {
	m.owner = new(int)
	return &Memory{blocks: append([]*block(nil), m.blocks...), owner: new(int), size: m.size}
}

// Len returns the number of keys.
func (m *Memory) Len() int { return m.size }

// find returns the block and the position in it where key is or belongs.
func (m *Memory) find(key []byte) (b, i int, found bool) {
	low, high := 0, len(m.blocks)
	for low < high {
		if mid := int(uint(low+high) >> 1); bytes.Compare(m.blocks[mid].keys[0], key) > 0 {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low == 0 {
		return 0, 0, false
	}
	b = low - 1
	keys := m.blocks[b].keys
	for low, high = 0, len(keys); low < high; {
		mid := int(uint(low+high) >> 1)
		switch bytes.Compare(keys[mid], key) {
		case 0:
			return b, mid, true
		case 1:
			high = mid
		default:
			low = mid + 1
		}
	}
	return b, low, false
}

// own returns block b, first copied when another Memory holds it too.
func (m *Memory) own(b int) *block {
	if old := m.blocks[b]; old.owner != m.owner {
		m.blocks[b] = &block{
			owner:  m.owner,
			keys:   append(make([][]byte, 0, len(old.keys)+spare), old.keys...),
			values: append(make([][]byte, 0, len(old.keys)+spare), old.values...),
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
	return m.blocks[b].values[i]
}

// Put implements KV. It never fails.
func (m *Memory) Put(key, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	b, i, found := m.find(key)
	if found {
		m.own(b).values[i] = value
		return nil
	}
	m.insert(b, i, key, value)
	return nil
}

// insert adds a key where find said that it belongs.
func (m *Memory) insert(b, i int, key, value []byte) {
	m.size++
	if len(m.blocks) == 0 {
		m.blocks = []*block{{owner: m.owner, keys: [][]byte{key}, values: [][]byte{value}}}
		return
	}
	block := m.own(b)
	block.keys = slices.Insert(block.keys, i, key)
	block.values = slices.Insert(block.values, i, value)
	if len(block.keys) > blockSize {
		m.split(b, i == len(block.keys)-1)
	}
}

// Swap sets the value of a key, not nil, and returns the key as it stands there,
// a copy of the given one when it is new, and its value before, nil when it is new.
func (m *Memory) Swap(key, value []byte) (kept, old []byte) {
	b, i, found := m.find(key)
	if !found {
		kept = bytes.Clone(key)
		m.insert(b, i, kept, value)
		return kept, nil
	}
	block := m.own(b)
	kept, old, block.values[i] = block.keys[i], block.values[i], value
	return kept, old
}

// split halves block b. A block that grew at its end keeps nearly all its
// keys, so that keys put in ascending order fill their blocks.
func (m *Memory) split(b int, atEnd bool) {
	full := m.blocks[b]
	at := len(full.keys) / 2
	if atEnd {
		at = len(full.keys) - 1
	}
	right := &block{
		owner:  m.owner,
		keys:   append(make([][]byte, 0, blockSize+1), full.keys[at:]...),
		values: append(make([][]byte, 0, blockSize+1), full.values[at:]...),
	}
	clear(full.keys[at:])
	clear(full.values[at:])
	full.keys, full.values = full.keys[:at], full.values[:at]
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
	kept, old = block.keys[i], block.values[i]
	block.keys = slices.Delete(block.keys, i, i+1)
	block.values = slices.Delete(block.values, i, i+1)
	if len(block.keys) == 0 {
		m.blocks = slices.Delete(m.blocks, b, b+1)
	}
	return kept, old
}

// Scan implements KV.
func (m *Memory) Scan(prefix, from []byte, fn func(key, value []byte) bool) {
	start := prefix
	if bytes.Compare(from, prefix) > 0 {
		start = from
	}
	b, i, _ := m.find(start)
	for ; b < len(m.blocks); b, i = b+1, 0 {
		block := m.blocks[b]
		for ; i < len(block.keys); i++ {
			if !bytes.HasPrefix(block.keys[i], prefix) || !fn(block.keys[i], block.values[i]) {
				return
			}
		}
	}
}
