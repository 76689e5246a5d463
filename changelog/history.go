package changelog

import (
	"encoding/binary"
	"fmt"
)

// index adds a change to those of its entry.
func (l *Log) index(c *Change) error {
	if l.entries == nil || c.ID.IsZero() {
		return nil
	}
	l.value = binary.BigEndian.AppendUint64(l.value[:0], c.Seq)
	return l.entries.Put(appendEntryKey(l.key[:0], c.ID, c.CSN), l.value)
}

func appendEntryKey(b []byte, id ID, at CSN) []byte { return at.AppendKey(append(b, id[:]...)) }

// indexed returns the key in the index of a stored change, nil when it has none.
func (l *Log) indexed(raw []byte) []byte {
	if l.entries == nil {
		return nil
	}
	id, at, err := readHead(raw)
	if err != nil || id.IsZero() {
		return nil
	}
	return appendEntryKey(nil, id, at.CSN)
}

// History calls fn with the changes of an entry that are stored, in the order
// of their CSNs beginning after one (zero: from the first), until fn returns
// false. Only a log from NewIndexedLog knows them.
func (l *Log) History(id ID, after CSN, fn func(*Change) bool) error {
	if l.entries == nil {
		return nil
	}
	from := append([]byte(nil), id[:]...)
	if !after.IsZero() {
		from = append(after.AppendKey(from), 0)
	}
	var err error
	l.entries.Scan(id[:], from, func(k, v []byte) bool {
		var c *Change
		if c, err = l.entryChange(k[len(id):], v); c == nil || err != nil {
			return err == nil
		}
		return fn(c)
	})
	return err
}

// Names calls fn with the entry of every change that is stored and the name that it had
// before, an added one what it was given, until fn returns false. The name is valid
// until fn returns.
func (l *Log) Names(fn func(id ID, dn []byte) bool) error {
	var err error
	l.changes.Scan(nil, nil, func(k, raw []byte) bool {
		id, name, e := readName(raw)
		if e != nil {
			err = fmt.Errorf("read change, key %x: %w", k, e)
			return false
		}
		return id.IsZero() || fn(id, name)
	})
	return err
}

func (l *Log) entryChange(key, value []byte) (*Change, error) {
	csn, err := CSNFromKey(key)
	if err != nil || len(value) != 8 {
		return nil, fmt.Errorf("read history: damaged key %x", key)
	}
	return l.Get(csn.SID, binary.BigEndian.Uint64(value))
}
