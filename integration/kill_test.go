package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldapsync/testenv/cluster"
)

// writes is the number of entries a client adds while something is killed.
const writes = 1000

func TestKillDuringWrites(t *testing.T) {
	for _, victim := range []struct {
		name string
		kill func(*site) error
	}{
		{"daemon of the writer", func(s *site) error { return again(s.a.KillDaemon, s.a.StartDaemon) }},
		{"daemon of the reader", func(s *site) error { return again(s.b.KillDaemon, s.b.StartDaemon) }},
		{"Prosody", func(s *site) error { return again(s.Prosody.Kill, s.Prosody.Restart) }},
		{"slapd of the reader", func(s *site) error { return again(s.b.Slapd.Kill, s.b.Slapd.Restart) }},
		{"slapd of the writer", func(s *site) error { return again(s.a.Slapd.Kill, s.a.Slapd.Restart) }},
	} {
		t.Run(victim.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.load(s.a, 10, 1)
			s.join()
			acknowledged := make(chan int, 1)
			go func() { acknowledged <- s.addMany(s.a) }()
			for i := range 3 {
				s.until(30*time.Second, func() string { return s.hasMany(s.b, (i+1)*writes/5) })
				s.must(victim.kill(s))
			}
			n := <-acknowledged
			s.equal()
			if why := s.hasMany(s.b, n); why != "" {
				t.Errorf("%d writes were acknowledged: %s", n, why)
			}
			for _, server := range s.Servers {
				if out, err := server.Slapd.LDAPSearch("(ldapsyncConflictId=*)", "1.1"); err != nil || strings.Contains(out, "dn:") {
					t.Errorf("%s has entries twice: %v %s", server.Name, err, out)
				}
			}
		})
	}
}

func again(kill, start func() error) error {
	if err := kill(); err != nil {
		return err
	}
	return start()
}

// addMany adds entries until all are there, whatever happens to the server,
// and returns how many it was told were added.
func (s *site) addMany(server *cluster.Server) int {
	var ldif strings.Builder
	for i := range writes {
		fmt.Fprintf(&ldif, "dn: cn=w%d,ou=people,%s\nobjectClass: device\ndescription: write %d\n\n", i, suffix, i)
	}
	for {
		// -c goes on after entries that are there already.
		if _, err := server.Slapd.LDAPAdd(ldif.String(), "-c"); err == nil {
			return writes
		}
		if s.hasMany(server, writes) == "" {
			return writes
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *site) hasMany(server *cluster.Server, n int) string {
	out, err := server.Slapd.LDAPSearch("(description=write *)", "1.1")
	if err != nil {
		return err.Error()
	}
	if got := strings.Count(out, "dn:"); got < n {
		return fmt.Sprintf("%s has %d of %d", server.Name, got, n)
	}
	return ""
}
