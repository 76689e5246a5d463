// Package store is the one file that holds everything durable of a suffix on
// one server: the change log and its vector, the facts of the DIT, what the
// directory was last seen to hold, and the work in progress. One transaction
// covers everything that must be true together.
//
// It decides nothing; package replica does.
package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"ldapsync/changelog"
)

// Version is the form of the state file that this program writes.
const Version = 1

// Errors of Open.
var (
	// ErrNewer is a file written by a later version of the program. It is left
	// untouched.
	ErrNewer = errors.New("state file was written by a newer version of ldapsync")
	// ErrInUse is a file that another process has open.
	ErrInUse = errors.New("state file is in use by another process")
	// ErrNotState is a file that is no state file, or damaged.
	ErrNotState = errors.New("not a state file of ldapsync")
)

var (
	bucketMeta    = []byte("meta")
	bucketDIT     = []byte("dit")
	bucketImages  = []byte("images")
	bucketNames   = []byte("names")
	bucketDirty   = []byte("dirty")
	bucketQueue   = []byte("queue")
	bucketIntents = []byte("intents")
	bucketParked  = []byte("parked")
	bucketDenied  = []byte("denied")
	bucketFuture  = []byte("future")
	bucketMembers = []byte("members")
	bucketSeen    = []byte("seen")
	bucketDelayed = []byte("delayed")
)

var keyVersion = []byte("version")

// Store is an open state file.
type Store struct {
	db *bolt.DB
}

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
	s := &Store{db: db}
	if err := s.Update(func(t *Tx) error { return t.prepare() }); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return s, nil
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
		b := tx.Bucket(bucketMeta)
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
	case errors.Is(err, bolt.ErrTimeout):
		return ErrInUse
	case errors.Is(err, bolt.ErrInvalid), errors.Is(err, bolt.ErrChecksum), errors.Is(err, bolt.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", ErrNotState, err)
	}
	return err
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Path returns the name of the file.
func (s *Store) Path() string { return s.db.Path() }

// Update runs fn in a transaction that is on disk when Update returns nil. An
// error of fn undoes everything and is returned.
func (s *Store) Update(fn func(*Tx) error) error {
	return s.db.Update(func(tx *bolt.Tx) error { return run(tx, fn) })
}

// View runs fn in a read-only transaction. Keep it short: what writers free
// while it is open cannot be used again.
func (s *Store) View(fn func(*Tx) error) error {
	return s.db.View(func(tx *bolt.Tx) error { return run(tx, fn) })
}

func run(tx *bolt.Tx, fn func(*Tx) error) error {
	log, err := changelog.OpenLog(tx)
	if err != nil {
		return err
	}
	return fn(&Tx{tx: tx, Log: log})
}

// Tx is one transaction, valid until the function it was given to returns.
type Tx struct {
	tx *bolt.Tx
	// Log is the change log of the transaction.
	Log *changelog.Log
}

// prepare makes the buckets and stamps a new file with its version.
func (t *Tx) prepare() error {
	for _, name := range [][]byte{
		bucketMeta, bucketDIT, bucketImages, bucketNames, bucketDirty, bucketQueue, bucketIntents,
		bucketParked, bucketDenied, bucketFuture, bucketMembers, bucketSeen, bucketDelayed,
	} {
		if _, err := t.tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
	}
	return t.tx.Bucket(bucketMeta).Put(keyVersion, binary.BigEndian.AppendUint64(nil, Version))
}

func (t *Tx) bucket(name []byte) *bolt.Bucket { return t.tx.Bucket(name) }

// empty removes everything from a bucket.
func (t *Tx) empty(name []byte) error {
	if k, _ := t.bucket(name).Cursor().First(); k == nil {
		return nil
	}
	if err := t.tx.DeleteBucket(name); err != nil {
		return err
	}
	_, err := t.tx.CreateBucket(name)
	return err
}

// count returns the number of keys of a bucket.
func (t *Tx) count(name []byte) int { return t.bucket(name).Inspect().KeyN }
