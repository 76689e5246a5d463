package prosody

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// errPortTaken means that Prosody runs but cannot listen.
var errPortTaken = errors.New("a port was taken by another process")

const startTimeout = 20 * time.Second

// waitReady returns when the server answers a stream header for its domain.
func (s *Server) waitReady() error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	timeout := time.After(startTimeout)
	for {
		select {
		case <-s.child.exited:
			return fmt.Errorf("prosody ended: %s", s.console())
		case <-timeout:
			return fmt.Errorf("prosody does not answer: %s", s.console())
		case <-poll.C:
		}
		if !s.listening() {
			continue
		}
		if bytes.Contains(s.console(), []byte("Failed to open server port")) {
			return errPortTaken
		}
		return nil
	}
}

func (s *Server) console() []byte {
	b, _ := os.ReadFile(filepath.Join(s.Dir, "console.log"))
	return b
}

func (s *Server) listening() bool {
	c, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(c, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='%s'>", s.Domain)
	answer := make([]byte, 4096)
	n, _ := c.Read(answer)
	return bytes.Contains(answer[:n], []byte("from='"+s.Domain+"'"))
}

type ports struct{ c2s, tls, proxy int }

// freePorts asks the kernel for ports; all are held until all are chosen.
func freePorts() (ports, error) {
	var numbers [3]int
	for i := range numbers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports{}, fmt.Errorf("find free ports: %w", err)
		}
		defer l.Close()
		numbers[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports{numbers[0], numbers[1], numbers[2]}, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
