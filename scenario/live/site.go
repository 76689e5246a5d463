// Package live plays scenarios on real servers: for every replica a slapd and a
// daemon beside it, and a Prosody whose links are cut while the clients write.
// The servers are throw-away ones in a folder of their own.
package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/dn"
	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// Suffix is what the servers hold; every scenario has an entry of its own below
// it in the place of its base.
const Suffix = "dc=scenario"

// MaxServers bounds the servers of a site.
const MaxServers = 8

// Options says where and with what.
type Options struct {
	// Dir is where everything is kept; "" means a temporary folder that Close
	// removes.
	Dir string
	// Exe is the ldapsync program.
	Exe string
	// Servers is the number of servers, at least 2.
	Servers int
	// Unique are the attributes whose values are to be unique.
	Unique []string
	// Schema is more schema for the slapds, in slapd.conf's syntax.
	Schema string
	// Wait bounds how long the servers may take to agree; 0 means 30 s.
	Wait time.Duration
}

// Site is the running servers.
type Site struct {
	*cluster.Cluster
	opts   Options
	suffix dn.DN
	// clients are the connections of the scenarios' clients, one for each server.
	clients []*ldap.Conn
	temp    string
	played  int
}

// Start starts everything and returns when all servers hold the suffix.
func Start(ctx context.Context, opts Options) (s *Site, err error) {
	if opts.Servers < 2 || opts.Servers > MaxServers {
		return nil, fmt.Errorf("%d servers: want 2 to %d", opts.Servers, MaxServers)
	}
	if opts.Wait == 0 {
		opts.Wait = 30 * time.Second
	}
	s = &Site{opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.suffix, err = dn.Parse(Suffix); err != nil {
		return s, err
	}
	if opts.Dir == "" {
		if opts.Dir, err = os.MkdirTemp("", "ldapsync-scenarios-"); err != nil {
			return s, err
		}
		s.temp = opts.Dir
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return s, err
	}
	slapd := openldap.Options{SessionLog: 10000, NoSync: true}
	if opts.Schema != "" {
		slapd.Schemas = []string{opts.Schema}
	}
	s.Cluster, err = cluster.Start(opts.Dir, cluster.Options{Exe: opts.Exe, Suffix: Suffix, Servers: opts.Servers, Slapd: slapd})
	if err != nil {
		return s, err
	}
	for _, server := range s.Servers {
		c, err := ldap.DialURL(server.Slapd.URI)
		if err != nil {
			return s, err
		}
		s.clients = append(s.clients, c)
		if err := c.Bind(server.Slapd.AdminDN, server.Slapd.AdminPassword); err != nil {
			return s, err
		}
	}
	return s, s.found(ctx)
}

// found makes the suffix and lets everybody in.
func (s *Site) found(ctx context.Context) error {
	first := s.Servers[0]
	top := ldap.NewAddRequest(Suffix, nil)
	top.Attribute("objectClass", []string{"organization", "dcObject"})
	top.Attribute("o", []string{"scenarios"})
	if err := s.clients[0].Add(top); err != nil {
		return err
	}
	for i, server := range s.Servers {
		if err := server.Configure(s.unique); err != nil {
			return err
		}
		if err := server.StartDaemon(); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		err := s.until(ctx, func() string {
			if _, err := first.Ldapsync("admit", server.JID, "--role", "master"); err != nil {
				return err.Error()
			}
			return ""
		})
		if err != nil {
			return err
		}
	}
	return s.agree(ctx)
}

// unique adds to a configuration which values are to be unique.
func (s *Site) unique(config string) string {
	list := fmt.Sprintf("    unique: [%s]\n    directory:", strings.Join(s.opts.Unique, ", "))
	return strings.Replace(config, "    directory:", list, 1)
}

// Close stops everything.
func (s *Site) Close() error {
	var errs []error
	for _, c := range s.clients {
		c.Close()
	}
	if s.Cluster != nil {
		errs = append(errs, s.Cluster.Close())
	}
	if s.temp != "" {
		errs = append(errs, os.RemoveAll(s.temp))
	}
	return errors.Join(errs...)
}

func (s *Site) until(ctx context.Context, check func() string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Wait)
	defer cancel()
	return cluster.Poll(ctx, check)
}

// agree heals every link and waits until all servers have stored the same
// changes and none has anything left to do.
func (s *Site) agree(ctx context.Context) error {
	for _, server := range s.Servers {
		server.Link.Heal()
	}
	return s.until(ctx, s.atWork)
}

// atWork says who has something to do; "" when all are at rest with equal
// vectors.
func (s *Site) atWork() string {
	want := ""
	for i, server := range s.Servers {
		st, err := server.Status()
		if err != nil {
			return fmt.Sprintf("%s: %v", server.Name, err)
		}
		if st.SID == 0 || len(st.Vector) == 0 {
			return server.Name + " has not joined"
		}
		if q := st.Queues; q.Publish+q.Apply+q.Withheld+q.Future > 0 {
			return fmt.Sprintf("%s is at work: %+v", server.Name, q)
		}
		vector := cluster.Reach(st)
		if i == 0 {
			want = vector
		} else if vector != want {
			return fmt.Sprintf("%s stands at%s, %s at%s", s.Servers[0].Name, want, server.Name, vector)
		}
	}
	return ""
}

// part cuts every link.
func (s *Site) part() {
	for _, server := range s.Servers {
		server.Link.Cut()
	}
}
