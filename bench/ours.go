package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// patience bounds every wait of a measurement.
const patience = 10 * time.Minute

// ours measures two slapds with a daemon beside each.
func ours(o options, exe string) (f figures, err error) {
	f.name = "ldapsync"
	dir := filepath.Join(o.dir, "ours")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return f, err
	}
	c, err := cluster.Start(dir, cluster.Options{Exe: exe, Suffix: suffix, Servers: 2, Direct: true, Slapd: openldap.Options{NoSync: o.noSync, SessionLog: 100_000}})
	if err != nil {
		return f, err
	}
	defer c.Close()
	a, b := c.Servers[0], c.Servers[1]
	if err := load(a.Slapd, o.entries); err != nil {
		return f, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	if err := a.StartDaemon(); err != nil {
		return f, err
	}
	if err := cluster.Poll(ctx, func() string { return captured(a, o.entries) }); err != nil {
		return f, err
	}
	read := time.Since(began)
	if err := b.StartDaemon(); err != nil {
		return f, err
	}
	began = time.Now()
	if _, err := a.Ldapsync("admit", b.JID, "--role", "master"); err != nil {
		return f, err
	}
	if err := awaitEntries(b.Slapd, o.entries); err != nil {
		return f, err
	}
	f.copied = time.Since(began)
	if err := cluster.Poll(ctx, func() string { return cluster.Difference(a, b) }); err != nil {
		return f, err
	}
	f.lags, err = lags(a.Slapd, b.Slapd, o.writes)
	slices.Sort(f.lags)
	f.memory = fmt.Sprintf("daemons %s, %s; first reading of the directory %.0f ent/s", memory(a.Pid()), memory(b.Pid()), float64(o.entries)/read.Seconds())
	return f, err
}

func captured(s *cluster.Server, n int) string {
	st, err := s.Status()
	if err != nil {
		return err.Error()
	}
	if st.Entries < n {
		return fmt.Sprintf("%d entries", st.Entries)
	}
	return ""
}

// dial opens a connection as the administrator.
func dial(s *openldap.Server) (*ldap.Conn, error) {
	c, err := ldap.DialURL(s.URI)
	if err != nil {
		return nil, err
	}
	return c, c.Bind(s.AdminDN, s.AdminPassword)
}

// awaitEntries waits until a server holds the last of n entries that load adds.
// Both ways of replicating copy in the order of adding; a search of everything
// would take the machine away from what is measured.
func awaitEntries(s *openldap.Server, n int) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	defer c.Close()
	last := fmt.Sprintf("cn=group%04d,ou=groups,%s", groupsOf(n)-1, suffix)
	ask := ldap.NewSearchRequest(last, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r, err := c.Search(ask)
		if err == nil && len(r.Entries) == 1 {
			return nil
		}
	}
	return fmt.Errorf("%s never arrived", last)
}

// lags writes single values at one server, paced, and watches for them at the
// other.
func lags(a, b *openldap.Server, n int) (out []time.Duration, err error) {
	at, err := dial(a)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	seen, err := dial(b)
	if err != nil {
		return nil, err
	}
	defer seen.Close()
	name := openldap.SamplePerson(suffix, 1)
	for i := range n {
		value := fmt.Sprintf("lag %d", i)
		m := ldap.NewModifyRequest(name, nil)
		m.Replace("title", []string{value})
		if err := at.Modify(m); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := awaitValue(seen, name, value); err != nil {
			return nil, err
		}
		out = append(out, time.Since(began))
		time.Sleep(20 * time.Millisecond)
	}
	return out, nil
}

func awaitValue(c *ldap.Conn, name, value string) error {
	ask := ldap.NewSearchRequest(name, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"title"}, nil)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		r, err := c.Search(ask)
		if err != nil {
			return err
		}
		if len(r.Entries) == 1 && r.Entries[0].GetAttributeValue("title") == value {
			return nil
		}
	}
	return fmt.Errorf("%q never arrived", value)
}

// memory returns the resident size of a process, now and at its highest.
func memory(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	var now, high int
	for _, line := range strings.Split(string(b), "\n") {
		fmt.Sscanf(line, "VmRSS: %d kB", &now)
		fmt.Sscanf(line, "VmHWM: %d kB", &high)
	}
	return fmt.Sprintf("%d MB (at most %d)", now/1024, high/1024)
}
