package changelog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Errors of Log.Append.
var (
	// ErrKnown says that the log holds the change already.
	ErrKnown = errors.New("change is known")
	// ErrGap says that changes before this one are missing.
	ErrGap = errors.New("changes are missing before this one")
)

// Bucket is an ordered store of keys within one transaction.
type Bucket interface {
	// Get returns the value of key, nil when there is none. It is valid until
	// the next Put or Delete and must not be changed.
	Get(key []byte) []byte
	// Put sets the value of key. It keeps copies of both.
	Put(key, value []byte) error
	// Delete removes key; it is no error when there is none.
	Delete(key []byte) error
	// Scan calls fn for the keys that begin with prefix and are not before from
	// (nil: from the first), in ascending order of bytes, until fn returns
	// false. What fn is given is valid until the next write; fn must not write.
	Scan(prefix, from []byte, fn func(key, value []byte) bool)
}

// Log is the durable log of the changes of all servers, within one
// transaction: every change stored, per server in the order of its sequence
// numbers, and the vector that covers them. It is valid only while the
// transaction is open.
type Log struct {
	changes, vector Bucket
	// entries finds the changes of an entry, nil where nobody asks for them.
	entries Bucket
	// key and value are where what is looked for or written is put together, pairs
	// what reads few keys.
	key   [len(ID{}) + CSNKeySize]byte
	value []byte
	pairs Pairs
}

// NewLog returns the log that two buckets of its own hold.
func NewLog(changes, vector Bucket) *Log { return &Log{changes: changes, vector: vector} }

// NewIndexedLog returns a log that can tell the changes of an entry, by a third
// bucket of its own.
func NewIndexedLog(changes, vector, entries Bucket) *Log {
	return &Log{changes: changes, vector: vector, entries: entries}
}

// Vector returns how far the log reaches, including known servers of which
// nothing is stored.
func (l *Log) Vector() (Vector, error) {
	all := l.pairs.Under(l.vector, nil, math.MaxInt)
	v := make(Vector, len(all))
	for _, p := range all {
		if len(p.Key) != 2 {
			return v, fmt.Errorf("read vector: damaged key of %d bytes", len(p.Key))
		}
		m, err := readMark(p.Value)
		if v[SID(binary.BigEndian.Uint16(p.Key))] = m; err != nil {
			return v, err
		}
	}
	return v, nil
}

// Seqs returns Vector().Seqs().
func (l *Log) Seqs() (Seqs, error) {
	all := l.pairs.Under(l.vector, nil, math.MaxInt)
	s := make(Seqs, len(all))
	for _, p := range all {
		if len(p.Key) != 2 || len(p.Value) != 8+CSNKeySize {
			return s, fmt.Errorf("read vector: damaged record of %d bytes under a key of %d", len(p.Value), len(p.Key))
		}
		if seq := binary.BigEndian.Uint64(p.Value); seq > 0 {
			s[SID(binary.BigEndian.Uint16(p.Key))] = seq
		}
	}
	return s, nil
}

// Mark returns how far the log reaches in the changes of one server.
func (l *Log) Mark(sid SID) (Mark, error) {
	raw := l.vector.Get(l.at(sid))
	if raw == nil {
		return Mark{}, nil
	}
	return readMark(raw)
}

func readMark(raw []byte) (m Mark, err error) {
	if len(raw) != 8+CSNKeySize {
		return m, fmt.Errorf("read vector: damaged record of %d bytes", len(raw))
	}
	if m.Seq = binary.BigEndian.Uint64(raw); m.Seq == 0 {
		return m, nil
	}
	if m.CSN, err = CSNFromKey(raw[8:]); err != nil {
		return m, fmt.Errorf("read vector: %w", err)
	}
	return m, nil
}

// Know puts a server into the vector without any change of it.
func (l *Log) Know(sid SID) error {
	if l.vector.Get(l.at(sid)) != nil {
		return nil
	}
	return l.putMark(sid, Mark{})
}

func (l *Log) putMark(sid SID, m Mark) error {
	l.value = m.CSN.AppendKey(binary.BigEndian.AppendUint64(l.value[:0], m.Seq))
	return l.vector.Put(l.at(sid), l.value)
}

// Begin makes the log of a server begin behind m: the state is known to hold
// what the changes up to there did, and they are not stored. It returns ErrKnown
// when changes of the server are stored, or the log reaches as far already.
func (l *Log) Begin(sid SID, m Mark) error {
	have, err := l.Mark(sid)
	switch {
	case err != nil:
		return err
	case !sid.Valid() || m.Seq == 0 || m.CSN.SID != sid:
		return fmt.Errorf("%w: log of server %s cannot begin at %d, %s", ErrChange, sid, m.Seq, m.CSN)
	case have.Seq >= m.Seq || l.First(sid) != 0:
		return fmt.Errorf("%w: log of server %s reaches to %d", ErrKnown, sid, have.Seq)
	}
	return l.putMark(sid, m)
}

