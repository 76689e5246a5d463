package openldap

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	asn1 "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"ldapsync/directory"
)

// maxMessage is the largest message taken from a server: an entry with a group
// of some 500,000 members.
const maxMessage = 64 << 20

// asn1-ber's bounds hold for the whole process and are 2 GiB and a depth of 1,000.
func init() {
	asn1.MaxPacketLengthBytes = maxMessage
	asn1.MaxNestingDepth = 32
}

const (
	// maxIdle is how many connections are kept for later.
	maxIdle = 4
	// trusted is how long an idle connection is taken to be alive unasked.
	trusted = 5 * time.Second
)

// session is one connection with go-ldap on it.
type session struct {
	*ldap.Conn
	raw  net.Conn
	used time.Time
}

// pool keeps connections for later use.
type pool struct {
	dial func(context.Context) (net.Conn, error)

	mu     sync.Mutex
	idle   []*session
	closed bool
}

// with calls f with a connection that nobody else uses. When ctx ends the
// connection is closed under f's hands. It is used again unless f returns an
// error that wraps directory.ErrUnavailable.
func (p *pool) with(ctx context.Context, f func(*session) error) error {
	c, err := p.get(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	err = f(c)
	if stop() && !c.IsClosing() && !errors.Is(err, directory.ErrUnavailable) {
		p.put(c)
	} else {
		c.raw.Close()
	}
	return err
}

// get returns an idle connection that still works, or a new one.
func (p *pool) get(ctx context.Context) (*session, error) {
	for c := p.take(); c != nil; c = p.take() {
		if !c.IsClosing() && (time.Since(c.used) < trusted || c.alive(ctx)) {
			return c, nil
		}
		c.raw.Close()
	}
	raw, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &session{Conn: ldap.NewConn(raw, true), raw: raw}
	c.Start()
	return c, nil
}

func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return c
}

func (p *pool) put(c *session) {
	c.used = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) == maxIdle {
		c.raw.Close()
		return
	}
	p.idle = append(p.idle, c)
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.raw.Close()
	}
	p.idle = nil
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// alive reports whether the server answers.
func (c *session) alive(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	defer stop()
	_, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
		"(objectClass=*)", []string{"1.1"}, nil))
	return err == nil
}
