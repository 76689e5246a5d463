// Package prosody runs a throw-away Prosody XMPP server as a child process, for
// tests, the demo and benchmarks. Everything it needs (configuration,
// accounts, a certification authority of its own) lives in one folder, it
// listens on free loopback ports, and it dies with the process that started it.
package prosody

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrNotInstalled means that there is no prosody program on this machine.
var ErrNotInstalled = errors.New("prosody is not installed")

// Options vary the server. The zero value is an open server without accounts.
type Options struct {
	// Domain of the accounts, "xmpp.test" by default.
	Domain string
	// Users maps localparts to passwords.
	Users map[string]string
	// Stock leaves the pubsub service as Prosody ships it: only
	// administrators create nodes, everybody else has PEP.
	Stock bool
	// NoMUC and NoPubSub leave the service out.
	NoMUC, NoPubSub bool
	// Limits is the Lua table of mod_limits, e.g.
	// `{ c2s = { rate = "10kb/s"; burst = "2s" } }`; empty means no limits.
	Limits string
	// Hashed stores the passwords for SCRAM-SHA-256 instead of SCRAM-SHA-1.
	// AddUser then needs prosodyctl and is slow.
	Hashed bool
	// ExtraConfig is appended to the global section, where it may replace
	// c2s_require_encryption and modules_disabled; ExtraMUC and ExtraPubSub
	// to their component's.
	ExtraConfig, ExtraMUC, ExtraPubSub string
}

// Server is a running, or stopped, Prosody.
type Server struct {
	// Dir holds everything, also console.log.
	Dir string
	// Domain is the domain of the accounts; MUC and PubSub are the service
	// names, empty where there is no such service.
	Domain, MUC, PubSub string
	// Addr takes STARTTLS, TLSAddr direct TLS.
	Addr, TLSAddr string
	// CAFile is the certificate to trust, in PEM.
	CAFile string

	options Options
	ports   ports
	child   *child
}

// Start prepares dir, which must exist, and runs a server in it until Stop, Kill
// or the end of this process. It returns when the server answers.
func Start(dir string, options Options) (*Server, error) {
	if _, err := exec.LookPath("prosody"); err != nil {
		return nil, ErrNotInstalled
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if options.Domain == "" {
		options.Domain = "xmpp.test"
	}
	s := &Server{Dir: dir, Domain: options.Domain, CAFile: filepath.Join(dir, "ca.crt"), options: options}
	if !options.NoMUC {
		s.MUC = "rooms." + s.Domain
	}
	if !options.NoPubSub {
		s.PubSub = "pubsub." + s.Domain
	}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("prepare prosody: %w", err)
	}
	return s, s.startOnFreePorts()
}

// startOnFreePorts tries again where somebody else took a port between our
// choosing and Prosody's listening.
func (s *Server) startOnFreePorts() error {
	var err error
	for range 3 {
		if s.ports, err = freePorts(); err != nil {
			return err
		}
		s.Addr, s.TLSAddr = address(s.ports.c2s), address(s.ports.tls)
		if err = s.Restart(); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

func (s *Server) prepare() error {
	for _, d := range []string{"data", "plugins", s.accounts()} {
		if err := os.MkdirAll(filepath.Join(s.Dir, d), 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "plugins", "mod_pubsub_open_create.lua"), []byte(openCreate), 0o600); err != nil {
		return err
	}
	if err := writeCertificates(s.Dir, s.Domain); err != nil {
		return err
	}
	for name, password := range s.options.Users {
		if err := s.AddUser(name, password); err != nil {
			return err
		}
	}
	return nil
}

// Restart stops the server if it runs and starts it again on the same ports
// with the same data.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	config := filepath.Join(s.Dir, "prosody.cfg.lua")
	if err := os.WriteFile(config, []byte(s.config()), 0o600); err != nil {
		return err
	}
	c, err := startChild(filepath.Join(s.Dir, "console.log"), "prosody", "--config", config, "-F")
	if err != nil {
		return fmt.Errorf("start prosody: %w", err)
	}
	s.child = c
	if err := s.waitReady(); err != nil {
		return errors.Join(err, s.Kill())
	}
	return nil
}

// Pid is the process id, 0 when stopped.
func (s *Server) Pid() int {
	if s.child == nil {
		return 0
	}
	return s.child.pid()
}

// Stop ends the server in good order: its clients get a stream error.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// Kill ends it as a crash would.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) error {
	if s.child == nil {
		return nil
	}
	err := s.child.end(sig)
	s.child = nil
	return err
}

// AddUser creates an account or changes its password, also while running.
func (s *Server) AddUser(name, password string) error {
	if s.options.Hashed {
		return s.register(name, password)
	}
	account := filepath.Join(s.Dir, s.accounts(), escapeFile(name)+".dat")
	body := fmt.Sprintf("return { [\"password\"] = %s };\n", quoteLua(password))
	if err := os.WriteFile(account, []byte(body), 0o600); err != nil {
		return fmt.Errorf("add user %s: %w", name, err)
	}
	return nil
}

func (s *Server) register(name, password string) error {
	config := filepath.Join(s.Dir, "prosody.cfg.lua")
	if err := os.WriteFile(config, []byte(s.config()), 0o600); err != nil {
		return err
	}
	out, err := exec.Command("prosodyctl", "--config", config, "register", name, s.Domain, password).CombinedOutput()
	if err != nil {
		return fmt.Errorf("add user %s: %w: %s", name, err, out)
	}
	return nil
}

func (s *Server) accounts() string {
	return filepath.Join("data", escapeFile(s.Domain), "accounts")
}

// escapeFile writes a name as Prosody's file storage does.
func escapeFile(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}
