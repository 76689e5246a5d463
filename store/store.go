// Package store is the one file that holds everything durable of a suffix on
// one server: the change log and its vector, the facts of the DIT, what the
// directory was last seen to hold, and the work in progress. One transaction
// covers everything that must be true together.
//
// It decides nothing; package replica does.
package store

import (
	"errors"
	"math/bits"
	"sync/atomic"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/members"
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

	errReadOnly = errors.New("transaction is read-only")
)

var keyVersion = []byte("version")

// Store is an open state file.
type Store struct {
	b backing
	// updates counts the transactions that may have written something.
	updates atomic.Uint64
	// versions count those that may have changed a part.
	versions [numParts]atomic.Uint64
}

// Updates returns a number that changes whenever something in the file has
// changed: what followed from the file alone, read after Updates was called,
// still follows as long as it returns the same.
func (s *Store) Updates() uint64 { return s.updates.Load() }

// Parts are parts of a state file.
type Parts uint32

// Parts whose changes are told apart.
const (
	// Reached is what Log.Vector returns, with MergedSeqs what is Postponed, too.
	Reached   Parts = 1 << bucketVector
	Postponed Parts = 1 << bucketFuture
	// Logged are the changes that are stored.
	Logged Parts = 1 << bucketLog
	// Marked is what DirtyAfter returns.
	Marked Parts = 1<<bucketQueue | 1<<bucketDirty | 1<<bucketParked
	// Told is what Roster tells.
	Told Parts = 1 << bucketRoster
)

// Version is Updates for what follows from some parts alone. In a transaction that
// writes it returns another number than it did in every earlier one since which
// one of them has changed.
func (s *Store) Version(of Parts) (sum uint64) {
	for ; of != 0; of &= of - 1 {
		sum += s.versions[bits.TrailingZeros32(uint32(of))].Load()
	}
	return sum
}

// count notes that parts are about to change or have changed.
func (s *Store) count(changed Parts) {
	for ; changed != 0; changed &= changed - 1 {
		s.versions[bits.TrailingZeros32(uint32(changed))].Add(1)
	}
}

// Close closes the file.
func (s *Store) Close() error { return s.b.close() }

// Path returns the name of the file, "" for a store in memory.
func (s *Store) Path() string { return s.b.path() }

// Update runs fn in a transaction that is on disk when Update returns nil. An
// error of fn undoes everything and is returned.
func (s *Store) Update(fn func(*Tx) error) error {
	var written Parts
	defer func() {
		s.updates.Add(1)
		s.count(written)
	}()
	return s.b.update(func(t *Tx) error {
		s.updates.Add(1)
		err := fn(t)
		written = t.tx.written()
		s.count(written)
		return err
	})
}

// View runs fn in a read-only transaction. Keep it short: what writers free
// while it is open cannot be used again.
func (s *Store) View(fn func(*Tx) error) error {
	return s.b.view(fn)
}

// Tx is one transaction, valid until the function it was given to returns.
type Tx struct {
	tx transaction
	// Log is the change log of the transaction.
	Log *changelog.Log
	log changelog.Log
	// key and value are where what is looked for or written is put together.
	key, value []byte
	// seen is where the Seen of a mark is kept while that is moved.
	seen []byte
	// roster is what Roster returns, nil where that is made each time.
	roster *members.Table
}

// newTx returns what a transaction looks like to others.
func newTx(t transaction) *Tx {
	tx := &Tx{tx: t, log: *changelog.NewIndexedLog(t.bucket(bucketLog), t.bucket(bucketVector), t.bucket(bucketHistory))}
	tx.Log = &tx.log
	return tx
}

// KV returns the part of the store in which package dit keeps its facts; valid
// as long as the transaction.
func (t *Tx) KV() dit.KV { return t.bucket(bucketDIT) }

func (t *Tx) bucket(p part) bucket { return t.tx.bucket(p) }

// count returns the number of keys of a part.
func (t *Tx) count(p part) int { return t.bucket(p).Count() }
