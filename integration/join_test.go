package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ldapsync/control"
	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// reason waits until a server's status gives a reason with these words.
func (s *site) reason(server *cluster.Server, words ...string) control.SuffixStatus {
	s.t.Helper()
	var st control.SuffixStatus
	s.until(30*time.Second, func() string {
		var err error
		if st, err = server.Status(); err != nil {
			return err.Error()
		}
		for _, w := range words {
			if !strings.Contains(st.Reason, w) {
				return fmt.Sprintf("state %s, reason %q lacks %q", st.State, st.Reason, w)
			}
		}
		return ""
	})
	return st
}

func TestServerWaitsUntilItIsAdmitted(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 5, 1)
	s.start(s.a)
	s.until(10*time.Second, func() string {
		if st, err := s.a.Status(); err != nil || st.State != control.Green {
			return fmt.Sprintf("%+v %v", st, err)
		}
		return ""
	})
	s.start(s.b)
	st := s.reason(s.b, "ldapsync admit "+s.b.JID+" --role master")
	if st.State != control.Red || st.Entries != 0 {
		t.Errorf("state %s with %d entries", st.State, st.Entries)
	}
	s.admit(s.b, "master")
	s.equal()
}

func TestInitSaysWhatComesNext(t *testing.T) {
	s := newSite(t)
	out, err := s.a.Ldapsync("init")
	s.must(err)
	for _, want := range []string{"nothing is missing", "controller, sid 1", "ldapsync run"} {
		if !strings.Contains(out, want) {
			t.Errorf("missing %q in:\n%s", want, out)
		}
	}
	s.load(s.a, 5, 1)
	s.start(s.a)
	s.must(s.b.Configure(func(text string) string { return strings.Replace(text, "    sid: 2\n", "", 1) }))
	out, err = s.b.Ldapsync("init")
	s.must(err)
	if !strings.Contains(out, "ldapsync admit "+s.b.JID) {
		t.Errorf("the owner's command is missing in:\n%s", out)
	}
	s.admit(s.b, "master")
	s.start(s.b)
	s.equal()
	if st, err := s.b.Status(); err != nil || st.SID != 2 {
		t.Errorf("took sid %d, %v", st.SID, err)
	}
}

func TestSecondInstallWithTheSameSIDIsRefused(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 5, 1)
	s.start(s.a)
	s.must(s.b.Configure(func(text string) string { return strings.Replace(text, "sid: 2", "sid: 1", 1) }))
	s.start(s.b)
	s.admit(s.b, "master")
	st := s.reason(s.b, "sid 1", "another sid")
	if st.State != control.Red {
		t.Errorf("state %s", st.State)
	}
	if out, err := s.b.Slapd.LDAPSearch("(objectClass=*)", "1.1"); err == nil && strings.Contains(out, "dn:") {
		t.Errorf("the refused server was filled:\n%s", out)
	}
	s.until(10*time.Second, func() string {
		if st, err := s.a.Status(); err != nil || st.State != control.Green {
			return fmt.Sprintf("the first server suffers: %s %s %v", st.State, st.Reason, err)
		}
		return ""
	})
}

func TestReadOnlyServer(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 10, 1)
	s.start(s.a)
	s.start(s.b)
	s.admit(s.b, "read-only")
	s.equal()
	person := openldap.SamplePerson(suffix, 2)
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: mine\n-\n\ndn: cn=mine,%s\nchangetype: add\nobjectClass: device\n", person, suffix)
	s.until(20*time.Second, func() string {
		if st, err := s.b.Status(); err != nil || st.Denied != 2 {
			return fmt.Sprintf("denied %d, %v", st.Denied, err)
		}
		return ""
	})
	s.equal()
	if out, err := s.a.Slapd.LDAPSearch("(|(title=mine)(cn=mine))", "1.1"); err != nil || strings.Contains(out, "dn:") {
		t.Errorf("a change of a read-only server was merged: %v\n%s", err, out)
	}
	s.admit(s.b, "master")
	s.until(20*time.Second, func() string {
		if st, err := s.b.Status(); err != nil || st.Role != "master" {
			return fmt.Sprintf("role %s, %v", st.Role, err)
		}
		return ""
	})
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: as a master\n-\n", person)
	s.equal()
	if out, err := s.a.Slapd.LDAPSearch("(title=as a master)", "1.1"); err != nil || !strings.Contains(out, "dn:") {
		t.Errorf("the change of a promoted server did not arrive: %v", err)
	}
}

// slapdTool runs slapcat or slapadd on a stopped server.
func slapdTool(server *cluster.Server, stdin, tool string, args ...string) (string, error) {
	cmd := exec.Command("/usr/sbin/"+tool, append(args, "-F", server.Slapd.Dir+"/slapd.d", "-b", suffix)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestJoinWithACopy(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 50, 5)
	s.start(s.a)
	s.must(s.a.Slapd.Stop())
	ldif, err := slapdTool(s.a, "", "slapcat")
	s.must(err)
	s.must(s.a.Slapd.Restart())
	s.must(s.b.Slapd.Stop())
	if out, err := slapdTool(s.b, ldif, "slapadd"); err != nil {
		t.Fatalf("slapadd: %v %s", err, out)
	}
	s.must(s.b.Slapd.Restart())
	// the copy grows old: a value changes in the room, and one here
	s.apply(s.a, "dn: %s\nchangetype: modify\nreplace: title\ntitle: newer\n-\n", openldap.SamplePerson(suffix, 1))
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: only here\n-\n", openldap.SamplePerson(suffix, 2))
	s.apply(s.b, "dn: cn=extra,%s\nchangetype: add\nobjectClass: device\n", suffix)
	s.start(s.b)
	s.admit(s.b, "master")
	s.equal()
	st, err := s.b.Status()
	s.must(err)
	if st.Counters.Applied > 2 {
		t.Errorf("%d entries were written to a copy that differed in two", st.Counters.Applied)
	}
	out, err := s.a.Slapd.LDAPSearch("(|(cn=extra)(title=newer))", "1.1")
	s.must(err)
	if strings.Count(out, "dn:") != 2 {
		t.Errorf("got\n%s", out)
	}
	kept := readAll(s, s.b.StateDir(), ".replaced.ldif")
	if !strings.Contains(kept, "only here") {
		t.Errorf("what joining replaced was not kept: %q", kept)
	}
}

func readAll(s *site, dir, ending string) (all string) {
	s.t.Helper()
	files, err := os.ReadDir(dir)
	s.must(err)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ending) {
			b, err := os.ReadFile(dir + "/" + f.Name())
			s.must(err)
			all += string(b)
		}
	}
	return all
}
