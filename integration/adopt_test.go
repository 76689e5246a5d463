package integration_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// entryUUID is where a dump says how a directory calls an entry.
var entryUUID = regexp.MustCompile("(?m)^entryUUID: .*\n")

// alike waits until all servers are at rest and hold the same, by whatever
// entryUUIDs.
func (s *site) alike() {
	s.t.Helper()
	s.until(60*time.Second, func() string {
		if why := cluster.Rest(s.Servers...); why != "" {
			return why
		}
		var want string
		for i, server := range s.Servers {
			got, err := server.Slapd.Dump()
			s.must(err)
			got = entryUUID.ReplaceAllString(got, "")
			if i == 0 {
				want = got
			} else if got != want {
				return server.Name + " differs: " + cluster.FirstDifference(want, got)
			}
		}
		return ""
	})
}

func (s *site) search(server *cluster.Server, filter string, attrs ...string) string {
	s.t.Helper()
	out, err := server.Slapd.LDAPSearch(append([]string{filter}, attrs...)...)
	s.must(err)
	return out
}

func TestTwoFilledDirectoriesAreJoinedByName(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 50, 3)
	s.load(s.b, 50, 3)
	both, alsoBoth := openldap.SamplePerson(suffix, 1), openldap.SamplePerson(suffix, 2)
	s.apply(s.a, "dn: %s\nchangetype: modify\nreplace: mail\nmail: a@x\n-\n\ndn: cn=onlyA,%s\nchangetype: add\nobjectClass: device\n", both, suffix)
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: mail\nmail: b@x\n-\n\ndn: cn=onlyB,%s\nchangetype: add\nobjectClass: device\n", both, suffix)
	uuids := entryUUID.FindAllString(s.search(s.b, "(objectClass=*)", "entryUUID"), -1)
	s.start(s.a)
	s.admit(s.b, "master")
	s.tryBoth()
	s.start(s.b)
	s.alike()
	if out := s.search(s.b, "(|(cn=onlyA)(cn=onlyB)(mail=a@x))", "1.1"); strings.Count(out, "dn:") != 3 {
		t.Errorf("of a's value and the entries that one had, b holds\n%s", out)
	}
	if kept := readAll(s, s.b.StateDir(), ".replaced.ldif"); !strings.Contains(kept, "b@x") {
		t.Errorf("what joining replaced was not written down: %q", kept)
	}
	after := s.search(s.b, "(objectClass=*)", "entryUUID")
	for _, uuid := range uuids {
		if !strings.Contains(after, uuid) {
			t.Errorf("an entry of b went: %s", uuid)
		}
	}
	// and they live on as one
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: of b\n-\n", both)
	s.apply(s.a, "dn: %s\nchangetype: delete\n", alsoBoth)
	s.alike()
	s.must(s.b.StopDaemon())
	s.apply(s.a, "dn: %s\nchangetype: modify\nreplace: title\ntitle: of a\n-\n", both)
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: description\ndescription: of b\n-\n", both)
	s.start(s.b)
	s.alike()
	if out := s.search(s.b, "(&(title=of a)(description=of b))", "1.1"); strings.Count(out, "dn:") != 1 {
		t.Errorf("b holds\n%s", out)
	}
	if out := s.search(s.b, "(objectClass=*)", "1.1"); strings.Contains(out, alsoBoth) {
		t.Error("an adopted entry was not deleted")
	}
}

// tryBoth has b say what joining would do, and looks that nothing was done.
func (s *site) tryBoth() {
	s.t.Helper()
	before, err := s.b.Slapd.Dump()
	s.must(err)
	var said string
	s.until(20*time.Second, func() string {
		if said, err = s.b.Ldapsync("init", "--dry-run"); err != nil {
			return err.Error()
		}
		return ""
	})
	for _, want := range []string{
		"joins for the first time: of 61 entries here 0 are matched by entryUUID, 60 by name; 1 changes would be published, ",
		"dn: cn=onlyB," + suffix + "\nchangetype: add\n", "dn: cn=onlyA," + suffix + "\nchangetype: add\n", "mail: a@x",
	} {
		if !strings.Contains(said, want) {
			s.t.Errorf("the dry run lacks %q in\n%.3000s\n...\n%s", want, said, said[max(0, len(said)-600):])
		}
	}
	if strings.Contains(said, "mail: b@x") || strings.Contains(said, "delete\n\n") {
		s.t.Errorf("the dry run says\n%s", said)
	}
	after, err := s.b.Slapd.Dump()
	s.must(err)
	if files, err := filepath.Glob(filepath.Join(s.b.StateDir(), "*")); err != nil || len(files) > 0 || before != after {
		s.t.Errorf("the dry run wrote: files %v, directory changed %v, %v", files, before != after, err)
	}
	if st, err := s.a.Status(); err != nil || st.Counters.Received != 0 {
		s.t.Errorf("the dry run published %d changes, %v", st.Counters.Received, err)
	}
}
