package changelog

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Errors of Log.Append.
var (
	// ErrKnown says that the log holds the change already.
	ErrKnown = errors.New("change is known")
	// ErrGap says that changes before this one are missing.
	ErrGap = errors.New("changes are missing before this one")
)

var (
	bucketLog    = []byte("log")
	bucketVector = []byte("vector")
)

// Log is the durable log of the changes of all servers, within one bbolt
// transaction: every change stored, per server in the order of its sequence
// numbers, and the vector that covers them. It is valid only while the
// transaction is open.
type Log struct {
	changes, vector *bolt.Bucket
}

// OpenLog opens the log of a transaction. In a writable transaction it is
// created when missing; in a read-only one it must exist.
func OpenLog(tx *bolt.Tx) (*Log, error) {
	l := &Log{changes: tx.Bucket(bucketLog), vector: tx.Bucket(bucketVector)}
	if l.changes != nil && l.vector != nil {
		return l, nil
	}
	if !tx.Writable() {
		return nil, errors.New("open change log: state file has none")
	}
	var err error
	if l.changes, err = tx.CreateBucketIfNotExists(bucketLog); err != nil {
		return nil, fmt.Errorf("create change log: %w", err)
	}
	if l.vector, err = tx.CreateBucketIfNotExists(bucketVector); err != nil {
		return nil, fmt.Errorf("create vector: %w", err)
	}
	return l, nil
}

// Vector returns how far the log reaches, including known servers of which
// nothing is stored.
func (l *Log) Vector() (Vector, error) {
	v := Vector{}
	err := l.vector.ForEach(func(k, raw []byte) error {
		if len(k) != 2 || len(raw) != 8+CSNKeySize {
			return fmt.Errorf("read vector: damaged record of %d+%d bytes", len(k), len(raw))
		}
		m := Mark{Seq: binary.BigEndian.Uint64(raw)}
		if m.Seq > 0 {
			var err error
			if m.CSN, err = CSNFromKey(raw[8:]); err != nil {
				return fmt.Errorf("read vector: %w", err)
			}
		}
		v[SID(binary.BigEndian.Uint16(k))] = m
		return nil
	})
	return v, err
}

// Mark returns how far the log reaches in the changes of one server.
func (l *Log) Mark(sid SID) (Mark, error) {
	raw := l.vector.Get(sidKey(sid))
	switch {
	case raw == nil:
		return Mark{}, nil
	case len(raw) != 8+CSNKeySize:
		return Mark{}, fmt.Errorf("read vector: damaged record of %d bytes", len(raw))
	}
	m := Mark{Seq: binary.BigEndian.Uint64(raw)}
	if m.Seq == 0 {
		return m, nil
	}
	var err error
	m.CSN, err = CSNFromKey(raw[8:])
	return m, err
}

// Know puts a server into the vector without any change of it.
func (l *Log) Know(sid SID) error {
	if l.vector.Get(sidKey(sid)) != nil {
		return nil
	}
	return l.putMark(sid, Mark{})
}

func (l *Log) putMark(sid SID, m Mark) error {
	return l.vector.Put(sidKey(sid), m.CSN.AppendKey(binary.BigEndian.AppendUint64(nil, m.Seq)))
}

// Append stores the next change of its server and advances the vector over it.
// It returns ErrKnown or ErrGap when c is not the next one.
func (l *Log) Append(c *Change) error {
	m, err := l.Mark(c.SID())
	switch {
	case err != nil:
		return err
	case c.Seq <= m.Seq:
		return ErrKnown
	case c.Seq > m.Seq+1:
		return fmt.Errorf("%w: have %d of server %s, got %d", ErrGap, m.Seq, c.SID(), c.Seq)
	case m.Seq > 0 && c.CSN.Compare(m.CSN) <= 0:
		return fmt.Errorf("%w %s/%d: CSN %s is not after %s", ErrChange, c.SID(), c.Seq, c.CSN, m.CSN)
	}
	if err := c.Check(); err != nil {
		return err
	}
	raw, err := c.AppendBinary(nil)
	if err != nil {
		return err
	}
	if err := l.changes.Put(logKey(c.SID(), c.Seq), raw); err != nil {
		return fmt.Errorf("store change %s/%d: %w", c.SID(), c.Seq, err)
	}
	return l.putMark(c.SID(), Mark{Seq: c.Seq, CSN: c.CSN})
}

// Get returns one change, or nil when the log does not hold it.
func (l *Log) Get(sid SID, seq uint64) (*Change, error) {
	raw := l.changes.Get(logKey(sid, seq))
	if raw == nil {
		return nil, nil
	}
	c := new(Change)
	if err := c.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("read change %s/%d: %w", sid, seq, err)
	}
	return c, nil
}

// First returns the sequence number of the oldest change of sid that is still
// stored, 0 when there is none.
func (l *Log) First(sid SID) uint64 {
	k, _ := l.changes.Cursor().Seek(logKey(sid, 0))
	if len(k) != 10 || SID(binary.BigEndian.Uint16(k)) != sid {
		return 0
	}
	return binary.BigEndian.Uint64(k[2:])
}

// After calls fn with the changes of sid beyond seq, in order, until fn
// returns false.
func (l *Log) After(sid SID, seq uint64, fn func(*Change) bool) error {
	cur := l.changes.Cursor()
	for k, raw := cur.Seek(logKey(sid, seq+1)); len(k) == 10 && SID(binary.BigEndian.Uint16(k)) == sid; k, raw = cur.Next() {
		c := new(Change)
		if err := c.UnmarshalBinary(raw); err != nil {
			return fmt.Errorf("read change %s/%d: %w", sid, binary.BigEndian.Uint64(k[2:]), err)
		}
		if !fn(c) {
			return nil
		}
	}
	return nil
}

// Since calls fn with every change that a copy reaching as far as have lacks,
// per server in order, until fn returns false. It returns ErrGap when the log
// no longer reaches back far enough for some server.
func (l *Log) Since(have Seqs, fn func(*Change) bool) error {
	v, err := l.Vector()
	if err != nil {
		return err
	}
	more := true
	for _, sid := range v.SIDs() {
		if !more || have[sid] >= v[sid].Seq {
			continue
		}
		if first := l.First(sid); first == 0 || first > have[sid]+1 {
			return fmt.Errorf("%w: log of server %s begins at %d", ErrGap, sid, first)
		}
		err := l.After(sid, have[sid], func(c *Change) bool { more = fn(c); return more })
		if err != nil {
			return err
		}
	}
	return nil
}

// Trim removes the changes of sid up to and including seq, at most max of
// them, and returns how many it removed. The vector stays.
func (l *Log) Trim(sid SID, seq uint64, max int) (int, error) {
	n := 0
	for cur := l.changes.Cursor(); n < max; n++ {
		k, _ := cur.Seek(logKey(sid, 0))
		if len(k) != 10 || SID(binary.BigEndian.Uint16(k)) != sid || binary.BigEndian.Uint64(k[2:]) > seq {
			break
		}
		if err := cur.Delete(); err != nil {
			return n, fmt.Errorf("trim change log: %w", err)
		}
	}
	return n, nil
}

func sidKey(sid SID) []byte { return binary.BigEndian.AppendUint16(nil, uint16(sid)) }

func logKey(sid SID, seq uint64) []byte { return binary.BigEndian.AppendUint64(sidKey(sid), seq) }
