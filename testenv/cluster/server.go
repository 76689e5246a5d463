package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"ldapsync/control"
	"ldapsync/testenv/netproxy"
	"ldapsync/testenv/openldap"
)

// Server is a slapd and the daemon beside it.
type Server struct {
	Name, JID string
	SID       int
	Slapd     *openldap.Server
	// Link carries the daemon's connection to Prosody.
	Link *netproxy.Proxy

	cluster *Cluster
	dir     string
	daemon  *exec.Cmd
	exited  chan error
}

// ConfigPath is the daemon's configuration file.
func (s *Server) ConfigPath() string { return filepath.Join(s.dir, "config.yml") }

// Socket is the daemon's control socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, "control.sock") }

// StateDir is the folder of the daemon's state file.
func (s *Server) StateDir() string { return filepath.Join(s.dir, "state") }

// LogPath is the file that the daemon logs to.
func (s *Server) LogPath() string { return filepath.Join(s.dir, "ldapsync.log") }

// Configure writes the daemon's configuration, after edit, if any, has changed
// it. The file is text; edit gets and returns it whole.
func (s *Server) Configure(edit func(string) string) error {
	secrets := map[string]string{"xmpp-password": password(s.Name), "ldap-password": s.Slapd.SyncPassword}
	for file, secret := range secrets {
		if err := os.WriteFile(filepath.Join(s.dir, file), []byte(secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	text := fmt.Sprintf(`xmpp:
  jid: %s
  password_file: xmpp-password
  server: %s
  tls: {ca_file: %s}
suffixes:
  - dn: %s
    sid: %d
    directory:
      type: openldap
      uri: %s
      bind: simple
      bind_dn: %s
      password_file: ldap-password
state: {dir: state}
control: {socket: control.sock}
timing: {heartbeat: 2s, ping: 2s, reconnect: 500ms}
`, s.JID, s.xmppAddr(), s.cluster.Prosody.CAFile, s.Slapd.Suffix, s.SID, s.Slapd.URI, openldap.SyncDN)
	if edit != nil {
		text = edit(text)
	}
	return os.WriteFile(s.ConfigPath(), []byte(text), 0o600)
}

func (s *Server) xmppAddr() string {
	if s.cluster.opts.Direct {
		return s.cluster.Prosody.Addr
	}
	return s.Link.Addr()
}

// Command returns the program with the server's configuration.
func (s *Server) Command(args ...string) *exec.Cmd {
	return exec.Command(s.cluster.opts.Exe, append(args, "--config", s.ConfigPath())...)
}

// Ldapsync runs the program to its end and returns what it printed.
func (s *Server) Ldapsync(args ...string) (string, error) {
	out, err := s.Command(args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("ldapsync %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// StartDaemon starts 'ldapsync run' and waits until it answers on its socket.
func (s *Server) StartDaemon() error {
	if s.daemon != nil {
		return errors.New("daemon is running")
	}
	log, err := os.OpenFile(s.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.Command("run")
	cmd.Stdout, cmd.Stderr = log, log
	// The terminal's Ctrl-C does not reach it: who started it ends it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	s.daemon, s.exited = cmd, make(chan error, 1)
	if err := s.spawn(); err != nil {
		s.daemon = nil
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return Poll(ctx, func() string {
		select {
		case err := <-s.exited:
			s.exited <- err
			cancel()
			return fmt.Sprintf("daemon of %s ended: %v: %s", s.Name, err, s.lastLog())
		default:
		}
		if _, err := s.statuses(); err != nil {
			return err.Error()
		}
		return ""
	})
}

// spawn starts the daemon from a thread that lives as long as it does: the
// kernel ends the daemon when that thread ends.
func (s *Server) spawn() error {
	cmd, exited := s.daemon, s.exited
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	return <-started
}

func (s *Server) lastLog() string {
	b, err := os.ReadFile(s.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(b[max(len(b)-2000, 0):])
}

// StopDaemon asks the daemon to stop and waits for it.
func (s *Server) StopDaemon() error { return s.end(syscall.SIGTERM) }

// KillDaemon ends the daemon where it stands.
func (s *Server) KillDaemon() error { return s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) error {
	if s.daemon == nil {
		return nil
	}
	defer func() { s.daemon = nil }()
	if err := s.daemon.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-s.exited:
		if sig == syscall.SIGTERM && err != nil {
			return fmt.Errorf("daemon of %s: %w: %s", s.Name, err, s.lastLog())
		}
		return nil
	case <-time.After(15 * time.Second):
		return errors.Join(fmt.Errorf("daemon of %s does not stop", s.Name), s.daemon.Process.Kill())
	}
}

// Pid is the daemon's process id.
func (s *Server) Pid() int { return s.daemon.Process.Pid }

// Status asks the daemon for the state of the first suffix.
func (s *Server) Status() (control.SuffixStatus, error) {
	list, err := s.statuses()
	if err != nil {
		return control.SuffixStatus{}, err
	}
	return list[0], nil
}

// statuses asks the daemon for the state of every suffix, of which there is at
// least one.
func (s *Server) statuses() ([]control.SuffixStatus, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client, err := control.Dial(s.Socket())
	if err != nil {
		return nil, err
	}
	st, err := client.Status(ctx)
	if err == nil && len(st.Suffixes) == 0 {
		err = errors.New("status without a suffix")
	}
	return st.Suffixes, err
}
