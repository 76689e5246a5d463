package integration_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"

	"ldapsync/control"
	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// The system scenarios of scenario/testdata/system.yaml that need real servers.

// TestSystemE08UnknownAttributeIsParked: what a server's schema does not know is
// set aside with the reason, by itself; the rest goes on, and no change has to
// come again once the schema is there.
func TestSystemE08UnknownAttributeIsParked(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 10, 1)
	s.join()
	addSchema(s, s.a)
	person := openldap.SamplePerson(suffix, 1)
	s.apply(s.a, "dn: %s\nchangetype: modify\nadd: objectClass\nobjectClass: gadget\n-\nadd: gadgetColour\ngadgetColour: red\n-\n", person)
	s.apply(s.a, "dn: %s\nchangetype: modify\nreplace: mail\nmail: y@x\n-\n", openldap.SamplePerson(suffix, 2))
	var st control.SuffixStatus
	s.until(20*time.Second, func() string {
		var err error
		if st, err = s.b.Status(); err != nil || st.ParkedCount != 1 || st.Queues.Apply != 0 {
			return fmt.Sprintf("%d parked, %+v, %v", st.ParkedCount, st.Queues, err)
		}
		return differingVectors(s)
	})
	if p := st.Parked[0]; !strings.EqualFold(p.DN, person) || p.Code == 0 || p.Text == "" || p.CSN == "" || !strings.HasPrefix(p.Server, s.a.Name+"@") {
		t.Errorf("parked %+v", p)
	}
	if out, err := s.b.Slapd.LDAPSearch("(mail=y@x)", "1.1"); err != nil || !strings.Contains(out, "dn:") {
		t.Errorf("one parked entry held up another: %v", err)
	}
	if table, err := s.b.Ldapsync("status"); err != nil || !strings.Contains(table, "parked") {
		t.Errorf("status does not show it: %v\n%s", err, table)
	}
	if n := differingEntries(s); n != 1 {
		t.Errorf("%d entries differ, want the parked one alone", n)
	}
	received := st.Counters.Received
	addSchema(s, s.b)
	s.equal()
	const heartbeats = 2 // may have come meanwhile
	if st, err := s.b.Status(); err != nil || st.Counters.Received > received+heartbeats {
		t.Errorf("received %d changes, %d before the schema was there: %v", st.Counters.Received, received, err)
	}
}

// differingVectors says how the servers' vectors differ, "" when they do not.
func differingVectors(s *site) string {
	want := ""
	for i, server := range s.Servers {
		st, err := server.Status()
		if err != nil {
			return err.Error()
		}
		got := cluster.Reach(st)
		if i > 0 && got != want {
			return fmt.Sprintf("vectors%s and%s", want, got)
		}
		want = got
	}
	return ""
}

// differingEntries counts the entries that are not the same at the first two
// servers.
func differingEntries(s *site) (n int) {
	s.t.Helper()
	at := map[string]string{}
	for i, server := range []*cluster.Server{s.a, s.b} {
		text, err := server.Slapd.Dump()
		s.must(err)
		for _, entry := range strings.Split(text, "\n\n") {
			name, content, _ := strings.Cut(entry, "\n")
			if i == 0 {
				at[name] = content
			} else if at[name] != content {
				n++
			}
			if i == 1 {
				delete(at, name)
			}
		}
	}
	return n + len(at)
}

// TestSystemE10ClientWritesDuringApply: clients of both servers write to one entry
// without a pause until a write of a daemon has met one that it had not seen. None
// may be lost.
func TestSystemE10ClientWritesDuringApply(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 10, 1)
	for _, server := range s.Servers {
		s.must(server.Configure(func(text string) string { return text + "log: {level: debug}\n" }))
	}
	s.join()
	person := openldap.SamplePerson(suffix, 1)
	attrs := map[*cluster.Server]string{s.a: "description", s.b: "roomNumber"}
	written := map[*cluster.Server]*atomic.Int64{s.a: {}, s.b: {}}
	writing, stop := context.WithCancel(t.Context())
	clients, _ := errgroup.WithContext(writing)
	for server, attr := range attrs {
		clients.Go(func() error { return addValues(writing, server, person, attr, written[server]) })
	}
	s.until(30*time.Second, s.staleWrite)
	stop()
	s.must(clients.Wait())
	s.equal()
	for _, server := range s.Servers {
		out, err := server.Slapd.LDAPSearch("-b", person, "(objectClass=*)", "description", "roomNumber")
		s.must(err)
		for at, attr := range attrs {
			if got, want := strings.Count(out, attr+": written "), int(written[at].Load()); got != want {
				t.Errorf("%s: %d values of %s, want %d", server.Name, got, attr, want)
			}
		}
	}
	t.Logf("%d and %d values written", written[s.a].Load(), written[s.b].Load())
}

