package xmpp

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp/element"
)

const (
	nsStream       = "http://etherx.jabber.org/streams"
	nsStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams"
	nsPing         = "urn:xmpp:ping"

	// lastWords is how long the server may take to say why it no longer
	// listens, and to answer our goodbye.
	lastWords = time.Second
)

// session is one login, from the bound resource to the end of the link. The
// stream was negotiated by mellium and is read and written here: mellium's
// Serve answers requests before their handler can, lets a stanza from anybody
// that contains a stream error end the stream, and blocks on slow readers.
type session struct {
	client *Client
	log    *slog.Logger
	wire   *wire
	link   *link
	addr   jid.JID

	// ctx ends with the session.
	ctx    context.Context
	cancel context.CancelFunc

	// writing is held, by having put a token in, during a write.
	writing chan struct{}
	answers chan *element.Element
	workers sync.WaitGroup

	mu      sync.Mutex
	cause   error // the first failure of a write
	pending map[string]*Pending
	ended   bool
}

func newSession(ctx context.Context, c *Client, l *login) *session {
	s := &session{
		client: c, log: c.cfg.Log, wire: l.wire, link: l.link, addr: l.bound,
		writing: make(chan struct{}, 1),
		answers: make(chan *element.Element, maxAnswers),
		pending: map[string]*Pending{},
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// serve reads until the link ends or ctx does, and returns why, which is
// never nil.
func (s *session) serve() error {
	var tasks sync.WaitGroup
	tasks.Go(s.keepAlive)
	tasks.Go(s.sendAnswers)
	tasks.Go(s.goodbye)
	err := s.read()
	s.cancel()
	s.link.Close()
	err = s.failPending(err)
	tasks.Wait()
	s.workers.Wait()
	return err
}

// goodbye waits for the end of ctx, then closes the stream in good order and
// bounds the wait for the server's answer.
func (s *session) goodbye() {
	<-s.ctx.Done()
	s.link.endBy(time.Now().Add(lastWords))
	select {
	case s.writing <- struct{}{}:
		_, _ = s.wire.Write([]byte("</stream:stream>"))
		<-s.writing
	case <-time.After(lastWords):
	}
}

// read decodes stanzas, and nothing else: a handler that waits here would keep
// the answer it waits for from being read.
func (s *session) read() error {
	// The stream's root has been read by mellium.
	root := strings.NewReader("<stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStream + "'>")
	d := &depthReader{r: xml.NewDecoder(&prefixed{ByteReader: s.wire, prefix: root})}
	for {
		s.wire.allowance = stanzaAllowance
		tok, err := d.Token()
		if err != nil {
			return s.readError(err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if d.depth == 1 {
				continue
			}
			if err := s.receive(d, t.Copy()); err != nil {
				return err
			}
		case xml.EndElement:
			return errors.New("server closed the stream")
		}
	}
}

func (s *session) readError(err error) error {
	if errors.Is(err, errFlood) {
		return err
	}
	var silent interface{ Timeout() bool }
	if errors.As(err, &silent) && silent.Timeout() && !s.link.ending.Load() {
		return fmt.Errorf("nothing heard from the server for %s", s.link.readTimeout)
	}
	return fmt.Errorf("read: %w", err)
}

// receive reads the rest of one stream-level element. One beyond the limits is
// skipped; only XML that is broken, or flows without end, ends the session.
func (s *session) receive(d *depthReader, start xml.StartElement) error {
	e, err := element.Decode(d, start, element.StanzaLimits)
	if errors.Is(err, element.ErrLimit) {
		s.log.Warn("stanza beyond all limits dropped", "name", start.Name.Local)
		err = d.skipTo(1)
		if err == nil {
			return nil
		}
	}
	if err != nil {
		return s.readError(err)
	}
	if e.Name.Space == nsStream {
		return streamError(e)
	}
	if e.Name.Space != nsClient {
		return nil
	}
	switch e.Name.Local {
	case "iq":
		s.receiveIQ(e)
	case "message", "presence":
		return s.client.queue.stanza(e)
	}
	return nil
}

func streamError(e *element.Element) error {
	if e.Name.Local != "error" {
		return fmt.Errorf("server sent an unexpected <stream:%s>", e.Name.Local)
	}
	se := &StreamError{Condition: "undefined-condition"}
	for _, c := range e.Children {
		switch {
		case c.Is(nsStreamErrors, "text"):
			se.Text = c.Text
		case c.Name.Space == nsStreamErrors:
			se.Condition = c.Name.Local
		}
	}
	return classify(se)
}

// write sends bytes that are whole stanzas. Waiting for one's turn ends with
// ctx, the write itself only with the link: half a stanza would end the
// session anyway.
func (s *session) write(ctx context.Context, b []byte) error {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return ErrOffline
	}
	defer func() { <-s.writing }()
	if s.ctx.Err() != nil {
		return ErrOffline
	}
	if _, err := s.wire.Write(b); err != nil {
		s.writeFailed(err)
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return nil
}

// writeFailed ends the session, after having let the server say why.
func (s *session) writeFailed(err error) {
	s.mu.Lock()
	if s.cause == nil {
		s.cause = fmt.Errorf("write: %w", err)
	}
	s.mu.Unlock()
	s.link.endBy(time.Now().Add(lastWords))
}

// failPending ends all requests and returns why the session ended: what the
// server said rather than what a write met.
func (s *session) failPending(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var said *StreamError
	if s.cause != nil && !errors.As(err, &said) {
		err = s.cause
	}
	s.ended = true
	for id, p := range s.pending {
		delete(s.pending, id)
		p.fail(fmt.Errorf("%w: %w", ErrOffline, err))
	}
	return err
}

// keepAlive asks the server for a sign of life (XEP-0199) when it has been
// quiet; the link's read timeout judges the answer.
func (s *session) keepAlive() {
	tick := time.NewTicker(s.client.cfg.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		if s.link.silence() < s.client.cfg.PingEvery/2 {
			continue
		}
		ping := element.New(nsClient, "iq", "type", "get", "id", rand.Text(), "to", s.addr.Domain().String()).
			With(element.New(nsPing, "ping"))
		_ = s.write(s.ctx, ping.Bytes())
	}
}

// depthReader counts the elements that are open.
type depthReader struct {
	r     xml.TokenReader
	depth int
}

func (d *depthReader) Token() (xml.Token, error) {
	tok, err := d.r.Token()
	switch tok.(type) {
	case xml.StartElement:
		d.depth++
	case xml.EndElement:
		d.depth--
	}
	return tok, err
}

func (d *depthReader) skipTo(depth int) error {
	for d.depth > depth {
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	return nil
}

// prefixed reads prefix, then the ByteReader.
type prefixed struct {
	io.ByteReader
	prefix *strings.Reader
}

func (p *prefixed) ReadByte() (byte, error) {
	if p.prefix.Len() > 0 {
		return p.prefix.ReadByte()
	}
	return p.ByteReader.ReadByte()
}

// Read is never called by an XML decoder, which prefers ReadByte.
func (p *prefixed) Read(b []byte) (int, error) {
	c, err := p.ReadByte()
	if err != nil || len(b) == 0 {
		return 0, err
	}
	b[0] = c
	return 1, nil
}
