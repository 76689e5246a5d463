package openldap

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"time"
)

//go:embed testdata/clock.c
var clockSource []byte

// clock returns the environment of a server whose clock can be turned, by a library
// that is made for it.
func (s *Server) clock() ([]string, error) {
	if !s.opts.Clock {
		return nil, nil
	}
	source, library, off := s.path("clock.c"), s.path("clock.so"), s.path("clock")
	env := []string{"LD_PRELOAD=" + library, "TEST_CLOCK=" + off}
	if _, err := os.Stat(library); err == nil {
		return env, nil
	}
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		return nil, err
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the clock: %w: %s", err, out)
	}
	return env, os.WriteFile(off, make([]byte, 8), 0o600)
}

// TurnClock sets by how much the clock of a server with Options.Clock is off, in whole
// seconds.
func (s *Server) TurnClock(off time.Duration) error {
	f, err := os.OpenFile(s.path("clock"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(binary.NativeEndian.AppendUint64(nil, uint64(off/time.Second)))
	return err
}
