package store

import "ldapsync/changelog"

// part is one of the ordered key spaces that a store consists of.
type part uint8

const (
	bucketMeta part = iota
	bucketLog
	bucketVector
	bucketDIT
	bucketImages
	bucketNames
	bucketDirty
	bucketQueue
	bucketIntents
	bucketParked
	bucketDenied
	bucketFuture
	bucketMembers
	bucketSeen
	bucketDelayed
	bucketTold
	bucketAliases
	bucketRoster
	bucketHistory
	bucketGivenUp
	bucketTried
	numParts
)

// partNames are the names of the parts in a file.
var partNames = [numParts][]byte{
	bucketMeta: []byte("meta"), bucketLog: []byte("log"), bucketVector: []byte("vector"), bucketDIT: []byte("dit"),
	bucketImages: []byte("images"), bucketNames: []byte("names"), bucketDirty: []byte("dirty"), bucketQueue: []byte("queue"),
	bucketIntents: []byte("intents"), bucketParked: []byte("parked"), bucketDenied: []byte("denied"), bucketFuture: []byte("future"),
	bucketMembers: []byte("members"), bucketSeen: []byte("seen"), bucketDelayed: []byte("delayed"),
	bucketTold: []byte("told"), bucketAliases: []byte("aliases"), bucketRoster: []byte("roster"),
	bucketHistory: []byte("history"), bucketGivenUp: []byte("given-up"), bucketTried: []byte("tried"),
}

// bucket is one part within a transaction.
type bucket interface {
	changelog.Bucket
	// NextSequence returns 1, 2, 3, ...; a transaction that is undone gives its
	// numbers back.
	NextSequence() (uint64, error)
	// Count returns the number of keys.
	Count() int
	// Clear removes every key; the sequence begins again.
	Clear() error
}

// transaction gives the parts of a store while it is open.
type transaction interface {
	bucket(p part) bucket
	// written returns which of them may have been changed.
	written() Parts
}

// backing is what a store is kept in.
type backing interface {
	// update runs fn in a transaction that lasts when update returns nil; an
	// error undoes it. One runs at a time.
	update(fn func(*Tx) error) error
	// view runs fn in a transaction that must not write.
	view(fn func(*Tx) error) error
	path() string
	close() error
}

// first returns the first key and its value, nil when the part is empty.
func first(b bucket) (key, value []byte) {
	b.Scan(nil, nil, func(k, v []byte) bool {
		key, value = k, v
		return false
	})
	return key, value
}
