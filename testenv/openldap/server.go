// Package openldap runs throw-away OpenLDAP servers on free ports, for tests,
// the demo and the benchmarks. A server is real slapd with an mdb database in
// a directory that the caller owns; it dies with the process that started it.
package openldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Identities that every server knows.
const (
	// ConfigDN may change cn=config.
	ConfigDN = "cn=config"
	// SyncDN is the daemon's identity: no entry of the suffix, with manage
	// rights and without limits.
	SyncDN = "cn=ldapsync"

	adminPassword  = "admin-secret"
	configPassword = "config-secret"
	syncPassword   = "sync-secret"
)

// Options is how a server differs from the usual. The zero value is a server of
// dc=example,dc=com with everything that ldapsync needs.
type Options struct {
	// Suffix is a DN of dc's; "" means dc=example,dc=com.
	Suffix string
	// SID is the serverID, 0 for none.
	SID int
	// StaticConfig runs the server from slapd.conf; otherwise its configuration
	// is cn=config, and changes to it survive a restart.
	StaticConfig bool
	// NoSync does not wait for the disk at a commit.
	NoSync bool
	// Schemas are more schemas in slapd.conf's syntax.
	Schemas []string
	// Bare leaves out everything ldapsync needs: syncprov, schema, the identity
	// SyncDN and its rights, indexes.
	Bare bool
	// SessionLog is the number of writes that syncprov remembers.
	SessionLog int
	// NoAnonymous lets nobody read who has not bound.
	NoAnonymous bool
	// TLS makes a certificate for 127.0.0.1 and localhost, offers StartTLS, and
	// listens on LDAPSURI too.
	TLS bool
	// Database are more lines for the suffix's database, in slapd.conf's syntax.
	Database []string
	// Debug is slapd's -d, whose output goes to slapd.log; "" means none, which
	// logs errors alone.
	Debug string
	// Clock gives the server a clock of its own, for TurnClock.
	Clock bool
}

// Server is one slapd.
type Server struct {
	// URI is ldap://127.0.0.1:port, LDAPI the same server's socket, on which
	// the caller's user may change cn=config with SASL EXTERNAL.
	URI, LDAPI string
	// LDAPSURI and CAFile belong to Options.TLS.
	LDAPSURI, CAFile string
	// Suffix is the suffix's DN.
	Suffix                 string
	AdminDN, AdminPassword string
	ConfigPassword         string
	SyncPassword           string
	// Dir holds configuration, databases and slapd.log.
	Dir string

	opts   Options
	addr   string
	socket string
	proc   *process
}

// Installed reports whether slapd and the client tools are there.
func Installed() bool {
	for _, tool := range []string{"ldapadd", "ldapsearch"} {
		if _, err := exec.LookPath(tool); err != nil {
			return false
		}
	}
	_, err := slapd()
	return err == nil
}

func slapd() (string, error) {
	for _, path := range []string{"slapd", "/usr/sbin/slapd", "/usr/local/libexec/slapd", "/usr/libexec/slapd"} {
		if p, err := exec.LookPath(path); err == nil {
			return p, nil
		}
	}
	return "", errors.New("slapd is not installed")
}

// Start makes a server in dir, which must be empty or not exist, and returns
// when it answers. The suffix has no entry yet.
func Start(dir string, opts Options) (*Server, error) {
	if opts.Suffix == "" {
		opts.Suffix = "dc=example,dc=com"
	}
	s := &Server{
		Suffix: opts.Suffix, AdminDN: "cn=admin," + opts.Suffix, AdminPassword: adminPassword,
		ConfigPassword: configPassword, SyncPassword: syncPassword,
		Dir: dir, opts: opts,
	}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("prepare slapd: %w", err)
	}
	var err error
	for range 3 { // another process may take a chosen port first
		if err = s.chooseAddresses(); err != nil {
			return nil, err
		}
		if err = s.run("-f", s.path("slapd.conf")); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// prepare writes the configuration.
func (s *Server) prepare() error {
	for _, d := range []string{"db", "identity", "slapd.d"} {
		if err := os.MkdirAll(s.path(d), 0o700); err != nil {
			return err
		}
	}
	if s.opts.TLS {
		if err := writeCertificates(s.Dir); err != nil {
			return err
		}
		s.CAFile = s.path("ca.pem")
	}
	conf, err := s.config()
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("slapd.conf"), []byte(conf), 0o600)
}

func (s *Server) chooseAddresses() error {
	var err error
	if s.addr, err = freeAddr(); err != nil {
		return err
	}
	s.URI = "ldap://" + s.addr
	if s.opts.TLS {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		s.LDAPSURI = "ldaps://" + addr
	}
	if s.socket != "" {
		return nil
	}
	s.socket = s.path("ldapi")
	// sun_path holds 108 bytes, and the tools split URIs at some characters.
	if len(s.socket) > 100 || strings.ContainsAny(s.socket, ", ") {
		d, err := os.MkdirTemp("", "ldapi")
		if err != nil {
			return err
		}
		s.socket = filepath.Join(d, "s")
	}
	s.LDAPI = "ldapi://" + escape(s.socket)
	return nil
}

// escape percent-encodes all that could mean something in a URI.
func escape(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c == '.' || c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// freeAddr returns an address of 127.0.0.1 that nobody listens on just now.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// Pid is the process id of the running server, 0 when it does not run.
func (s *Server) Pid() int {
	if s.proc == nil {
		return 0
	}
	return s.proc.pid()
}

// Stop ends the server in an orderly way; its data stays.
func (s *Server) Stop() error { return s.end(os.Interrupt) }

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() error { return s.end(os.Kill) }

func (s *Server) end(sig os.Signal) error {
	if s.proc == nil {
		return nil
	}
	err := s.proc.end(sig)
	s.proc = nil
	return err
}

// Close stops the server and removes what it left outside its directory.
func (s *Server) Close() error {
	err := s.Stop()
	if filepath.Dir(s.socket) != filepath.Clean(s.Dir) {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(s.socket)))
	}
	return err
}

// Restart starts a server that was stopped or killed, on the same addresses.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	if s.opts.StaticConfig {
		return s.run("-f", s.path("slapd.conf"))
	}
	return s.run()
}

// run starts slapd and waits until it answers.
func (s *Server) run(args ...string) error {
	bin, err := slapd()
	if err != nil {
		return err
	}
	listen := s.URI + " " + s.LDAPI
	if s.LDAPSURI != "" {
		listen += " " + s.LDAPSURI
	}
	debug := s.opts.Debug
	if debug == "" {
		debug = "none"
	}
	args = append([]string{"-d", debug, "-h", listen}, args...)
	if !s.opts.StaticConfig {
		args = append(args, "-F", s.path("slapd.d"))
	}
	env, err := s.clock()
	if err != nil {
		return err
	}
	p, err := startProcess(s.path("slapd.log"), env, bin, args...)
	if err != nil {
		return fmt.Errorf("start slapd: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.untilReady(ctx, s.addr); err != nil {
		return errors.Join(err, p.end(os.Kill))
	}
	s.proc = p
	return nil
}
