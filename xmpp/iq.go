package xmpp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp/element"
)

const (
	nsStanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas"

	// maxHandlers is the number of requests in work at a time; maxAnswers
	// the number of short answers that may wait to be written.
	maxHandlers = 16
	maxAnswers  = 256
)

// Pending is a request that has been written.
type Pending struct {
	session *session
	id      string
	to      jid.JID
	reply   chan *element.Element
	failed  chan error
}

func (p *Pending) fail(err error) { p.failed <- err }

// Wait returns the whole result. An error reply is a *StanzaError; when the
// session ends first, the error wraps ErrOffline. When ctx ends the answer is
// no longer waited for. Call it once.
func (p *Pending) Wait(ctx context.Context) (*element.Element, error) {
	select {
	case e := <-p.reply:
		return result(e)
	case err := <-p.failed:
		return nil, err
	case <-ctx.Done():
		p.session.forget(p.id)
		return nil, ctx.Err()
	}
}

func result(e *element.Element) (*element.Element, error) {
	if e.Attr("type") == "error" {
		return nil, stanzaError(e)
	}
	return e, nil
}

// Request writes a request and returns without waiting for the answer, so that
// requests that one goroutine makes arrive in its order.
func (c *Client) Request(ctx context.Context, to jid.JID, typ string, payload *element.Element) (*Pending, error) {
	s := c.current()
	if s == nil {
		return nil, ErrOffline
	}
	// Replies are matched by this id, so nobody must be able to guess it.
	p := &Pending{session: s, id: rand.Text(), to: to, reply: make(chan *element.Element, 1), failed: make(chan error, 1)}
	b := element.New(nsClient, "iq", "type", typ, "id", p.id, "to", to.String()).With(payload).Bytes()
	if len(b) > MaxStanza {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	if !s.remember(p) {
		return nil, ErrOffline
	}
	if err := s.write(ctx, b); err != nil {
		s.forget(p.id)
		return nil, err
	}
	return p, nil
}

// IQ sends a request (typ get or set; the zero JID means our own account) and
// waits for the answer as Pending.Wait does. Many may be outstanding.
func (c *Client) IQ(ctx context.Context, to jid.JID, typ string, payload *element.Element) (*element.Element, error) {
	p, err := c.Request(ctx, to, typ, payload)
	if err != nil {
		return nil, err
	}
	return p.Wait(ctx)
}

func (s *session) remember(p *Pending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.pending[p.id] = p
	}
	return !s.ended
}

func (s *session) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

func (s *session) receiveIQ(iq *element.Element) {
	switch iq.Attr("type") {
	case "result", "error":
		s.receiveReply(iq)
	case "get", "set":
		s.receiveRequest(iq)
	}
}

func (s *session) receiveReply(iq *element.Element) {
	s.mu.Lock()
	p := s.pending[iq.Attr("id")]
	mine := p != nil && s.repliesTo(p.to, iq.Attr("from"))
	if mine {
		delete(s.pending, p.id)
	}
	s.mu.Unlock()
	if mine {
		p.reply <- iq
	} else if p != nil {
		s.log.Warn("reply from the wrong sender dropped", "from", iq.Attr("from"), "asked", p.to.String())
	}
}

// repliesTo reports whether a reply from this sender can be to a request to
// this address. Our own account's replies come without a sender, or from its
// bare or full address (RFC 6120 section 8.1.2.1).
func (s *session) repliesTo(to jid.JID, from string) bool {
	own := to.Equal(jid.JID{}) || to.Equal(s.addr.Bare())
	if from == "" {
		return own || to.Equal(s.addr.Domain())
	}
	if from == to.String() {
		return true
	}
	sender, err := jid.Parse(from)
	if err != nil {
		return false
	}
	return sender.Equal(to) || own && (sender.Equal(s.addr.Bare()) || sender.Equal(s.addr) || sender.Equal(s.addr.Domain()))
}

// receiveRequest starts the handler of a request, or answers that there is none.
func (s *session) receiveRequest(iq *element.Element) {
	handler, quick := s.client.handlerOf(iq)
	switch {
	case handler == nil:
		s.answer(errorReply(iq, &StanzaError{Type: "cancel", Condition: "service-unavailable"}))
		return
	case quick:
		s.answer(s.reply(handler, iq))
		return
	}
	select {
	case s.client.handlers <- struct{}{}:
	default:
		s.answer(errorReply(iq, &StanzaError{Type: "wait", Condition: "resource-constraint"}))
		return
	}
	s.workers.Go(func() {
		defer func() { <-s.client.handlers }()
		_ = s.write(s.ctx, s.reply(handler, iq).Bytes())
	})
}

func (s *session) reply(handler iqHandler, iq *element.Element) *element.Element {
	payload, err := handler(s.ctx, iq)
	reply := element.New(nsClient, "iq", "type", "result", "id", iq.Attr("id"), "to", iq.Attr("from"))
	if payload != nil {
		reply.With(payload)
	}
	if err != nil {
		var se *StanzaError
		if !errors.As(err, &se) {
			s.log.Warn("request failed", "from", iq.Attr("from"), "err", err)
			se = &StanzaError{Type: "cancel", Condition: "internal-server-error"}
		}
		return errorReply(iq, se)
	}
	if n := len(reply.Bytes()); n > MaxStanza {
		s.log.Error("answer too large", "to", iq.Attr("from"), "bytes", n)
		return errorReply(iq, &StanzaError{Type: "cancel", Condition: "internal-server-error"})
	}
	return reply
}

// answer sends without waiting; with too many answers waiting it is dropped.
func (s *session) answer(reply *element.Element) {
	select {
	case s.answers <- reply:
	default:
	}
}

func (s *session) sendAnswers() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case reply := <-s.answers:
			_ = s.write(s.ctx, reply.Bytes())
		}
	}
}

func errorReply(iq *element.Element, se *StanzaError) *element.Element {
	e := element.New(nsClient, "error", "type", se.Type).With(element.New(nsStanzaErrors, se.Condition))
	if se.Text != "" {
		e.With(element.New(nsStanzaErrors, "text").WithText(se.Text))
	}
	return element.New(nsClient, "iq", "type", "error", "id", iq.Attr("id"), "to", iq.Attr("from")).With(e)
}

// stanzaError reads the error of a stanza of type error.
func stanzaError(st *element.Element) *StanzaError {
	e := st.Child(nsClient, "error")
	se := &StanzaError{Type: e.Attr("type"), Condition: "undefined-condition", By: st.Attr("from")}
	if e == nil {
		return se
	}
	for _, c := range e.Children {
		switch {
		case c.Is(nsStanzaErrors, "text"):
			se.Text = c.Text
		case c.Name.Space == nsStanzaErrors:
			se.Condition = c.Name.Local
		default:
			se.App = c.Name.Local
		}
	}
	return se
}

// ErrorOf returns the error that a received stanza of type error reports.
func ErrorOf(st *element.Element) *StanzaError { return stanzaError(st) }
