package openldap_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/testenv/openldap"
)

func start(t *testing.T, opts openldap.Options) *openldap.Server {
	t.Helper()
	if !openldap.Installed() {
		t.Skip("slapd and ldap-utils are not installed")
	}
	opts.NoSync = true
	s, err := openldap.Start(t.TempDir(), opts)
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

func must(t *testing.T) func(string, error) string {
	return func(out string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func TestSampleLoadsEverywhere(t *testing.T) {
	for name, opts := range map[string]openldap.Options{
		"cn=config": {SID: 3, SessionLog: 100, TLS: true, NoAnonymous: true},
		"static":    {StaticConfig: true, Suffix: "dc=site,dc=example,dc=org"},
		"bare":      {Bare: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, ok := start(t, opts), must(t)
			ldif := openldap.SampleLDIF(s.Suffix, 60, 6)
			ok(s.LDAPAdd(ldif))
			dump := ok(s.Dump())
			if n, want := strings.Count("\n"+dump, "\ndn:"), openldap.SampleEntries(60, 6); n != want {
				t.Errorf("dump has %d entries, want %d", n, want)
			}
			if again := openldap.SampleLDIF(s.Suffix, 60, 6); again != ldif {
				t.Error("the sample is not the same twice")
			}
			for _, end := range []func() error{s.Stop, s.Kill} {
				if err := errors.Join(end(), s.Restart()); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(dump, ok(s.Dump())); d != "" {
					t.Errorf("after a restart:\n%s", d)
				}
			}
		})
	}
}

func TestIdentities(t *testing.T) {
	s, ok := start(t, openldap.Options{TLS: true}), must(t)
	ok(s.LDAPAdd(openldap.SampleLDIF(s.Suffix, 1, 0)))
	user := openldap.SamplePerson(s.Suffix, 0)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"dn:" + openldap.SyncDN, []string{"-x", "-D", openldap.SyncDN, "-w", s.SyncPassword}},
		{"dn:" + openldap.ConfigDN, []string{"-x", "-D", openldap.ConfigDN, "-w", s.ConfigPassword}},
		{"dn:" + user, []string{"-x", "-D", user, "-w", "u00000"}},
		{"dn:" + openldap.PeerDN(), []string{"-Q", "-Y", "EXTERNAL", "-H", s.LDAPI}},
	} {
		if got := strings.TrimSpace(ok(s.Run("", "ldapwhoami", c.args...))); !strings.EqualFold(got, c.want) {
			t.Errorf("whoami: %s, want %s", got, c.want)
		}
	}
	ok(s.Run("", "ldapwhoami", "-x", "-ZZ"))
	ok(s.Run("", "ldapwhoami", "-x", "-H", s.LDAPSURI))
	_, err := s.LDAPAdd("dn: cn=x," + s.Suffix + "\nobjectClass: person\ncn: x\n")
	var tool *openldap.ToolError
	if !errors.As(err, &tool) || tool.Code != 65 {
		t.Errorf("entry without sn: %v, want exit code 65", err)
	}
}

func TestNativeReplication(t *testing.T) {
	a, b, ok := start(t, openldap.Options{SID: 1}), start(t, openldap.Options{SID: 2}), must(t)
	if err := errors.Join(a.SyncFrom(b), b.SyncFrom(a)); err != nil {
		t.Fatal(err)
	}
	ok(a.LDAPAdd(openldap.SampleLDIF(a.Suffix, 20, 2)))
	want := ok(a.Dump())
	for {
		got, err := b.Dump()
		if err == nil && got == want {
			break
		}
		select {
		case <-t.Context().Done():
			t.Fatal("b never equals a")
		default:
		}
	}
}

func TestStartFails(t *testing.T) {
	if !openldap.Installed() {
		t.Skip("slapd and ldap-utils are not installed")
	}
	_, err := openldap.Start(t.TempDir(), openldap.Options{Database: []string{"no-such-directive"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-directive") {
		t.Errorf("a wrong configuration: %v", err)
	}
}
