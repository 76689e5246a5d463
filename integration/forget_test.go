package integration_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"ldapsync/control"
	"ldapsync/store"
	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// trim removes all changes from the log of a server whose daemon is down, as if
// they had been stable for long.
func (s *site) trim(server *cluster.Server) {
	s.t.Helper()
	st, err := store.Open(s.stateFile(server))
	s.must(err)
	defer st.Close()
	s.must(st.Update(func(t *store.Tx) error {
		v, err := t.Log.Vector()
		for sid, m := range v {
			if _, e := t.Log.Trim(sid, m.Seq, 1<<20); e != nil {
				return e
			}
		}
		return err
	}))
}

// TestForgottenServerAndSnapshot removes a server, lets another join a room whose
// logs no longer reach back, and lets the removed one come back.
func TestForgottenServerAndSnapshot(t *testing.T) {
	s := newSite(t, func(o *cluster.Options) { o.Servers = 4 })
	a, b, gone, late := s.a, s.b, s.Servers[2], s.Servers[3]
	s.load(a, 300, 3)
	noise := make([]byte, 300_000)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	ann := openldap.SamplePerson(suffix, 7)
	s.apply(a, "dn: %s\nchangetype: modify\nadd: jpegPhoto\njpegPhoto:: %s\n-\n", ann, base64.StdEncoding.EncodeToString(noise))
	s.start(a)
	for _, server := range []*cluster.Server{b, gone} {
		s.start(server)
		s.admit(server, "master")
	}
	s.equalAmong(a, b, gone)
	if out, err := a.Ldapsync("forget-peer", gone.JID); err == nil || !strings.Contains(out, "is in the room") || !strings.Contains(out, "--force") {
		t.Errorf("removed one that is online: %v\n%s", err, out)
	}

	s.must(gone.StopDaemon())
	s.apply(gone, "dn: %s\nchangetype: modify\nreplace: title\ntitle: unseen\n-\n\ndn: cn=unseen,%s\nchangetype: add\nobjectClass: device\n", ann, suffix)
	s.until(20*time.Second, func() string {
		if out, err := a.Ldapsync("forget-peer", fmt.Sprint(gone.SID), "--name", gone.JID); err != nil {
			return out
		}
		return ""
	})
	s.apply(a, "dn: cn=news,%s\nchangetype: add\nobjectClass: device\n\ndn: %s\nchangetype: delete\n", suffix, openldap.SamplePerson(suffix, 9))
	s.equalAmong(a, b)
	s.removed(b, gone)

	for _, server := range []*cluster.Server{a, b} {
		s.must(server.StopDaemon())
		s.trim(server)
		s.start(server)
	}
	s.start(late)
	s.admit(late, "master")
	s.equalAmong(a, b, late)
	if log, err := os.ReadFile(late.LogPath()); err != nil || !strings.Contains(string(log), "took over the state of another server") {
		t.Errorf("joined without a snapshot: %v", err)
	}
	s.apply(late, "dn: %s\nchangetype: modify\nreplace: title\ntitle: by the newcomer\n-\n", ann)
	s.equalAmong(a, b, late)
	s.removed(late, gone)

	s.start(gone)
	file := s.stateFile(gone) + ".unseen.ldif"
	st := s.reason(gone, "removed at 20", "re-join needed", file)
	if st.State != control.Red {
		t.Errorf("state %s", st.State)
	}
	text, err := os.ReadFile(file)
	s.must(err)
	for _, want := range []string{"ldapmodify -e relax -f", "dn:: " + base64.StdEncoding.EncodeToString([]byte(ann)), "title: unseen", "dn: cn=unseen," + suffix, "changetype: add"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in the changes that nobody has:\n%s", want, text)
		}
	}
	s.equalAmong(a, b, late)
	if out, err := a.Slapd.LDAPSearch("(|(title=unseen)(cn=unseen))", "1.1"); err != nil || strings.Contains(out, "dn:") {
		t.Errorf("mixed in: %v\n%s", err, out)
	}
	if _, err := a.Slapd.LDAPModify(string(text), "-e", "relax"); err != nil {
		t.Errorf("cannot be made after all: %v\n%s", err, text)
	}
	s.equalAmong(a, b, late)
	if out, err := late.Slapd.LDAPSearch("(|(title=unseen)(cn=unseen))", "1.1"); err != nil || strings.Count(out, "dn:") != 2 {
		t.Errorf("made after all: %v\n%s", err, out)
	}
}

// equalAmong waits until some servers hold the same and are at rest.
func (s *site) equalAmong(servers ...*cluster.Server) {
	s.t.Helper()
	s.until(60*time.Second, func() string { return cluster.Difference(servers...) })
}

// removed checks that a server knows another as removed.
func (s *site) removed(server, gone *cluster.Server) {
	s.t.Helper()
	st, err := server.Status()
	s.must(err)
	for _, m := range st.Members {
		if m.SID == gone.SID && m.Removed != "" && m.JID == gone.JID {
			return
		}
	}
	s.t.Errorf("%s does not know that %s was removed: %+v", server.Name, gone.Name, st.Members)
}
