package daemon

import (
	"errors"
	"os"

	"ldapsync/ldif"
)

// keepIn returns what appends entries to an LDIF file; they are on disk when it
// returns nil.
func keepIn(path string) func(*ldif.Record) error {
	return func(rec *ldif.Record) error {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(ldif.NewWriter(f).Write(rec), f.Sync(), f.Close())
	}
}
