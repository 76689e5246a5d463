package openldap_test

import (
	"context"
	"errors"
	"testing"

	"ldapsync/directory/directorytest"
	"ldapsync/directory/openldap"
	testenv "ldapsync/testenv/openldap"
)

// start runs a slapd for the test.
func start(t testing.TB, opts testenv.Options) *testenv.Server {
	t.Helper()
	if !testenv.Installed() {
		t.Skip("slapd and ldap-utils are not installed")
	}
	s, err := testenv.Start(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connect returns the directory of srv, after change of the configuration.
func connect(t testing.TB, srv *testenv.Server, change func(*openldap.Config)) *openldap.Server {
	t.Helper()
	c := openldap.Config{URI: srv.URI, BindDN: testenv.SyncDN, Password: password(srv.SyncPassword), Suffix: srv.Suffix}
	if change != nil {
		change(&c)
	}
	d, err := openldap.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func password(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

func restart(t *testing.T, srv *testenv.Server, end func() error) {
	t.Helper()
	if err := errors.Join(end(), srv.Restart()); err != nil {
		t.Fatal(err)
	}
}

func TestSuite(t *testing.T) {
	for name, c := range map[string]struct {
		opts testenv.Options
		kill bool
	}{
		"present phase":       {testenv.Options{SID: 1, NoSync: true}, false},
		"session log":         {testenv.Options{SID: 2, NoSync: true, SessionLog: 1000}, false},
		"short session log":   {testenv.Options{SID: 2, NoSync: true, SessionLog: 2}, false},
		"no sid, static conf": {testenv.Options{StaticConfig: true, Suffix: "dc=site,dc=example,dc=org", NoAnonymous: true}, false},
		"killed":              {testenv.Options{SID: 1, SessionLog: 10}, true},
	} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, func(t *testing.T) directorytest.Subject {
				srv := start(t, c.opts)
				end := srv.Stop
				if c.kill {
					end = srv.Kill
				}
				return directorytest.Subject{
					Directory: connect(t, srv, nil), Suffix: srv.Suffix,
					Restart: func() { restart(t, srv, end) },
				}
			})
		})
	}
}
