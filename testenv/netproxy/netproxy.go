// Package netproxy is a TCP proxy whose link a test can cut, freeze and heal.
package netproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Proxy forwards connections to its target while it is healed, which it is at
// the start. All methods may be called at any time.
type Proxy struct {
	target   string
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	state  state
	thawed chan struct{} // closed while bytes may pass
	links  map[*link]struct{}
	total  int
}

type state int

const (
	healed state = iota
	frozen
	cut
	closed
)

type link struct{ client, server net.Conn }

// Start listens on a free loopback port.
func Start(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start proxy: %w", err)
	}
	p := &Proxy{target: target, listener: l, thawed: make(chan struct{}), links: map[*link]struct{}{}}
	close(p.thawed)
	p.done.Add(1)
	go p.accept()
	return p, nil
}

// Addr is where to connect to, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut closes all connections on both sides and refuses new ones at once.
func (p *Proxy) Cut() {
	p.set(cut)
	p.closeLinks()
}

// Freeze stops all bytes in both directions without closing anything, as a
// firewall that forgot the connection or a dead cable does. New connections
// are accepted and get no answer.
func (p *Proxy) Freeze() { p.set(frozen) }

// Heal ends Cut and Freeze. What was held back by Freeze arrives now.
func (p *Proxy) Heal() { p.set(healed) }

// Connections is the number of connections ever forwarded.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// Close ends everything and waits for it.
func (p *Proxy) Close() error {
	p.set(closed)
	err := p.listener.Close()
	p.closeLinks()
	p.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) set(next state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == closed {
		return
	}
	was := p.state
	p.state = next
	switch {
	case next == frozen && was != frozen:
		p.thawed = make(chan struct{})
	case next != frozen && was == frozen:
		close(p.thawed)
	}
}

func (p *Proxy) closeLinks() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.client.Close()
		l.server.Close()
	}
	clear(p.links)
}

func (p *Proxy) accept() {
	defer p.done.Done()
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Add(1)
		go p.serve(c)
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.done.Done()
	defer client.Close()
	if p.now() >= cut {
		reset(client)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	l := &link{client, server}
	if !p.add(l) {
		reset(client)
		return
	}
	defer p.remove(l)
	var both sync.WaitGroup
	both.Go(func() { p.forward(server, client) })
	both.Go(func() { p.forward(client, server) })
	both.Wait()
}

// forward copies until either side ends, then ends the other.
func (p *Proxy) forward(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		<-p.gate()
		if _, werr := to.Write(buffer[:n]); werr != nil || err != nil {
			if err == io.EOF || err == nil {
				return
			}
			reset(to)
			return
		}
	}
}

func (p *Proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thawed
}

func (p *Proxy) now() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state >= cut {
		return false
	}
	p.links[l] = struct{}{}
	p.total++
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// reset makes the close of c a TCP reset.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}
