package xmpp

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"ldapsync/xmpp/element"
)

// Run keeps the session until ctx ends, then returns nil; or returns a
// *FatalError that no reconnect can heal. Call it once.
func (c *Client) Run(ctx context.Context) error {
	dispatched := make(chan struct{})
	go func() {
		defer close(dispatched)
		c.dispatch()
	}()
	err := c.supervise(ctx)
	c.queue.call(nil)
	<-dispatched
	return err
}

func (c *Client) supervise(ctx context.Context) error {
	delay := c.cfg.BackoffMin
	everOnline := false
	for {
		began := time.Now()
		online, err := c.connect(ctx)
		everOnline = everOnline || online
		if ctx.Err() != nil {
			return nil
		}
		var fatal *FatalError
		// A conflict at login may be our own session, not yet missed by the
		// server; one that ends a session is somebody else.
		if errors.As(err, &fatal) && (!everOnline || online && fatal.Reason == ErrConflict) {
			return err
		}
		// A session that lasted has earned a fast return.
		if online && time.Since(began) > 4*delay {
			delay = c.cfg.BackoffMin
		}
		if fatal != nil {
			delay = c.cfg.BackoffMax
		}
		wait := time.Duration((0.5 + rand.Float64()/2) * float64(delay))
		c.cfg.Log.Warn("xmpp offline", "err", err, "retry_in", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		delay = min(2*delay, c.cfg.BackoffMax)
	}
}

// connect logs in once and serves until the session ends. It reports whether
// the login succeeded, and never returns a nil error.
func (c *Client) connect(ctx context.Context) (online bool, err error) {
	l := &login{cfg: &c.cfg}
	if err := l.run(ctx); err != nil {
		c.setSession(nil, err)
		return false, err
	}
	s := newSession(ctx, c, l)
	c.setSession(s, nil)
	c.queue.call(func() { c.announce(s) })
	// Presence makes the server deliver what it kept for us.
	if err := s.write(ctx, element.New(nsClient, "presence").Bytes()); err != nil {
		s.log.Debug("initial presence", "err", err)
	}
	s.log.Info("xmpp online", "jid", s.addr.String())
	err = s.serve()
	c.setSession(nil, err)
	c.queue.call(func() { c.withdraw(err) })
	return true, err
}

func (c *Client) setSession(s *session, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session, c.lastErr = s, err
	if s != nil {
		c.addr = s.addr
		c.sessions++
	}
}

// dispatch runs the handlers until it meets a nil call.
func (c *Client) dispatch() {
	defer c.running.Wait()
	for {
		for _, e := range c.queue.take() {
			switch {
			case e.stanza != nil:
				c.deliver(e.stanza)
			case e.run != nil:
				e.run()
			default:
				return
			}
			c.queue.done(e)
		}
	}
}

func (c *Client) deliver(st *element.Element) {
	c.mu.Lock()
	entries := c.messages.entries
	if st.Name.Local == "presence" {
		entries = c.presence.entries
	}
	c.mu.Unlock()
	for _, h := range entries {
		if h.fn(st) {
			return
		}
	}
	c.cfg.Log.Debug("nobody wants a stanza", "name", st.Name.Local, "from", st.Attr("from"))
}

// announce and withdraw tell of a change of state, in order with the stanzas.
func (c *Client) announce(s *session) {
	c.online = s
	for _, h := range c.onState.entries {
		h.fn(true, nil)
	}
	for _, h := range c.onOnline.entries {
		c.callOnline(h.fn)
	}
}

func (c *Client) withdraw(err error) {
	c.online = nil
	for _, h := range c.onState.entries {
		h.fn(false, err)
	}
}

func (c *Client) callOnline(fn func(context.Context)) {
	ctx := c.online.ctx
	c.running.Go(func() { fn(ctx) })
}
