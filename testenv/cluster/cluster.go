// Package cluster runs a whole throw-away site for tests, the demo and the
// benchmarks: one Prosody, and some servers, each a real slapd with a daemon
// beside it that reaches Prosody over a link of its own which can be cut.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ldapsync/testenv/netproxy"
	"ldapsync/testenv/openldap"
	"ldapsync/testenv/prosody"
)

// Domain is the XMPP domain of every cluster.
const Domain = "xmpp.test"

// Options says what to run.
type Options struct {
	// Exe is the ldapsync program.
	Exe string
	// Suffix is the suffix that every server holds.
	Suffix string
	// Servers is the number of servers, ldap1 to ldapN; their daemons are not
	// started.
	Servers int
	// Slapd is how the slapds differ from the usual.
	Slapd openldap.Options
	// Direct lets the daemons reach Prosody without a link in between.
	Direct bool
	// StockProsody runs Prosody as Debian configures it: nodes on the servers'
	// own accounts.
	StockProsody bool
}

// Cluster is a running site.
type Cluster struct {
	Dir     string
	Prosody *prosody.Server
	Servers []*Server
	opts    Options
}

// UsedError says that an earlier cluster has been in a folder.
type UsedError struct {
	// Dir is the folder, Found what is there.
	Dir, Found string
}

func (e *UsedError) Error() string {
	return fmt.Sprintf("%s is in use or was used before: %s is there", e.Dir, e.Found)
}

// Hint says how to go on.
func (e *UsedError) Hint() string { return "name another folder, or remove this one" }

// unused returns a *UsedError where something of a cluster is there already.
func unused(dir string, servers int) error {
	names := []string{prosodyDir}
	for i := range servers {
		names = append(names, name(i))
	}
	for _, n := range names {
		if _, err := os.Lstat(filepath.Join(dir, n)); err == nil {
			return &UsedError{dir, n}
		}
	}
	return nil
}

// prosodyDir is the folder of Prosody.
const prosodyDir = "prosody"

// Start starts Prosody and the slapds in dir, where no other may have been: that is a
// *UsedError. Close stops everything; what runs ends with the calling process in any case.
func Start(dir string, opts Options) (*Cluster, error) {
	if err := unused(dir, opts.Servers); err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, opts: opts}
	users := map[string]string{}
	for i := range opts.Servers {
		users[name(i)] = password(name(i))
	}
	if err := os.MkdirAll(filepath.Join(dir, prosodyDir), 0o700); err != nil {
		return nil, err
	}
	var err error
	c.Prosody, err = prosody.Start(filepath.Join(dir, prosodyDir), prosody.Options{Domain: Domain, Users: users, Stock: opts.StockProsody})
	if err != nil {
		return nil, fmt.Errorf("start Prosody: %w", err)
	}
	for i := range opts.Servers {
		if err := c.add(i); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func name(i int) string           { return fmt.Sprintf("ldap%d", i+1) }
func password(user string) string { return "secret-" + user }

func (c *Cluster) add(i int) error {
	s := &Server{Name: name(i), JID: name(i) + "@" + Domain, SID: i + 1, cluster: c, dir: filepath.Join(c.Dir, name(i))}
	c.Servers = append(c.Servers, s)
	for _, sub := range []string{"slapd", "state"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o700); err != nil {
			return err
		}
	}
	opts := c.opts.Slapd
	opts.Suffix, opts.SID = c.opts.Suffix, i+1
	var err error
	if s.Slapd, err = openldap.Start(filepath.Join(s.dir, "slapd"), opts); err != nil {
		return fmt.Errorf("start slapd of %s: %w", s.Name, err)
	}
	if s.Link, err = netproxy.Start(c.Prosody.Addr); err != nil {
		return fmt.Errorf("link of %s: %w", s.Name, err)
	}
	return s.Configure(nil)
}

// Close stops everything.
func (c *Cluster) Close() error {
	var errs []error
	for _, s := range c.Servers {
		errs = append(errs, s.StopDaemon())
		if s.Link != nil {
			errs = append(errs, s.Link.Close())
		}
		if s.Slapd != nil {
			errs = append(errs, s.Slapd.Close())
		}
	}
	return errors.Join(append(errs, c.Prosody.Stop())...)
}

// Poll repeats check until it returns "" or ctx ends; then the error says what
// check said last.
func Poll(ctx context.Context, check func() string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		why := check()
		if why == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %s", why)
		case <-tick.C:
		}
	}
}
