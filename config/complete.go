package config

import (
	"os"
	"path/filepath"
	"strings"
)

const credentialsVariable = "CREDENTIALS_DIRECTORY"

// Names of the systemd credentials that are taken where no password is
// configured.
const (
	XMPPCredential      = "xmpp-password"
	DirectoryCredential = "directory-password"
)

// complete fills in what follows from other settings and makes paths absolute.
func (l *loader) complete(cfg *Config) {
	l.completeSecret(&cfg.XMPP.Secret, XMPPCredential)
	l.resolve(&cfg.XMPP.TLS.CAFile)
	for i := range cfg.Suffixes {
		dir := &cfg.Suffixes[i].Directory
		if dir.Bind == "" {
			dir.Bind = BindExternal
			if dir.BindDN != "" {
				dir.Bind = BindSimple
			}
		}
		if dir.Bind == BindSimple || dir.set() {
			l.completeSecret(&dir.Secret, DirectoryCredential)
		}
		l.resolve(&dir.TLS.CAFile)
	}
	l.resolve(&cfg.State.Dir)
	l.resolve(&cfg.Control.Socket)
	l.resolve(&cfg.Log.File)
}

func (l *loader) resolve(path *string) {
	if *path == "" || filepath.IsAbs(*path) {
		return
	}
	*path = filepath.Join(filepath.Dir(l.path), *path)
	if abs, err := filepath.Abs(*path); err == nil {
		*path = abs
	}
}

// completeSecret takes the credential where s names nothing, and follows a
// path that starts with $CREDENTIALS_DIRECTORY.
func (l *loader) completeSecret(s *Secret, credential string) {
	dir := l.env[credentialsVariable]
	if dir == "" {
		l.resolve(&s.PasswordFile)
		return
	}
	if rest, found := strings.CutPrefix(s.PasswordFile, "$"+credentialsVariable+"/"); found {
		s.PasswordFile = filepath.Join(dir, rest)
	} else if !s.set() {
		if _, err := os.Stat(filepath.Join(dir, credential)); err == nil {
			s.PasswordFile = filepath.Join(dir, credential)
		}
	}
	l.resolve(&s.PasswordFile)
	s.guarded = strings.HasPrefix(filepath.Clean(s.PasswordFile), filepath.Clean(dir)+"/")
}
