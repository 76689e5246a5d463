package integration_test

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"ldapsync/control"
	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
	"ldapsync/testenv/prosody"
)

const gadget = `dn: cn=gadget,cn=schema,cn=config
objectClass: olcSchemaConfig
cn: gadget
olcAttributeTypes: ( 1.3.6.1.4.1.99999.1 NAME 'gadgetColour' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
olcObjectClasses: ( 1.3.6.1.4.1.99999.2 NAME 'gadget' SUP top AUXILIARY MAY gadgetColour )
`

func addSchema(s *site, server *cluster.Server) {
	s.t.Helper()
	if _, err := server.Slapd.Run(gadget, "ldapadd", "-x", "-D", openldap.ConfigDN, "-w", server.Slapd.ConfigPassword); err != nil {
		s.t.Fatal(err)
	}
}

func TestDowntimeIsCaughtUp(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 20, 2)
	s.join()
	people := "ou=people," + suffix
	t.Run("daemon", func(t *testing.T) {
		s.must(s.b.StopDaemon())
		for i := range 100 {
			s.apply(s.b, "dn: cn=b%d,%s\nchangetype: add\nobjectClass: device\n", i, people)
			s.apply(s.a, "dn: cn=a%d,%s\nchangetype: add\nobjectClass: device\n", i, people)
		}
		s.apply(s.b, "dn: cn=b0,%s\nchangetype: delete\n\ndn: cn=b1,%s\nchangetype: modrdn\nnewrdn: cn=bb\ndeleteoldrdn: 1\n", people, people)
		s.apply(s.b, "dn: %s\nchangetype: delete\n", openldap.SamplePerson(suffix, 3))
		s.start(s.b)
		s.equal()
	})
	t.Run("daemon and slapd", func(t *testing.T) {
		s.must(s.b.StopDaemon())
		s.apply(s.b, "dn: cn=b2,%s\nchangetype: delete\n\ndn: cn=b3,%s\nchangetype: modify\nadd: description\ndescription: x\n-\n", people, people)
		s.must(s.b.Slapd.Stop())
		s.apply(s.a, "dn: cn=a2,%s\nchangetype: delete\n", people)
		s.must(s.b.Slapd.Restart())
		s.start(s.b)
		s.equal()
	})
	t.Run("slapd", func(t *testing.T) {
		s.must(s.b.Slapd.Stop())
		for i := 10; i < 60; i++ {
			s.apply(s.a, "dn: cn=a%d,%s\nchangetype: modify\nadd: description\ndescription: meanwhile\n-\n", i, people)
		}
		if st := s.reason(s.b, "directory"); st.State != control.Red {
			t.Errorf("state %s", st.State)
		}
		s.must(s.b.Slapd.Restart())
		s.equal()
	})
	t.Run("slapd at the start of the daemon", func(t *testing.T) {
		s.must(s.b.StopDaemon())
		s.must(s.b.Slapd.Stop())
		s.start(s.b)
		s.apply(s.a, "dn: cn=a5,%s\nchangetype: delete\n", people)
		s.must(s.b.Slapd.Restart())
		s.equal()
	})
}

// TestMisconfigurationIsOneClearLine runs the daemon with one thing wrong at a
// time: it must end with code 1 or 2 and a line that says what.
func TestMisconfigurationIsOneClearLine(t *testing.T) {
	s := newSite(t)
	replace := func(old, new string) func(string) string {
		return func(text string) string {
			if !strings.Contains(text, old) {
				t.Fatalf("no %q in %s", old, text)
			}
			return strings.Replace(text, old, new, 1)
		}
	}
	wrong := func(name string) func() {
		return func() {
			s.must(os.WriteFile(filepath.Join(filepath.Dir(s.a.ConfigPath()), name), []byte("wrong\n"), 0o600))
		}
	}
	bare, err := openldap.Start(t.TempDir(), openldap.Options{Suffix: suffix, Bare: true})
	s.must(err)
	defer bare.Close()
	noMUC := prosody.StartTest(t, prosody.Options{Domain: cluster.Domain, Users: map[string]string{"ldap1": "secret-ldap1"}, NoMUC: true})
	other := prosody.StartTest(t, prosody.Options{})
	for _, c := range []struct {
		name    string
		edit    func(string) string
		prepare func()
		want    string
	}{
		{"wrong XMPP password", nil, wrong("xmpp-password"), "password"},
		{"wrong CA", replace(s.Prosody.CAFile, other.CAFile), nil, "certificate"},
		{"no MUC service", func(text string) string {
			return replace(s.Prosody.CAFile, noMUC.CAFile)(replace("server: "+s.a.Link.Addr(), "server: "+noMUC.Addr)(text))
		}, nil, "room service"},
		{"suffix not in slapd", replace("dn: "+suffix, "dn: dc=example,dc=net"), nil, "dc=example,dc=net"},
		{"wrong LDAP password", nil, wrong("ldap-password"), "wrong name or password"},
		{"missing rights and syncprov", func(text string) string {
			text = replace(s.a.Slapd.URI, bare.URI)(text)
			s.must(os.WriteFile(filepath.Join(filepath.Dir(s.a.ConfigPath()), "ldap-password"), []byte(bare.AdminPassword), 0o600))
			return replace(openldap.SyncDN, bare.AdminDN)(text)
		}, nil, "syncprov"},
		{"unknown key", replace("sid: 1", "sidd: 1"), nil, "sidd"},
		{"newer state file", nil, func() { newerState(s) }, "newer version"},
		{"no state directory", replace("{dir: state}", "{dir: config.yml}"), nil, "config.yml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.must(s.a.Configure(c.edit))
			if c.prepare != nil {
				c.prepare()
			}
			out, code := runBriefly(s, s.a)
			if code != 1 && code != 2 {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(out, c.want) {
				t.Errorf("%q is not in the last line: %s", c.want, out)
			}
		})
	}
}

// runBriefly runs the daemon, which is expected to end by itself, and returns
// the lines of its message and its exit code.
func runBriefly(s *site, server *cluster.Server) (string, int) {
	s.t.Helper()
	cmd := server.Command("run")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	s.must(cmd.Start())
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		s.t.Fatalf("daemon: %v\n%s", err, stderr.String())
	}
	var message []string
	for _, line := range strings.Split(stderr.String(), "\n") {
		if strings.HasPrefix(line, "ldapsync: ") {
			message = append(message, line)
		}
	}
	if len(message) == 0 {
		s.t.Fatalf("no message, exit code %d:\n%s", exit.ExitCode(), stderr.String())
	}
	return strings.Join(message, "\n"), exit.ExitCode()
}

// newerState makes the state file one of a later version.
func newerState(s *site) {
	s.t.Helper()
	s.must(s.a.StartDaemon())
	s.must(s.a.StopDaemon())
	files, err := filepath.Glob(filepath.Join(s.a.StateDir(), "*.db"))
	if err != nil || len(files) != 1 {
		s.t.Fatalf("state files %v, %v", files, err)
	}
	db, err := bolt.Open(files[0], 0o600, nil)
	s.must(err)
	defer db.Close()
	s.must(db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("version"), binary.BigEndian.AppendUint64(nil, 99))
	}))
}