// staleWrite says that no daemon's write was refused yet because the entry was
// another than it had seen.
func (s *site) staleWrite() string {
	for _, server := range s.Servers {
		log, err := os.ReadFile(server.LogPath())
		if err != nil {
			return err.Error()
		}
		if strings.Contains(string(log), "stale write") {
			return ""
		}
	}
	return "no write of a daemon has met one that it had not seen"
}

// addValues adds values to an attribute, one after the other, until ctx ends.
func addValues(ctx context.Context, server *cluster.Server, name, attr string, written *atomic.Int64) error {
	c, err := ldap.DialURL(server.Slapd.URI)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Bind(server.Slapd.AdminDN, server.Slapd.AdminPassword); err != nil {
		return err
	}
	for ctx.Err() == nil {
		m := ldap.NewModifyRequest(name, nil)
		m.Add(attr, []string{fmt.Sprintf("written %d", written.Load())})
		if err := c.Modify(m); err != nil {
			return fmt.Errorf("%s: %w", server.Name, err)
		}
		written.Add(1)
	}
	return nil
}

// TestSystemE12TenThousandOverBrokenLinks: while one server's clients add ten thousand
// entries, the links break again and again, so that changes come by event, as what
// the XMPP server kept, or by pull, and some of them twice. Each counts once.
func TestSystemE12TenThousandOverBrokenLinks(t *testing.T) {
	const entries = 10_000
	s := newSite(t, func(o *cluster.Options) { o.Slapd.NoSync = true })
	s.load(s.a, 10, 1)
	s.join()
	before, err := s.b.Status()
	s.must(err)
	var ldif strings.Builder
	for i := range entries {
		fmt.Fprintf(&ldif, "dn: cn=d%d,ou=people,%s\nobjectClass: device\n\n", i, suffix)
	}
	added := make(chan error, 1)
	go func() {
		_, err := s.a.Slapd.LDAPAdd(ldif.String())
		added <- err
	}()
	s.breakLinks(before.Counters.Received, entries)
	s.must(<-added)
	s.equal()
	after, err := s.b.Status()
	s.must(err)
	if got := after.Counters.Received - before.Counters.Received; got != entries {
		t.Errorf("%d changes were counted, want %d", got, entries)
	}
	t.Logf("%d duplicates", after.Counters.Duplicates-before.Counters.Duplicates)
}

// breakLinks cuts one link after the other, each time when another twentieth of the
// changes has arrived. The second server stays away once until more was published
// than it has.
func (s *site) breakLinks(before, entries uint64) {
	s.t.Helper()
	for i := range uint64(20) {
		s.until(60*time.Second, func() string {
			st, err := s.b.Status()
			if err != nil {
				return err.Error()
			}
			if got := st.Counters.Received - before; got < entries*i/20 {
				return fmt.Sprintf("received %d", got)
			}
			return ""
		})
		server := s.Servers[i%2]
		server.Link.Cut()
		if i == 1 {
			s.publishes(entries / 10)
		}
		server.Link.Heal()
	}
}

// publishes waits until the first server has published some changes more.
func (s *site) publishes(changes uint64) {
	s.t.Helper()
	before, err := s.a.Status()
	s.must(err)
	s.until(60*time.Second, func() string {
		st, err := s.a.Status()
		if err != nil {
			return err.Error()
		}
		if got := st.Counters.Published - before.Counters.Published; got < changes {
			return fmt.Sprintf("published %d of %d", got, changes)
		}
		return ""
	})
}

