package xmpp

import (
	"context"
	"net"
	"time"

	"mellium.im/xmpp/jid"
)

// Attach makes c believe that it is logged in over conn, and serves until the
// link ends.
func Attach(ctx context.Context, c *Client, conn net.Conn, addr jid.JID) error {
	k := &link{Conn: conn, readTimeout: time.Minute, writeTimeout: time.Minute}
	s := newSession(ctx, c, &login{cfg: &c.cfg, link: k, wire: newWire(k), bound: addr})
	c.setSession(s, nil)
	return s.serve()
}

// Queued returns the bytes that wait for handlers.
func (c *Client) Queued() int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.queue.bytes
}

const (
	MaxQueued       = maxQueued
	StanzaAllowance = stanzaAllowance
)
