package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/config"
)

func TestPassword(t *testing.T) {
	dir := folder(t, map[string]string{
		"plain": "secret", "newline": "se cret \r\n", "empty": "\n", "two": "a\nb\n", "long": strings.Repeat("x", 5000),
	})
	file := func(name string) config.Secret { return config.Secret{PasswordFile: filepath.Join(dir, name)} }
	command := func(c string) config.Secret { return config.Secret{PasswordCommand: c} }
	tests := []struct {
		name   string
		secret config.Secret
		want   string
		err    string
	}{
		{"none", config.Secret{}, "", ""},
		{"file", file("plain"), "secret", ""},
		{"newline", file("newline"), "se cret ", ""},
		{"empty", file("empty"), "", "gives no password"},
		{"two lines", file("two"), "", "gives more than one line"},
		{"long", file("long"), "", "gives more than 4096 bytes"},
		{"missing", file("missing"), "", "no such file"},
		{"directory", file("."), "", "is a directory"},
		{"command", command("echo secret"), "secret", ""},
		{"failing command", command("echo secret; exit 3"), "", "password command: exit status 3"},
		{"silent command", command("true"), "", "password command gives no password"},
		{"endless command", command("yes"), "", "password command:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.secret.Password(t.Context())
			if got != tt.want {
				t.Errorf("got %q", got)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestExposedPasswordFileIsRefused(t *testing.T) {
	dir := folder(t, map[string]string{"config.yml": small, "pw": "secret"})
	pw := filepath.Join(dir, "pw")
	for mode, open := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o700: false, 0o640: true, 0o604: true, 0o620: true} {
		if err := os.Chmod(pw, mode); err != nil {
			t.Fatal(err)
		}
		_, err := (config.Secret{PasswordFile: pw}).Password(t.Context())
		var exposed *config.ExposedError
		if errors.As(err, &exposed) != open {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(pw, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := load(dir)
	want := []string{"config.yml:2: xmpp.password_file: password file pw can be read by others (mode 0644) (chmod 0600 pw)"}
	if diff := cmp.Diff(want, problems(t, dir, err)); diff != "" {
		t.Error(diff)
	}
}

func TestSystemdCredentials(t *testing.T) {
	creds := folder(t, map[string]string{"xmpp-password": "one", "directory-password": "two", "other": "three"})
	if err := os.Chmod(filepath.Join(creds, "xmpp-password"), 0o440); err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string]string{"config.yml": `
xmpp: {jid: ldap1@example.org}
suffixes:
  - dn: dc=example,dc=org
    directory: {type: openldap, uri: "ldap://127.0.0.1", bind_dn: cn=sync}
  - dn: o=x
    directory: {type: openldap, uri: "ldap://[::1]:1389", bind_dn: cn=sync, password_file: $CREDENTIALS_DIRECTORY/other}
  - dn: o=y
    directory: {type: openldap, uri: "ldapi:///"}
`})
	cfg, err := load(dir, "CREDENTIALS_DIRECTORY="+creds)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []config.Secret{
		cfg.XMPP.Secret, cfg.Suffixes[0].Directory.Secret, cfg.Suffixes[1].Directory.Secret, cfg.Suffixes[2].Directory.Secret,
	}
	for i, want := range []string{"one", "two", "three", ""} {
		if got, err := secrets[i].Password(t.Context()); got != want || err != nil {
			t.Errorf("%d: %q, %v", i, got, err)
		}
	}
}
