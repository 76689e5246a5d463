package xmpp

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"mellium.im/sasl"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"
)

const (
	nsTLS = "urn:ietf:params:xml:ns:xmpp-tls"

	// loginTimeout bounds everything from dialling to the bound resource.
	loginTimeout = 30 * time.Second
	// loginAllowance and stanzaAllowance are the bytes that the server may
	// send in a login and in one stanza.
	loginAllowance  = 256 << 10
	stanzaAllowance = 4 << 20
)

// mechanisms are tried in this order. Channel binding is left out: ejabberd
// 23.01 offers it over TLS 1.3 and then refuses it.
var mechanisms = []sasl.Mechanism{sasl.ScramSha256, sasl.ScramSha1}

// login is one attempt: the stream is secure, authenticated and bound when it
// succeeds, and closed when it fails.
type login struct {
	cfg   *Config
	bound jid.JID
	wire  *wire
	link  *link
}

// run dials and negotiates. What mellium makes of a hostile server's answers
// must not end the process, hence the recover.
func (l *login) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	password, err := l.cfg.Password(ctx)
	if err != nil {
		return &FatalError{ErrPassword, err}
	}
	l.link, err = l.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.link.Close() })
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("log in: cannot understand the server: %v", p)
		}
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			l.link.Close()
		}
	}()
	if err := l.negotiate(password); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		return fmt.Errorf("log in: %w", classify(err))
	}
	return nil
}

func (l *login) negotiate(password string) error {
	state := mellium.SessionState(0)
	under := net.Conn(l.link)
	if l.link.direct {
		t := tls.Client(under, l.tls(true))
		if err := t.Handshake(); err != nil {
			return err
		}
		under, state = t, mellium.Secure
	}
	l.wire = newWire(under)
	negotiator := mellium.NewNegotiator(func(*mellium.Session, *mellium.StreamConfig) mellium.StreamConfig {
		return mellium.StreamConfig{Features: []mellium.StreamFeature{l.startTLS(), l.scram(password), l.bind()}}
	})
	account := l.cfg.JID.Bare()
	// The context is never cancelled: mellium would set deadlines.
	s, err := mellium.NewSession(context.Background(), account.Domain(), account, l.wire, state, negotiator)
	if err != nil {
		return err
	}
	// mellium takes an empty list of features for a finished negotiation.
	want := mellium.Secure | mellium.Authn
	switch {
	case s.State()&want != want || l.bound.Equal(jid.JID{}):
		return &FatalError{ErrNoSCRAM, fmt.Errorf("features ended before the login")}
	case !l.bound.Bare().Equal(account):
		return fmt.Errorf("server bound %s, not %s", l.bound, account)
	}
	return nil
}

func (l *login) tls(direct bool) *tls.Config {
	name, err := idna.Lookup.ToASCII(l.cfg.JID.Domainpart())
	if err != nil {
		name = l.cfg.JID.Domainpart()
	}
	cfg := &tls.Config{ServerName: strings.Trim(name, "[]"), RootCAs: l.cfg.RootCAs, MinVersion: tls.VersionTLS12}
	if direct {
		cfg.NextProtos = []string{"xmpp-client"}
	}
	return cfg
}

// startTLS insists: where mellium would ask for TLS that is not offered and
// then misread the answer, it says so.
func (l *login) startTLS() mellium.StreamFeature {
	feature := mellium.StartTLS(l.tls(false))
	negotiate := feature.Negotiate
	feature.Negotiate = func(ctx context.Context, s *mellium.Session, data any) (mellium.SessionState, io.ReadWriter, error) {
		if _, offered := s.Feature(nsTLS); !offered {
			return 0, nil, &FatalError{Reason: ErrNoTLS}
		}
		mask, rw, err := negotiate(ctx, s, data)
		if err != nil {
			return mask, nil, err
		}
		t, ok := rw.(*tls.Conn)
		if !ok {
			return mask, nil, &FatalError{Reason: ErrNoTLS}
		}
		if err := t.Handshake(); err != nil {
			return mask, nil, err
		}
		l.wire = newWire(t)
		return mask, l.wire, nil
	}
	return feature
}

func (l *login) scram(password string) mellium.StreamFeature {
	feature := mellium.SASL("", password, mechanisms...)
	negotiate := feature.Negotiate
	feature.Negotiate = func(ctx context.Context, s *mellium.Session, data any) (mellium.SessionState, io.ReadWriter, error) {
		offered, _ := data.([]string)
		if !slices.ContainsFunc(mechanisms, func(m sasl.Mechanism) bool { return slices.Contains(offered, m.Name) }) {
			return 0, nil, &FatalError{ErrNoSCRAM, fmt.Errorf("it offers %q", offered)}
		}
		mask, rw, err := negotiate(ctx, s, data)
		if err != nil {
			err = saslError(err)
		}
		return mask, rw, err
	}
	return feature
}

// saslError finds the condition of a SASL failure (RFC 6120 section 6.5),
// whose type mellium hides.
func saslError(err error) error {
	failure, ok := err.(interface{ TokenReader() xml.TokenReader })
	if !ok {
		return err
	}
	tokens := failure.TokenReader()
	for {
		tok, terr := tokens.Token()
		if start, ok := tok.(xml.StartElement); ok {
			switch start.Name.Local {
			case "not-authorized", "account-disabled", "credentials-expired", "invalid-authzid", "mechanism-too-weak":
				return &FatalError{ErrNotAuthorized, err}
			}
		}
		if tok == nil || terr != nil {
			return fmt.Errorf("authenticate: %w", err)
		}
	}
}
