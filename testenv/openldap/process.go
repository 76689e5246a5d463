package openldap

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// process is a child that dies with this one.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the child has ended
}

// startProcess runs bin, with env added to the environment and its output appended to
// the file log.
func startProcess(log string, env []string, bin string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, args...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel kills the child when the thread that started it ends, so
		// this one has to live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log and in ProcessState
			close(p.done)
		}
	}()
	return p, <-started
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// end sends sig and waits for the child to end, for ten seconds before it is
// killed.
func (p *process) end(sig os.Signal) error {
	_ = p.cmd.Process.Signal(sig) // an error says that it ended before
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("process %d did not end by %v and was killed", p.pid(), sig)
}

// untilReady returns when the LDAP server on addr answers a bind.
func (p *process) untilReady(ctx context.Context, addr string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if answersBind(ctx, addr) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("slapd ended: %v: %s", p.cmd.ProcessState, p.lastLog())
		case <-ctx.Done():
			return fmt.Errorf("slapd does not answer: %w: %s", ctx.Err(), p.lastLog())
		}
	}
}

// answersBind reports whether an anonymous bind is answered, be it refused.
func answersBind(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	// LDAPMessage{1, BindRequest{3, "", simple ""}} (RFC 4511 section 4.2)
	if _, err := conn.Write([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")); err != nil {
		return false
	}
	var first [1]byte
	_, err = io.ReadFull(conn, first[:])
	return err == nil
}

// lastLog returns the end of the child's output.
func (p *process) lastLog() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[max(0, len(b)-2000):]))
}
