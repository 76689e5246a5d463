package store

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
)

// KV is the part of the file in which package dit keeps its facts; it
// implements dit.KV. Valid as long as its transaction.
type KV struct{ b *bolt.Bucket }

// KV returns the facts' part of the file.
func (t *Tx) KV() KV { return KV{t.bucket(bucketDIT)} }

// Get returns the value of a key, nil when it is absent; valid until the next
// write.
func (kv KV) Get(key []byte) []byte { return kv.b.Get(key) }

// Put sets the value of a key.
func (kv KV) Put(key, value []byte) error { return kv.b.Put(key, value) }

// Delete removes a key, present or not.
func (kv KV) Delete(key []byte) error { return kv.b.Delete(key) }

// Scan calls fn with the pairs whose keys begin with prefix and are not below
// from, in ascending order, until it returns false. It must not write.
func (kv KV) Scan(prefix, from []byte, fn func(key, value []byte) bool) {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	c := kv.b.Cursor()
	for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if !fn(k, v) {
			return
		}
	}
}
