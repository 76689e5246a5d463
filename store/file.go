package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Open opens the state file at path, making it when missing; its directory
// must exist. Only one process can have it open.
func Open(path string) (*Store, error) {
	if err := check(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db, err := bolt.Open(path, 0o600, options())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, openError(err))
	}
	f := &file{db: db}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return &Store{b: f}, nil
}

// options are the measured best: a free list in memory only, a map that need
// not be remapped while readers are open, and no waiting for another process.
func options() *bolt.Options {
	o := &bolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bolt.FreelistMapType}
	if ^uint(0)>>32 != 0 {
		o.InitialMmapSize = 1 << 34
	}
	return o
}

// check looks at an existing file without writing to it.
func check(path string) (err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		_, err = os.Stat(filepath.Dir(path))
		return err
	case err != nil:
		return err
	case info.Size() == 0:
		return nil
	}
	defer func() {
		// bbolt maps the file and trusts its pages: a damaged one can panic.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrNotState, r)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return openError(err)
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(partNames[bucketMeta])
		if b == nil || len(b.Get(keyVersion)) != 8 {
			return ErrNotState
		}
		if v := binary.BigEndian.Uint64(b.Get(keyVersion)); v > Version {
			return fmt.Errorf("%w: version %d, this program knows %d", ErrNewer, v, Version)
		}
		return nil
	})
}

func openError(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", ErrNotState, err)
	}
	return err
}

// file is a store in a bbolt file.
type file struct{ db *bolt.DB }

// prepare makes the buckets and stamps a new file with its version.
func (f *file) prepare() error {
	return f.db.Update(func(tx *bolt.Tx) error {
		for _, name := range partNames {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return fmt.Errorf("create bucket %s: %w", name, err)
			}
		}
		return tx.Bucket(partNames[bucketMeta]).Put(keyVersion, binary.BigEndian.AppendUint64(nil, Version))
	})
}

// errUnchanged ends a transaction that has written nothing: to commit it would wait for
// the disk.
var errUnchanged = errors.New("nothing was written")

func (f *file) update(fn func(*Tx) error) error {
	err := f.db.Update(func(tx *bolt.Tx) error {
		t := &fileTx{tx: tx}
		if err := fn(newTx(t)); err != nil {
			return err
		}
		if t.changed == 0 {
			return errUnchanged
		}
		return nil
	})
	if err == errUnchanged {
		return nil
	}
	return err
}

func (f *file) view(fn func(*Tx) error) error {
	return f.db.View(func(tx *bolt.Tx) error { return fn(newTx(&fileTx{tx: tx})) })
}

func (f *file) path() string { return f.db.Path() }

func (f *file) close() error { return f.db.Close() }

// fileTx is a transaction on a file.
type fileTx struct {
	tx      *bolt.Tx
	changed Parts
}

func (t *fileTx) written() Parts { return t.changed }

func (t *fileTx) bucket(p part) bucket {
	return &fileBucket{Bucket: t.tx.Bucket(partNames[p]), t: t, part: p}
}

// fileBucket is a bucket of a file.
type fileBucket struct {
	*bolt.Bucket
	t    *fileTx
	part part
}

func (b *fileBucket) change() { b.t.changed |= 1 << b.part }

func (b *fileBucket) Put(key, value []byte) error {
	b.change()
	return b.Bucket.Put(key, bytes.Clone(value))
}

func (b *fileBucket) Delete(key []byte) error {
	if b.Get(key) == nil {
		return nil
	}
	b.change()
	return b.Bucket.Delete(key)
}

func (b *fileBucket) NextSequence() (uint64, error) {
	b.change()
	return b.Bucket.NextSequence()
}

func (b *fileBucket) Scan(prefix, from []byte, fn func(key, value []byte) bool) {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	c := b.Cursor()
	for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if !fn(k, v) {
			return
		}
	}
}

func (b *fileBucket) Count() int { return b.Inspect().KeyN }

func (b *fileBucket) Clear() error {
	if k, _ := b.Cursor().First(); k == nil && b.Sequence() == 0 {
		return nil
	}
	b.change()
	if err := b.t.tx.DeleteBucket(partNames[b.part]); err != nil {
		return err
	}
	again, err := b.t.tx.CreateBucket(partNames[b.part])
	b.Bucket = again
	return err
}
