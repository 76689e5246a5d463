package daemon

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ldapsync/changelog"
	"ldapsync/config"
	"ldapsync/muc"
	"ldapsync/replica"
	"ldapsync/store"
)

// openStore opens the state file of a suffix, which must be this account's and
// this suffix's; a new one gets its identity.
func openStore(cfg *config.Config, suffix *config.Suffix) (*store.Store, error) {
	if err := os.MkdirAll(cfg.State.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	path := statePath(cfg, suffix)
	if err := finishSetAside(path); err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	s, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	err = s.Update(func(t *store.Tx) error {
		id, err := t.Identity()
		switch {
		case err != nil:
			return err
		case id.Install == "":
			id = store.Identity{Suffix: suffix.DN, JID: cfg.XMPP.JID, Install: newInstall(), SID: 0, Epoch: 1}
			return t.SetIdentity(id)
		case id.JID != cfg.XMPP.JID:
			return fmt.Errorf("state file %s belongs to %s, not to %s", path, id.JID, cfg.XMPP.JID)
		case id.Suffix != suffix.DN:
			return fmt.Errorf("state file %s belongs to suffix %s, not to %s", path, id.Suffix, suffix.DN)
		case suffix.SID != 0 && id.SID != 0 && id.SID != changelog.SID(suffix.SID) && id.Wanted != changelog.SID(suffix.SID):
			return fmt.Errorf("state file %s has sid %d, the configuration says %d; a server's sid cannot change", path, id.SID, suffix.SID)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// statePath names the state file of a suffix.
func statePath(cfg *config.Config, suffix *config.Suffix) string {
	return filepath.Join(cfg.State.Dir, muc.LocalPart(suffix.DN)+".db")
}

func newInstall() string {
	b := make([]byte, 16)
	// crypto/rand never fails.
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// setAside closes the state file of a suffix, which is of no more use, and puts a
// new one in its place; the old one is kept. It returns the name that has.
func setAside(s *store.Store) (kept string, err error) {
	path := s.Path()
	id, err := replica.Anew(s, time.Now())
	if err = errors.Join(err, s.Close()); err != nil {
		return "", err
	}
	kept = path + time.Now().UTC().Format(".20060102T150405Z.aside")
	id.Install, id.Return.Kept = newInstall(), kept
	fresh := path + newSuffix
	if err := makeStore(fresh, id); err != nil {
		return "", fmt.Errorf("make a new state file: %w", err)
	}
	if err := os.Rename(path, kept); err != nil {
		return "", fmt.Errorf("set the state file aside: %w", err)
	}
	return kept, finishSetAside(path)
}

// setAsideAll sets the state file of every suffix aside that has one, and says so
// on out. The daemon must not be running.
func setAsideAll(cfg *config.Config, out io.Writer) error {
	for i := range cfg.Suffixes {
		path := statePath(cfg, &cfg.Suffixes[i])
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(out, "%s: no state file; nothing is set aside\n", cfg.Suffixes[i].DN)
			continue
		}
		s, err := openStore(cfg, &cfg.Suffixes[i])
		if err != nil {
			return err
		}
		kept, err := setAside(s)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: the state file is kept as %s; this server begins anew with what its directory holds\n", cfg.Suffixes[i].DN, kept)
	}
	return nil
}

// newSuffix is how the name of a state file ends that is to take the place of one
// set aside.
const newSuffix = ".new"

// finishSetAside completes what setAside began before the process was ended.
func finishSetAside(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(path+newSuffix, path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// makeStore makes a state file that holds an identity and nothing else.
func makeStore(path string, id store.Identity) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s.Update(func(t *store.Tx) error { return t.SetIdentity(id) }), s.Close())
}