// Append stores the next change of its server and advances the vector over it.
// It returns ErrKnown or ErrGap when c is not the next one. Its CSN is later than
// that of the one before; but what precedes the second may be the hello of another
// install, which chose the same number where it did not see this one, and gave it up.
func (l *Log) Append(c *Change) error {
	m, err := l.Mark(c.SID())
	switch {
	case err != nil:
		return err
	case c.Seq <= m.Seq:
		return ErrKnown
	case c.Seq > m.Seq+1:
		return fmt.Errorf("%w: have %d of server %s, got %d", ErrGap, m.Seq, c.SID(), c.Seq)
	case m.Seq > 0 && c.CSN.Compare(m.CSN) <= 0 && !l.mayPrecede(c, m):
		return fmt.Errorf("%w %s/%d: CSN %s is not after %s", ErrChange, c.SID(), c.Seq, c.CSN, m.CSN)
	}
	if err := c.Check(); err != nil {
		return err
	}
	raw, err := c.AppendBinary(l.value[:0])
	if err != nil {
		return err
	}
	l.value = raw
	if err := l.changes.Put(l.changeAt(c.SID(), c.Seq), raw); err != nil {
		return fmt.Errorf("store change %s/%d: %w", c.SID(), c.Seq, err)
	}
	if err := l.index(c); err != nil {
		return fmt.Errorf("index change %s/%d: %w", c.SID(), c.Seq, err)
	}
	return l.putMark(c.SID(), Mark{Seq: c.Seq, CSN: c.CSN})
}

// mayPrecede reports whether c may be the second change of its server though the
// first one, with mark m, is no older: that one is a hello.
func (l *Log) mayPrecede(c *Change, m Mark) bool {
	if m.Seq != 1 {
		return false
	}
	first, err := l.Get(c.SID(), 1)
	return err == nil && first != nil && first.Op == OpHeartbeat && first.Install != ""
}

// Get returns one change, or nil when the log does not hold it.
func (l *Log) Get(sid SID, seq uint64) (*Change, error) {
	raw := l.Stored(sid, seq)
	if raw == nil {
		return nil, nil
	}
	c := new(Change)
	if err := c.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("read change %s/%d: %w", sid, seq, err)
	}
	return c, nil
}

// Stored returns the stored form of a change as it stands in the log, or nil when
// that does not hold it; valid until the next write.
func (l *Log) Stored(sid SID, seq uint64) []byte {
	return l.changes.Get(l.changeAt(sid, seq))
}

// First returns the sequence number of the oldest change of sid that is still
// stored, 0 when there is none.
func (l *Log) First(sid SID) uint64 {
	for _, p := range l.pairs.Under(l.changes, l.at(sid), 1) {
		if len(p.Key) == 10 {
			return binary.BigEndian.Uint64(p.Key[2:])
		}
	}
	return 0
}

// Oldest returns the number and time of the oldest change of sid that is still
// stored; false when there is none.
func (l *Log) Oldest(sid SID) (at Mark, ok bool, err error) {
	first := l.pairs.Under(l.changes, l.at(sid), 1)
	if len(first) == 0 {
		return at, false, nil
	}
	if _, at, err = readHead(first[0].Value); err != nil {
		return at, false, fmt.Errorf("read change %s, key %x: %w", sid, first[0].Key, err)
	}
	return at, true, nil
}

// Time returns the CSN of one change, zero when the log does not hold it.
func (l *Log) Time(sid SID, seq uint64) (CSN, error) {
	raw := l.Stored(sid, seq)
	if raw == nil {
		return CSN{}, nil
	}
	_, at, err := readHead(raw)
	if err != nil {
		return CSN{}, fmt.Errorf("read change %s/%d: %w", sid, seq, err)
	}
	return at.CSN, nil
}

// After calls fn with the changes of sid beyond seq, in order, until fn
// returns false.
func (l *Log) After(sid SID, seq uint64, fn func(*Change) bool) error {
	var err error
	l.changes.Scan(sidKey(sid), logKey(sid, seq+1), func(k, raw []byte) bool {
		c := new(Change)
		if e := c.UnmarshalBinary(raw); e != nil {
			err = fmt.Errorf("read change %s, key %x: %w", sid, k, e)
			return false
		}
		return fn(c)
	})
	return err
}

// Marks calls fn with the numbers and times of the changes of sid that are
// stored, in order, until fn returns false.
func (l *Log) Marks(sid SID, fn func(Mark) bool) error {
	var err error
	l.changes.Scan(sidKey(sid), nil, func(k, raw []byte) bool {
		_, at, e := readHead(raw)
		if e != nil {
			err = fmt.Errorf("read change %s, key %x: %w", sid, k, e)
			return false
		}
		return fn(at)
	})
	return err
}

// Trim removes the changes of sid up to and including seq, at most max of
// them, and returns how many it removed. The vector stays.
func (l *Log) Trim(sid SID, seq uint64, max int) (int, error) {
	var old, indexed [][]byte
	l.changes.Scan(sidKey(sid), nil, func(k, raw []byte) bool {
		if len(old) >= max || len(k) == 10 && binary.BigEndian.Uint64(k[2:]) > seq {
			return false
		}
		old = append(old, bytes.Clone(k))
		if key := l.indexed(raw); key != nil {
			indexed = append(indexed, key)
		}
		return true
	})
	for _, k := range indexed {
		if err := l.entries.Delete(k); err != nil {
			return 0, fmt.Errorf("trim change log: %w", err)
		}
	}
	for n, k := range old {
		if err := l.changes.Delete(k); err != nil {
			return n, fmt.Errorf("trim change log: %w", err)
		}
	}
	return len(old), nil
}

// at and changeAt are sidKey and logKey, valid until the next key of l.
func (l *Log) at(sid SID) []byte { return binary.BigEndian.AppendUint16(l.key[:0], uint16(sid)) }

func (l *Log) changeAt(sid SID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(l.at(sid), seq)
}

func sidKey(sid SID) []byte { return binary.BigEndian.AppendUint16(make([]byte, 0, 10), uint16(sid)) }

func logKey(sid SID, seq uint64) []byte { return binary.BigEndian.AppendUint64(sidKey(sid), seq) }
