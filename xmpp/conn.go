package xmpp

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// link is the TCP connection, below TLS. It has deadlines of its own: some
// byte must arrive every readTimeout, and a write must be taken within
// writeTimeout. Deadlines set from above are ignored, because a deadline that
// fires in the middle of a write breaks TLS for good and mellium sets one
// whenever a context is cancelled.
type link struct {
	net.Conn
	readTimeout, writeTimeout time.Duration
	direct                    bool // TLS starts at once

	heard  atomic.Int64 // time of the last byte, in Unix nanoseconds
	ending atomic.Bool  // the read deadline stands
}

func (l *link) Read(b []byte) (int, error) {
	if !l.ending.Load() {
		_ = l.Conn.SetReadDeadline(time.Now().Add(l.readTimeout))
	}
	n, err := l.Conn.Read(b)
	if n > 0 {
		l.heard.Store(time.Now().UnixNano())
		quickAck(l.Conn)
	}
	return n, err
}

func (l *link) Write(b []byte) (int, error) {
	_ = l.Conn.SetWriteDeadline(time.Now().Add(l.writeTimeout))
	return l.Conn.Write(b)
}

// endBy makes reading fail at t at the latest.
func (l *link) endBy(t time.Time) {
	l.ending.Store(true)
	_ = l.Conn.SetReadDeadline(t)
}

func (l *link) silence() time.Duration { return time.Since(time.Unix(0, l.heard.Load())) }

func (l *link) SetDeadline(time.Time) error      { return nil }
func (l *link) SetReadDeadline(time.Time) error  { return nil }
func (l *link) SetWriteDeadline(time.Time) error { return nil }

// errFlood means that the server sent one element, or a login, of more bytes
// than anybody needs.
var errFlood = errors.New("server sent too much data at once")

// wire is a connection as an XML decoder should see it. Being an
// io.ByteReader it is read without a buffer in the decoder, so that a second
// decoder can go on exactly where the first ended; and it gives at most
// allowance bytes, which bounds what a decoder can be made to hold.
type wire struct {
	net.Conn
	r         *bufio.Reader
	allowance int
}

func newWire(c net.Conn) *wire {
	return &wire{Conn: c, r: bufio.NewReaderSize(c, 16<<10), allowance: loginAllowance}
}

func (w *wire) ReadByte() (byte, error) {
	if w.allowance <= 0 {
		return 0, errFlood
	}
	w.allowance--
	return w.r.ReadByte()
}

func (w *wire) Read(b []byte) (int, error) { return w.r.Read(b) }

// ConnectionState is asked for by mellium's SASL.
func (w *wire) ConnectionState() tls.ConnectionState {
	if t, ok := w.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}
