// Package openldap is the directory of a site that runs OpenLDAP's slapd, 2.5
// or later. It reads the suffix by content synchronisation (RFC 4533) and
// writes to it with the Relax and Assertion (RFC 4528) controls.
//
// It decides nothing about replication and stores nothing: what to resume
// with is the caller's to keep. DESIGN.md names what slapd does not promise and
// how this package makes up for it.
package openldap

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/schema"
)

// Config says which server holds which suffix, and who is asking.
type Config struct {
	// URI is ldap://host[:port], ldaps://host[:port], ldapi:/// (the system's
	// slapd) or ldapi://path with the path percent-encoded.
	URI string
	// BindDN and Password are for a simple bind. Password is called for every
	// connection.
	BindDN   string
	Password func(context.Context) (string, error)
	// External binds with SASL EXTERNAL instead: on ldapi, as the process's
	// user.
	External bool
	// StartTLS secures an ldap:// connection before anything else is sent.
	StartTLS bool
	// RootCAs verify the server's certificate; nil means the system's.
	RootCAs *x509.CertPool
	// Suffix is the DN of the database's suffix.
	Suffix string
	// ExcludeSubtrees are DNs below which nothing is reported. What is moved
	// out of one is reported only as it changes later.
	ExcludeSubtrees []string
	// ExcludeAttributes are attribute types that are not reported.
	ExcludeAttributes []string
	// KeepAlive is how often Watch makes sure that the server still answers;
	// zero means 20 seconds. A server that does not for twice as long is away.
	KeepAlive time.Duration
	// Timeout bounds every call but Watch; zero means two minutes.
	Timeout time.Duration
	// Log is told about what goes wrong and is put right; nil means nobody is.
	Log *slog.Logger
}

const (
	defaultKeepAlive = 20 * time.Second
	defaultTimeout   = 2 * time.Minute
)

// Server is a directory.Directory. It connects when it is first used and again
// when a connection was lost, and is safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	suffix  dn.DN
	exclude []dn.DN
	hidden  map[string]bool // excluded attribute types, in lower case
	pool    pool
	writer  semaphore // held by a batch of writes
	out     *writer   // belongs to the holder of writer; nil until the first write
	self    atomic.Pointer[string]

	intermediates *intermediates

	mu     sync.Mutex
	schema *schema.Schema // the last one read
}

var _ directory.Directory = (*Server)(nil)

// New returns the server of c, without connecting to it.
func New(c Config) (*Server, error) {
	c.KeepAlive = cmp.Or(c.KeepAlive, defaultKeepAlive)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	s := &Server{cfg: c, log: c.Log, hidden: map[string]bool{}, writer: make(semaphore, 1), intermediates: newIntermediates()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if _, err := parseURI(c.URI); err != nil {
		return nil, err
	}
	var err error
	if s.suffix, err = dn.Parse(c.Suffix); err != nil {
		return nil, fmt.Errorf("suffix: %w", err)
	}
	for _, text := range c.ExcludeSubtrees {
		d, err := dn.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("excluded subtree: %w", err)
		}
		s.exclude = append(s.exclude, d)
	}
	for _, a := range c.ExcludeAttributes {
		s.hidden[strings.ToLower(a)] = true
	}
	s.pool.dial = s.connect
	return s, nil
}

// Close closes the idle connections. Calls that are under way go on.
func (s *Server) Close() {
	s.pool.close()
	select {
	case s.writer <- struct{}{}:
		s.letGo()
	default:
	}
}

// Schema reads cn=Subschema, or what the root DSE names in its place.
func (s *Server) Schema(ctx context.Context) (*schema.Schema, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	root, err := s.base(ctx, "", "subschemaSubentry")
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	sub, err := s.base(ctx, cmp.Or(root.GetAttributeValue("subschemaSubentry"), "cn=Subschema"),
		"attributeTypes", "objectClasses")
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	sch, err := schema.Parse(sub.GetAttributeValues("attributeTypes"), sub.GetAttributeValues("objectClasses"))
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema = sch
	return sch, nil
}

// knownSchema returns the schema that was read last, or reads it.
func (s *Server) knownSchema(ctx context.Context) (*schema.Schema, error) {
	s.mu.Lock()
	sch := s.schema
	s.mu.Unlock()
	if sch != nil {
		return sch, nil
	}
	return s.Schema(ctx)
}
