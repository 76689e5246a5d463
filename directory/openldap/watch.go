package openldap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/ber"
	"ldapsync/dn"
)

var (
	errEnded          = errors.New("the server ended the search")
	errNoAnswer       = errors.New("the server does not answer")
	errOutcomeUnknown = errors.New("it is not known what became of a write")
)

// emptyPoll is how often a suffix without entries is looked at.
const emptyPoll = time.Second

// Watch implements directory.Directory. A suffix that has no entry is reported
// as an empty refresh, and another refresh follows when it gets one.
func (s *Server) Watch(ctx context.Context, cookie []byte, report func(directory.Event) error) error {
	from := parseCookie(cookie)
	for anew := 0; ; {
		w := &watch{server: s, report: report, at: from, resumed: from != nil, lastTry: anew == maxAnew}
		err := w.run(ctx)
		code, text, answered := resultCode(err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case w.reportFailed:
			return err
		case errors.Is(err, errNamesChanged):
			s.log.Info("directory is read again", "why", err)
			anew++
		case answered && w.resumed && !w.began && unusableCookie(code):
			s.log.Info("directory cannot resume, reads the whole suffix", "result", code, "text", text)
			from = nil
		case answered && code == ldap.LDAPResultNoSuchObject:
			if err := s.watchEmpty(ctx, report); err != nil {
				return err
			}
			from = nil
		default:
			return failure("watch "+s.cfg.Suffix, s.limitError(err))
		}
	}
}

// unusableCookie reports whether a search was refused for its cookie: it is
// from the server's future, of another database, or not understood.
func unusableCookie(code int) bool {
	return code == resultSyncRefreshRequired || code == ldap.LDAPResultUnwillingToPerform ||
		code == ldap.LDAPResultProtocolError
}

// watchEmpty reports that the suffix has no entry, and returns when it has.
func (s *Server) watchEmpty(ctx context.Context, report func(directory.Event) error) error {
	if err := s.checkServed(ctx); err != nil {
		return err
	}
	for _, e := range []directory.Event{{Kind: directory.RefreshBegin}, {Kind: directory.RefreshEnd, Complete: true}} {
		if err := report(e); err != nil {
			return err
		}
	}
	tick := time.NewTicker(emptyPoll)
	defer tick.Stop()
	for {
		written := s.intermediates.wrote()
		_, err := s.base(ctx, s.cfg.Suffix, "1.1")
		code, _, answered := resultCode(err)
		switch {
		case err == nil:
			return nil
		case !answered || code != ldap.LDAPResultNoSuchObject:
			return failure("watch "+s.cfg.Suffix, err)
		}
		select {
		case <-tick.C:
		case <-written:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch is one search that refreshes and persists.
type watch struct {
	server *Server
	report func(directory.Event) error
	// at is how far the search has come; nil until that is known.
	at cookie
	// resumed says that the search was given a cookie.
	resumed bool
	began   bool // RefreshBegin is reported
	over    bool // RefreshEnd is reported
	present bool // a present phase was part of the refresh
	// superiors are the names that matter to others when the search began; that
	// they have changed counts unless this is the last try.
	superiors map[changelog.ID]uint64
	lastTry   bool

	stream  *stream
	floors  *floors
	exclude []dn.DN
	norm    dn.Normaliser

	reportFailed bool
}

// run searches until it fails.
func (w *watch) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := w.prepare(ctx); err != nil {
		return err
	}
	var err error
	if w.superiors, err = w.server.superiors(ctx); err != nil {
		return err
	}
	conn, err := w.server.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	w.floors = w.server.intermediates.search()
	defer w.server.intermediates.forget(w.floors)
	if _, err := conn.Write(w.request()); err != nil {
		return err
	}
	w.stream = newStream(conn)
	alive := make(chan struct{})
	go func() {
		defer close(alive)
		w.guard(ctx, cancel)
	}()
	err = cause(ctx, w.loop(ctx))
	cancel(nil)
	<-alive
	return err
}

// cause returns why ctx was ended from within, else err.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}

// prepare learns who the writes are made by, and reads the schema where DNs have
// to be compared.
func (w *watch) prepare(ctx context.Context) error {
	if err := w.server.learnSelf(ctx); err != nil {
		return err
	}
	w.exclude = w.server.exclude
	if len(w.exclude) == 0 {
		return nil
	}
	sch, err := w.server.knownSchema(ctx)
	w.norm = sch
	return err
}

// request is a search of the whole suffix with a Sync Request control
// (RFC 4533 section 2.2).
func (w *watch) request() []byte {
	const refreshAndPersist = 3
	var resume []byte
	if w.resumed {
		resume = ber.String(ber.OctetString, string(w.at.bytes()))
	}
	sync := control{oid: oidSync, value: string(ber.Element(ber.Sequence, ber.Int(ber.Enumerated, refreshAndPersist), resume)), hasValue: true}
	return w.server.searchAll(allEntries, wanted, sync)
}

// loop reports messages until it fails.
func (w *watch) loop(ctx context.Context) error {
	for {
		contents, err := w.stream.next()
		if err != nil {
			return err
		}
		m, err := parseSyncMessage(contents)
		if err != nil {
			return err
		}
		if err := w.handle(ctx, m); err != nil {
			return err
		}
	}
}

// guard ends the search when the server does not answer others any more, or
// when what it has reported may not be true.
func (w *watch) guard(ctx context.Context, end context.CancelCauseFunc) {
	tick := time.NewTicker(w.server.cfg.KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.floors.failed:
			end(fmt.Errorf("%w: %w", directory.ErrUnavailable, errOutcomeUnknown))
			return
		case <-tick.C:
			if err := w.server.ping(ctx); err != nil && ctx.Err() == nil {
				end(fmt.Errorf("%w: %w: %w", directory.ErrUnavailable, errNoAnswer, err))
				return
			}
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.KeepAlive)
	defer cancel()
	_, err := s.base(ctx, "", "1.1")
	return err
}

// excluded reports whether name is in an excluded subtree.
func (w *watch) excluded(name string) bool {
	if len(w.exclude) == 0 {
		return false
	}
	d, err := dn.Parse(name)
	if err != nil {
		return false
	}
	for _, x := range w.exclude {
		if d.IsBelow(x, w.norm) || d.Equal(x, w.norm) {
			return true
		}
	}
	return false
}

// checkServed returns a SetupError unless the server has a database for the
// suffix.
func (s *Server) checkServed(ctx context.Context) error {
	root, err := s.base(ctx, "", "namingContexts")
	if err != nil {
		return err
	}
	sch, err := s.knownSchema(ctx)
	if err != nil {
		return err
	}
	contexts := root.GetAttributeValues("namingContexts")
	for _, text := range contexts {
		if d, err := dn.Parse(text); err == nil && d.Equal(s.suffix, sch) {
			return nil
		}
	}
	return &SetupError{
		Text: fmt.Sprintf("%s is no suffix of the directory at %s, which serves %s", s.cfg.Suffix, s.cfg.URI,
			orNothing(strings.Join(contexts, "; "))),
		Fix: "correct the suffix in the configuration, or add a database for it to slapd",
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
