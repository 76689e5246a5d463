package replica

import "sync/atomic"

// lastRead remembers what was read of some parts of the state file last: it is
// still so as long as their version is. Its zero value remembers nothing.
type lastRead[T any] struct{ is atomic.Pointer[readAt[T]] }

// readAt is what was read when the version of what it stands in was at.
type readAt[T any] struct {
	at   uint64
	what T
}

// get returns what is remembered of version at, or else what read returns. That is
// remembered, and shared: it must not be changed. The version has to be asked for
// before anything is read.
func (l *lastRead[T]) get(at uint64, read func() (T, error)) (T, error) {
	if is := l.is.Load(); is != nil && is.at == at {
		return is.what, nil
	}
	what, err := read()
	if err == nil {
		l.is.Store(&readAt[T]{at, what})
	}
	return what, err
}
