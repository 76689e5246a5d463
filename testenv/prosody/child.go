package prosody

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// child is a process that does not outlive ours.
type child struct {
	process *os.Process
	exited  chan struct{} // closed when it has been waited for
}

func startChild(log, name string, args ...string) (*child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	// The terminal's Ctrl-C does not reach it: who started it ends it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	c := &child{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that forked ends, so that
		// thread is kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer out.Close()
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(c.exited)
		}
	}()
	return c, <-started
}

func (c *child) pid() int { return c.process.Pid }

// end sends sig and waits; a child that does not obey within five seconds is killed.
func (c *child) end(sig syscall.Signal) error {
	_ = c.process.Signal(sig)
	select {
	case <-c.exited:
		return nil
	case <-time.After(5 * time.Second):
	}
	err := c.process.Kill()
	<-c.exited
	return err
}
