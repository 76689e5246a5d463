package openldap

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/directory/ber"
)

// address is where a URI leads.
type address struct {
	network, addr, host string
	tls                 bool
}

// systemSockets are where distributions put slapd's ldapi socket.
var systemSockets = []string{"/run/slapd/ldapi", "/var/run/slapd/ldapi", "/run/ldapi", "/var/run/ldapi", "/run/openldap/ldapi"}

func parseURI(uri string) (address, error) {
	bad := func() (address, error) {
		return address{}, fmt.Errorf("%.100q is not ldap://host, ldaps://host or ldapi://", uri)
	}
	if path, ok := strings.CutPrefix(uri, "ldapi://"); ok {
		path, err := url.PathUnescape(strings.TrimSuffix(path, "/"))
		if err != nil {
			return bad()
		}
		return address{network: "unix", addr: socketPath(path)}, nil
	}
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return bad()
	}
	port := map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	if port == "" {
		return bad()
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return address{network: "tcp", addr: net.JoinHostPort(u.Hostname(), port), host: u.Hostname(), tls: u.Scheme == "ldaps"}, nil
}

// socketPath returns path, or when it is empty the system's socket.
func socketPath(path string) string {
	if path != "" {
		return path
	}
	for _, p := range systemSockets {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return systemSockets[0]
}

// dialer notices within half a minute that the other host is gone.
var dialer = net.Dialer{
	Timeout:         10 * time.Second,
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
}

// dial connects and secures the connection, without an identity yet.
func (s *Server) dial(ctx context.Context) (net.Conn, error) {
	a, err := parseURI(s.cfg.URI)
	if err != nil {
		return nil, err
	}
	conn, err := dialer.DialContext(ctx, a.network, a.addr)
	if err != nil {
		return nil, err
	}
	if !a.tls && !s.cfg.StartTLS || a.network == "unix" {
		return conn, nil
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if !a.tls {
		if err := startTLS(conn); err != nil {
			conn.Close()
			return nil, fmt.Errorf("StartTLS: %w", err)
		}
	}
	secure := tls.Client(conn, &tls.Config{ServerName: a.host, RootCAs: s.cfg.RootCAs, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, certificateError(err)
	}
	return secure, nil
}

// certificateError tells a certificate that cannot be trusted, which stays so,
// from a network that failed.
func certificateError(err error) error {
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) {
		return &SetupError{
			Text: "the directory's certificate cannot be trusted: " + verify.Err.Error(),
			Fix:  "name the file of the authority that signed it as the directory's tls ca_file",
		}
	}
	return err
}

// Requests of the two connections' beginnings (RFC 4511 sections 4.2, 4.14).
const (
	bindRequest      = ber.Application | ber.Constructed
	bindResponse     = ber.Application | ber.Constructed | 1
	extendedRequest  = ber.Application | ber.Constructed | 23
	extendedResponse = ber.Application | ber.Constructed | 24

	oidStartTLS = "1.3.6.1.4.1.1466.20037"
)

func startTLS(conn net.Conn) error {
	return ask(conn, ber.Element(extendedRequest, ber.String(ber.Context, oidStartTLS)), extendedResponse)
}

// bindRaw gives conn the identity of the configuration.
func (s *Server) bindRaw(ctx context.Context, conn net.Conn) error {
	var name, credentials []byte
	if s.cfg.External {
		name = ber.String(ber.OctetString, "")
		credentials = ber.Element(ber.Context|ber.Constructed|3, ber.String(ber.OctetString, "EXTERNAL"), ber.String(ber.OctetString, ""))
	} else {
		password, err := s.password(ctx)
		if err != nil {
			return err
		}
		name = ber.String(ber.OctetString, s.cfg.BindDN)
		credentials = ber.String(ber.Context, password)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	return s.bindError(ask(conn, ber.Element(bindRequest, ber.Int(ber.Integer, 3), name, credentials), bindResponse))
}

func (s *Server) password(ctx context.Context) (string, error) {
	if s.cfg.Password == nil {
		return "", &SetupError{Text: "no password for " + s.cfg.BindDN, Fix: "name a password file or command"}
	}
	p, err := s.cfg.Password(ctx)
	if err != nil {
		return "", fmt.Errorf("password of %s: %w", s.cfg.BindDN, err)
	}
	if p == "" { // would be an anonymous bind (RFC 4513 section 5.1.2)
		return "", &SetupError{Text: "the password of " + s.cfg.BindDN + " is empty", Fix: "put it in its file"}
	}
	return p, nil
}

// ask sends the only request that is under way on conn and reads its response.
// The server has nothing else to send; if it does, it is lost.
func ask(conn net.Conn, op []byte, want byte) error {
	if _, err := conn.Write(ber.Element(ber.Sequence, ber.Int(ber.Integer, 1), op)); err != nil {
		return err
	}
	body, err := ber.ReadMessage(bufio.NewReaderSize(conn, 16), nil, 1<<16)
	if err != nil {
		return err
	}
	c := ber.NewCursor(string(body))
	c.Int(ber.Integer)
	return readResult(c.Enter(want))
}

// readResult reads the components of an LDAPResult (RFC 4511 section 4.1.9)
// and returns them as an error unless they say success.
func readResult(c *ber.Cursor) error {
	code, matched, text := c.Int(ber.Enumerated), c.Bytes(ber.OctetString), c.Bytes(ber.OctetString)
	switch {
	case c.Err() != nil:
		return c.Err()
	case code != ldap.LDAPResultSuccess:
		return &ldap.Error{ResultCode: uint16(code), MatchedDN: matched, Err: errors.New(text)}
	}
	return nil
}

// connect opens a connection with the identity of the configuration.
func (s *Server) connect(ctx context.Context) (net.Conn, error) {
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, failure("connect to "+s.cfg.URI, err)
	}
	if err := s.bindRaw(ctx, conn); err != nil {
		conn.Close()
		return nil, failure("connect to "+s.cfg.URI, err)
	}
	return conn, nil
}
