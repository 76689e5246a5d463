package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Limits on what a password file or command may give.
const (
	maxSecret      = 4096
	commandTimeout = 10 * time.Second
)

// Secret says where a password is; it never holds one. Of the two keys one may
// be set. Without either, the systemd credential of the account is taken (see
// LoadCredential= in systemd.exec(5)), and PasswordFile then names it.
type Secret struct {
	PasswordFile string `yaml:"password_file,omitempty"`
	// PasswordCommand is run by /bin/sh; its only line of output is the password.
	PasswordCommand string `yaml:"password_command,omitempty"`

	// guarded says that systemd guards the directory of the file, whose mode
	// may then show the mask of an access list.
	guarded bool
}

// ExposedError is a password file that others than its owner may read.
type ExposedError struct {
	Path string
	Mode os.FileMode
}

func (e *ExposedError) Error() string {
	return fmt.Sprintf("password file %s can be read by others (mode %04o)", e.Path, e.Mode)
}

// Hint says how to close the file.
func (e *ExposedError) Hint() string { return "chmod 0600 " + e.Path }

// Password reads the file or runs the command, and returns its only line. It
// returns "" and no error where neither is set. Call it again after a refused
// login: the password may have been changed.
func (s Secret) Password(ctx context.Context) (string, error) {
	switch {
	case s.PasswordFile != "":
		return s.readFile()
	case s.PasswordCommand != "":
		return s.runCommand(ctx)
	}
	return "", nil
}

func (s Secret) set() bool { return s.PasswordFile != "" || s.PasswordCommand != "" }

func (s Secret) readFile() (string, error) {
	f, err := os.Open(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	if st.IsDir() {
		return "", fmt.Errorf("password file %s is a directory", s.PasswordFile)
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 && !s.guarded {
		return "", &ExposedError{Path: s.PasswordFile, Mode: mode}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	return onlyLine(b, "password file "+s.PasswordFile)
}

func (s Secret) runCommand(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", s.PasswordCommand)
	cmd.Stdout = &limitedWriter{w: &out, left: maxSecret + 1}
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("password command: %w", err)
	}
	return onlyLine(out.Bytes(), "password command")
}

func onlyLine(b []byte, what string) (string, error) {
	line := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case len(line) > maxSecret:
		return "", fmt.Errorf("%s gives more than %d bytes", what, maxSecret)
	case line == "":
		return "", fmt.Errorf("%s gives no password", what)
	case strings.ContainsAny(line, "\n\x00"):
		return "", fmt.Errorf("%s gives more than one line", what)
	}
	return line, nil
}

// limitedWriter fails once more than left bytes are written to it.
type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(b []byte) (int, error) {
	if len(b) > l.left {
		return 0, errors.New("output too long")
	}
	l.left -= len(b)
	return l.w.Write(b)
}
