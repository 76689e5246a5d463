package xmpp

import (
	"net"
	"syscall"
)

// quickAck makes the kernel acknowledge at once what was read. A server that
// sends a stanza in several small writes otherwise waits 40 ms for the delayed
// acknowledgement of the first (Nagle's algorithm, RFC 9293 section 3.8.6). The
// kernel forgets it, so it is asked after every read.
func quickAck(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
