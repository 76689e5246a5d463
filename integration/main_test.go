// Package integration_test runs whole sites: real Prosody, real slapds, and
// daemons as processes of their own, driven by OpenLDAP's client tools.
package integration_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

const suffix = "dc=example,dc=org"

// exe is the program under test.
var exe string

func TestMain(m *testing.M) {
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ldapsync-exe-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	exe = filepath.Join(dir, "ldapsync")
	args := []string{"build", "-o", exe}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "ldapsync/cmd/ldapsync")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// site is a cluster of a test.
type site struct {
	*cluster.Cluster
	t    *testing.T
	a, b *cluster.Server
}

// needServers skips the test where the servers are not installed.
func needServers(t *testing.T) {
	t.Helper()
	for _, program := range []string{"prosody", "ldapadd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	if !openldap.Installed() {
		t.Skip("slapd is not installed")
	}
}

// newSite starts Prosody and two slapds; no daemon runs yet.
func newSite(t *testing.T, edit ...func(*cluster.Options)) *site {
	t.Helper()
	needServers(t)
	opts := cluster.Options{Exe: exe, Suffix: suffix, Servers: 2, Slapd: openldap.Options{SessionLog: 10000}}
	for _, fn := range edit {
		fn(&opts)
	}
	c, err := cluster.Start(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Cluster: c, t: t, a: c.Servers[0], b: c.Servers[1]}
	t.Cleanup(func() {
		if t.Failed() {
			s.logs()
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// logs shows the end of what the daemons logged.
func (s *site) logs() {
	for _, server := range s.Servers {
		b, err := os.ReadFile(server.LogPath())
		if err == nil {
			s.t.Logf("%s:\n%s", server.Name, b[max(len(b)-6000, 0):])
		}
	}
}

// join starts every daemon and admits all but the first as masters.
func (s *site) join() {
	s.t.Helper()
	for i, server := range s.Servers {
		s.start(server)
		if i > 0 {
			s.admit(server, "master")
		}
	}
	s.equal()
}

func (s *site) start(server *cluster.Server) {
	s.t.Helper()
	if err := server.StartDaemon(); err != nil {
		s.t.Fatal(err)
	}
}

// admit waits until the first server, which owns the room, has let another in.
func (s *site) admit(server *cluster.Server, role string) {
	s.t.Helper()
	s.until(10*time.Second, func() string {
		if _, err := s.a.Ldapsync("admit", server.JID, "--role", role); err != nil {
			return err.Error()
		}
		return ""
	})
}

// equal waits until all servers hold the same and are at rest.
func (s *site) equal() {
	s.t.Helper()
	s.until(60*time.Second, func() string { return cluster.Difference(s.Servers...) })
}

func (s *site) until(limit time.Duration, check func() string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := cluster.Poll(ctx, check); err != nil {
		s.t.Fatal(err)
	}
}

// apply runs change records through ldapmodify.
func (s *site) apply(server *cluster.Server, ldif string, args ...any) {
	s.t.Helper()
	if _, err := server.Slapd.LDAPModify(fmt.Sprintf(ldif, args...)); err != nil {
		s.t.Fatalf("%s: %v", server.Name, err)
	}
}

func (s *site) load(server *cluster.Server, people, groups int) {
	s.t.Helper()
	if _, err := server.Slapd.LDAPAdd(openldap.SampleLDIF(suffix, people, groups)); err != nil {
		s.t.Fatal(err)
	}
}

// must fails the test on an error.
func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