// TestSystemE13ChainWithoutTheEnds: the first and the third server are never online
// together, so that what they write passes through the second, which restarts in
// between. No vector claims what the server does not have.
func TestSystemE13ChainWithoutTheEnds(t *testing.T) {
	s := newSite(t, func(o *cluster.Options) { o.Servers = 3 })
	c := s.Servers[2]
	s.load(s.a, 10, 1)
	s.join()
	person := openldap.SamplePerson(suffix, 1)
	c.Link.Cut()
	s.apply(s.a, "dn: %s\nchangetype: modify\nreplace: title\ntitle: of a\n-\n", person)
	s.holds(s.b, "(title=of a)")
	s.a.Link.Cut()
	s.apply(c, "dn: %s\nchangetype: modify\nreplace: mail\nmail: c@x\n-\n", person)
	s.must(s.b.KillDaemon())
	s.start(s.b)
	c.Link.Heal()
	s.holds(c, "(title=of a)")
	s.holds(s.b, "(mail=c@x)")
	s.honest()
	c.Link.Cut()
	s.must(s.b.KillDaemon())
	s.start(s.b)
	s.a.Link.Heal()
	s.holds(s.a, "(mail=c@x)")
	s.honest()
	c.Link.Heal()
	s.equal()
}

// holds waits until a server's directory has an entry that a filter matches.
func (s *site) holds(server *cluster.Server, filter string) {
	s.t.Helper()
	s.until(30*time.Second, func() string {
		out, err := server.Slapd.LDAPSearch(filter, "1.1")
		if err != nil || !strings.Contains(out, "dn:") {
			return fmt.Sprintf("%s has no entry %s, %v", server.Name, filter, err)
		}
		return ""
	})
}

// honest fails the test if a vector claims more changes of a server than that server
// has made.
func (s *site) honest() {
	s.t.Helper()
	claims := map[string]map[int]uint64{}
	made := map[int]uint64{}
	for _, server := range s.Servers {
		st, err := server.Status()
		s.must(err)
		claims[server.Name] = map[int]uint64{}
		for _, m := range st.Vector {
			claims[server.Name][m.SID] = m.Seq
		}
	}
	for _, server := range s.Servers {
		st, err := server.Status()
		s.must(err)
		for _, m := range st.Vector {
			if m.SID == st.SID {
				made[m.SID] = m.Seq
			}
		}
	}
	for name, vector := range claims {
		for sid, seq := range vector {
			if seq > made[sid] {
				s.t.Errorf("%s claims %d changes of sid %d, which made %d", name, seq, sid, made[sid])
			}
		}
	}
}

// TestSystemE15SameValueTwice: two entries get one uid while the servers are apart. Both
// are kept; every server records it, until one of them gets another.
func TestSystemE15SameValueTwice(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 10, 1)
	for _, server := range s.Servers {
		s.must(server.Configure(func(text string) string {
			return strings.Replace(text, "    directory:", "    unique: [uid]\n    directory:", 1)
		}))
	}
	s.join()
	const person = "dn: cn=%[1]s,ou=people,%[2]s\nchangetype: add\nobjectClass: inetOrgPerson\nsn: s\nuid: u1\n"
	s.b.Link.Cut()
	s.apply(s.a, person, "p", suffix)
	s.apply(s.b, person, "q", suffix)
	s.b.Link.Heal()
	s.equal()
	found := s.listed()
	if len(found) != 1 || found[0].Kind != "uniqueness-violation" || !strings.HasPrefix(found[0].DN, "cn=q,") || !strings.HasPrefix(found[0].OtherDN, "cn=p,") || found[0].Lost.Text != "u1" {
		t.Errorf("listed are %+v", found)
	}
	if out, err := s.b.Slapd.LDAPSearch("(uid=u1)", "1.1"); err != nil || strings.Count(out, "dn:") != 2 {
		t.Errorf("entries with uid u1: %s %v", out, err)
	}
	s.apply(s.a, "dn: cn=q,ou=people,%s\nchangetype: modify\nreplace: uid\nuid: u2\n-\n", suffix)
	s.equal()
	if left := s.listed(); len(left) > 0 {
		t.Errorf("still listed: %+v", left)
	}
}
