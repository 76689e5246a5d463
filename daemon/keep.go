package daemon

import (
	"bufio"
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

// unseenHead begins a file of change records; to LDIF it is a comment. Clients may
// set what a directory sets by itself with the relax control only.
const unseenHead = "# Changes that the room has not. On one of its masters: ldapmodify -e relax -f FILE\n\n"

// unseenIn returns what makes a new file of change records.
func unseenIn(path string) func(write func(out func(*ldif.Record) error) error) (string, error) {
	return func(write func(out func(*ldif.Record) error) error) (string, error) {
		f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return path, err
		}
		b := bufio.NewWriter(f)
		_, err = b.WriteString(unseenHead)
		err = errors.Join(err, write(ldif.NewWriter(b).Write), b.Flush(), f.Sync(), f.Close())
		if err != nil {
			return path, err
		}
		return path, os.Rename(path+".new", path)
	}
}
