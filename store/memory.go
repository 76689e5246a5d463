package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"ldapsync/dit"
	"ldapsync/members"
)

// Memory is the content of a state file that lives in memory, for simulations
// and tests. It outlives the stores opened on it, as a file does.
type Memory struct {
	mu    sync.RWMutex
	parts [numParts]memoryBucket
	guard func(commit func()) error
	// room is where keys and values are kept: most are too small for memory of
	// their own.
	room []byte
	// reader is a transaction that nobody reads with at the moment, nil for none;
	// writer is the one to write with.
	reader atomic.Pointer[memoryTx]
	writer *memoryTx
}

// NewMemory returns what an empty file is.
func NewMemory() *Memory {
	m := new(Memory)
	m.writer = newMemoryTx(m, true)
	return m
}

// Copy returns what a copy of the file would hold: every transaction that was
// committed.
func (m *Memory) Copy() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := new(Memory)
	for p := range m.parts {
		c.parts[p] = memoryBucket{keys: *m.parts[p].keys.Clone(), sequence: m.parts[p].sequence}
	}
	c.writer = newMemoryTx(c, true)
	return c
}

// SetGuard makes every transaction that would be committed call fn instead,
// which may or may not commit it; its error becomes that of Update. So a
// process can be made to die before or after any durable step.
func (m *Memory) SetGuard(fn func(commit func()) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.guard = fn
}

// Open returns a store on m. The one before, if any, must not be used any more.
func (m *Memory) Open() (*Store, error) {
	meta := &m.parts[bucketMeta].keys
	if v := meta.Get(keyVersion); len(v) == 8 && binary.BigEndian.Uint64(v) > Version {
		return nil, fmt.Errorf("open store in memory: %w", ErrNewer)
	}
	if err := meta.Put(keyVersion, binary.BigEndian.AppendUint64(nil, Version)); err != nil {
		return nil, err
	}
	return &Store{b: m}, nil
}

func (m *Memory) path() string { return "" }

func (m *Memory) close() error { return nil }

func (m *Memory) view(fn func(*Tx) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t := m.reader.Swap(nil)
	if t == nil {
		t = newMemoryTx(m, false)
	}
	defer m.reader.Store(t)
	return fn(t.shown)
}

func (m *Memory) update(fn func(*Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.writer
	for p := range m.parts {
		t.sequences[p] = m.parts[p].sequence
	}
	defer t.empty()
	if err := fn(t.shown); err != nil {
		t.rollback()
		return err
	}
	if m.guard == nil {
		return nil
	}
	committed := false
	err := m.guard(func() { committed = true })
	if !committed {
		t.rollback()
	}
	return err
}

// roomSize is how much memory is taken at a time for what is kept.
const roomSize = 4 << 10

// keep returns a copy of an octet string, not nil.
func (m *Memory) keep(b []byte) []byte {
	if len(b) > roomSize/8 {
		return bytes.Clone(b)
	}
	if len(b) >= cap(m.room)-len(m.room) {
		m.room = make([]byte, 0, roomSize)
	}
	at := len(m.room)
	m.room = append(m.room, b...)
	return m.room[at:len(m.room):len(m.room)]
}

// memoryTx is a transaction on a Memory. It writes in place and remembers how
// to undo that.
type memoryTx struct {
	m         *Memory
	writable  bool
	changed   Parts
	sequences [numParts]uint64
	undo      []undo
	buckets   [numParts]memoryTxBucket
	// shown is the transaction as others see it.
	shown *Tx
}

func newMemoryTx(m *Memory, writable bool) *memoryTx {
	t := &memoryTx{m: m, writable: writable}
	for p := range t.buckets {
		t.buckets[p] = memoryTxBucket{memoryBucket: &m.parts[p], t: t, part: part(p)}
	}
	t.shown = newTx(t)
	t.shown.roster = members.Open(t.bucket(bucketRoster))
	return t
}

// undo is what a key was before it was written to; a nil value is no key.
type undo struct {
	keys       *dit.Memory
	key, value []byte
}

func (t *memoryTx) rollback() {
	for _, u := range slices.Backward(t.undo) {
		if u.value == nil {
			_ = u.keys.Delete(u.key) // never fails
		} else {
			_ = u.keys.Put(u.key, u.value)
		}
	}
	for p := range t.m.parts {
		t.m.parts[p].sequence = t.sequences[p]
	}
}

// empty makes t ready for the next transaction. It keeps the memory of the undo
// list unless that has become large.
func (t *memoryTx) empty() {
	t.changed = 0
	clear(t.undo)
	if t.undo = t.undo[:0]; cap(t.undo) > 1024 {
		t.undo = nil
	}
}

func (t *memoryTx) bucket(p part) bucket { return &t.buckets[p] }

func (t *memoryTx) written() Parts { return t.changed }

// memoryBucket is a part of a Memory.
type memoryBucket struct {
	keys     dit.Memory
	sequence uint64
}

// memoryTxBucket is a part within a transaction.
type memoryTxBucket struct {
	*memoryBucket
	t    *memoryTx
	part part
}

func (b *memoryTxBucket) Get(key []byte) []byte { return b.keys.Get(key) }

func (b *memoryTxBucket) Put(key, value []byte) error {
	if !b.t.writable {
		return errWrite
	}
	b.t.changed |= 1 << b.part
	kept, old := b.keys.Swap(key, b.t.m.keep(value), b.t.m.keep)
	b.t.undo = append(b.t.undo, undo{keys: &b.keys, key: kept, value: old})
	return nil
}

func (b *memoryTxBucket) Delete(key []byte) error {
	if !b.t.writable {
		return errWrite
	}
	if kept, old := b.keys.Take(key); kept != nil {
		b.t.changed |= 1 << b.part
		b.t.undo = append(b.t.undo, undo{keys: &b.keys, key: kept, value: old})
	}
	return nil
}

// errWrite is the error of a write in a read-only transaction.
var errWrite = fmt.Errorf("write to store in memory: %w", errReadOnly)

func (b *memoryTxBucket) Scan(prefix, from []byte, fn func(key, value []byte) bool) {
	b.keys.Scan(prefix, from, fn)
}

func (b *memoryTxBucket) NextSequence() (uint64, error) {
	if !b.t.writable {
		return 0, errWrite
	}
	b.sequence++
	return b.sequence, nil
}

func (b *memoryTxBucket) Count() int { return b.keys.Len() }

func (b *memoryTxBucket) Clear() error {
	var keys [][]byte
	b.keys.Scan(nil, nil, func(k, _ []byte) bool {
		keys = append(keys, k)
		return true
	})
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	b.sequence = 0
	return nil
}
