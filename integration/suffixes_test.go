package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldapsync/testenv/openldap"
)

func TestSeveralSuffixesInOneDaemon(t *testing.T) {
	const second = "dc=second,dc=net"
	s := newSite(t)
	var others []*openldap.Server
	for i, server := range s.Servers {
		other, err := openldap.Start(t.TempDir(), openldap.Options{Suffix: second, SID: i + 1})
		s.must(err)
		t.Cleanup(func() { _ = other.Close() })
		others = append(others, other)
		s.must(server.Configure(func(text string) string {
			return strings.Replace(text, "state:", fmt.Sprintf("  - dn: %s\n    directory: {type: openldap, uri: %s, bind: simple, bind_dn: %s, password_file: ldap-password}\nstate:",
				second, other.URI, openldap.SyncDN), 1)
		}))
	}
	s.load(s.a, 10, 1)
	_, err := others[0].LDAPAdd(openldap.SampleLDIF(second, 15, 2))
	s.must(err)
	for _, server := range s.Servers {
		s.start(server)
	}
	for _, dn := range []string{suffix, second} {
		s.until(10*time.Second, func() string {
			if _, err := s.a.Ldapsync("admit", s.b.JID, "--role", "master", "--suffix", dn); err != nil {
				return err.Error()
			}
			return ""
		})
	}
	s.until(30*time.Second, func() string { return sameDump(s.a.Slapd, s.b.Slapd) + sameDump(others[0], others[1]) })
	s.apply(s.b, "dn: cn=one,%s\nchangetype: add\nobjectClass: device\n", suffix)
	_, err = others[1].LDAPModify(fmt.Sprintf("dn: cn=two,%s\nchangetype: add\nobjectClass: device\n", second))
	s.must(err)
	s.until(30*time.Second, func() string { return sameDump(s.a.Slapd, s.b.Slapd) + sameDump(others[0], others[1]) })
}

func sameDump(a, b *openldap.Server) string {
	want, err := a.Dump()
	if err != nil {
		return err.Error()
	}
	if got, err := b.Dump(); err != nil || got != want {
		return fmt.Sprintf("%s differs, %v. ", a.Suffix, err)
	}
	return ""
}
