package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldapsync/control"
	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// stateFile returns the one state file of a server.
func (s *site) stateFile(server *cluster.Server) string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(server.StateDir(), "*.db"))
	s.must(err)
	if len(files) != 1 {
		s.t.Fatalf("state files %v", files)
	}
	return files[0]
}

// stampsOf returns when slapd last wrote to each entry.
func (s *site) stampsOf(server *cluster.Server) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, entry := range strings.Split(s.search(server, "(objectClass=*)", "entryCSN"), "\n\n") {
		if name, csn, ok := strings.Cut(entry, "\nentryCSN: "); ok {
			out[name] = csn
		}
	}
	return out
}

// written counts the entries that were written to since.
func (s *site) written(server *cluster.Server, before map[string]string) (n int) {
	s.t.Helper()
	for name, csn := range s.stampsOf(server) {
		if before[name] != csn {
			n++
		}
	}
	return n
}

// E16 of the system's scenarios.
func TestLostStateFileIsRebuilt(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 1000, 10)
	s.join()
	one := openldap.SamplePerson(suffix, 500)
	s.must(s.b.StopDaemon())
	s.must(os.Remove(s.stateFile(s.b)))
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: b\n-\n", one)
	s.apply(s.a, "dn: %s\nchangetype: modify\nreplace: mail\nmail: a@x\n-\n", one)
	before := s.stampsOf(s.b)
	s.start(s.b)
	s.equal()
	if out := s.search(s.a, "(&(title=b)(mail=a@x))", "1.1"); strings.Count(out, "dn:") != 1 {
		t.Errorf("of the two changes a holds\n%s", out)
	}
	st, err := s.b.Status()
	s.must(err)
	writes := s.written(s.b, before)
	t.Logf("%d entries, %d written, %d captured, sid %d", len(before), writes, st.Counters.Captured, st.SID)
	if writes > 1 || st.Counters.Captured != 1 || st.SID == 2 {
		t.Errorf("%d entries written, %d changes made as sid %d", writes, st.Counters.Captured, st.SID)
	}
	if kept := readAll(s, s.b.StateDir(), ".replaced.ldif"); kept != "" {
		t.Errorf("entries were written down: %q", kept)
	}
}

func TestRestoredStateFileIsSetAside(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 50, 3)
	s.join()
	person := func(i int) string { return openldap.SamplePerson(suffix, i) }
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: one\n-\n", person(1))
	s.equal()
	s.must(s.b.StopDaemon())
	file := s.stateFile(s.b)
	backup, err := os.ReadFile(file)
	s.must(err)
	s.start(s.b)
	// What the copy finds in the directory is less than what was done to it.
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: between\n-\n", person(1))
	s.equal()
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: two\n-\n", person(1))
	s.apply(s.b, "dn: %s\nchangetype: delete\n\ndn: cn=new,%s\nchangetype: add\nobjectClass: device\n", person(2), suffix)
	s.apply(s.a, "dn: %s\nchangetype: modify\nreplace: title\ntitle: of a\n-\n", person(3))
	s.equal()
	s.must(s.b.StopDaemon())
	s.must(os.WriteFile(file, backup, 0o600))
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: unseen\n-\n", person(4))
	s.start(s.b)
	s.until(2*time.Minute, func() string {
		if aside, err := filepath.Glob(file + ".*.aside"); err != nil || len(aside) == 0 {
			return fmt.Sprintf("nothing was set aside, %v", err)
		}
		if now, err := s.b.Status(); err != nil || now.SID == 2 || now.State != control.Green {
			return fmt.Sprintf("%s (%s) as sid %d, %v", now.State, now.Reason, now.SID, err)
		}
		return ""
	})
	s.equal()
	var st control.SuffixStatus
	if st, err = s.b.Status(); err != nil || st.State != control.Green || st.SID == 2 {
		t.Errorf("%s (%s) as sid %d, %v", st.State, st.Reason, st.SID, err)
	}
	out := s.search(s.a, "(|(title=two)(cn=new)(title=of a)(title=unseen))", "1.1")
	if strings.Count(out, "dn:") != 4 {
		t.Errorf("a holds\n%s", out)
	}
	if out := s.search(s.a, "(objectClass=*)", "1.1"); strings.Contains(out, person(2)) {
		t.Error("an entry that was deleted came back")
	}
	if st.Counters.Captured > 1 {
		t.Errorf("%d changes were made, want no more than that of the client", st.Counters.Captured)
	}
	aside, err := filepath.Glob(file + ".*.aside")
	s.must(err)
	if len(aside) != 1 {
		t.Errorf("kept: %v", aside)
	}
	// and by hand
	s.must(s.b.StopDaemon())
	said, err := s.b.Ldapsync("init", "--again")
	s.must(err)
	if !strings.Contains(said, "is kept as "+file) {
		t.Errorf("said %s", said)
	}
	s.start(s.b)
	s.until(30*time.Second, func() string {
		now, err := s.b.Status()
		if err != nil || now.SID == st.SID || now.State != control.Green {
			return fmt.Sprintf("%s as sid %d, %v", now.State, now.SID, err)
		}
		return ""
	})
	s.equal()
}

// TestRestoredWhileThoseWhoKnowAreAway promises that an old state file is found out
// though the only server that has what was made since is down.
func TestRestoredWhileThoseWhoKnowAreAway(t *testing.T) {
	s := newSite(t, func(o *cluster.Options) { o.Servers = 3 })
	other := s.Servers[2]
	s.load(s.a, 20, 2)
	s.join()
	person := func(i int) string { return openldap.SamplePerson(suffix, i) }
	title := func(server *cluster.Server, i int, title string) {
		s.apply(server, "dn: %s\nchangetype: modify\nreplace: title\ntitle: %s\n-\n", person(i), title)
	}
	title(s.b, 1, "one")
	s.equal()
	s.must(s.b.StopDaemon())
	file := s.stateFile(s.b)
	backup, err := os.ReadFile(file)
	s.must(err)
	s.must(other.StopDaemon())
	s.start(s.b)
	title(s.b, 2, "between") // the copy finds less in the directory than was done to it
	s.equalAmong(s.a, s.b)
	title(s.b, 2, "known to a")
	s.equalAmong(s.a, s.b)
	s.must(s.a.StopDaemon())
	s.must(s.b.StopDaemon())
	s.must(os.WriteFile(file, backup, 0o600))
	title(s.b, 3, "unseen")
	s.start(other)
	s.start(s.b)
	s.until(time.Minute, func() string {
		if now, err := s.b.Status(); err != nil || now.SID == 2 || now.State != control.Green {
			return fmt.Sprintf("%s (%s) as sid %d, %v", now.State, now.Reason, now.SID, err)
		}
		return ""
	})
	if aside, err := filepath.Glob(file + ".*.aside"); err != nil || len(aside) != 1 {
		t.Errorf("kept: %v, %v", aside, err)
	}
	s.equalAmong(s.b, other)
	s.start(s.a)
	s.equal()
	if out := s.search(s.a, "(|(title=one)(title=known to a)(title=unseen))", "1.1"); strings.Count(out, "dn:") != 3 {
		t.Errorf("a holds\n%s", out)
	}
}
