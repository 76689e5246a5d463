package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"mellium.im/xmpp/jid"

	"ldapsync/changelog"
	"ldapsync/config"
	"ldapsync/directory"
	"ldapsync/directory/openldap"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/replica"
	"ldapsync/schema"
	"ldapsync/store"
)

// unit is one suffix.
type unit struct {
	daemon    *daemon
	cfg       *config.Suffix
	log       *slog.Logger
	store     *store.Store
	directory *openldap.Server
	// link is nil until the directory has answered for the first time.
	link atomic.Pointer[link]
	// away is why it has not.
	away atomic.Pointer[error]
}

// open puts the suffix together. It writes nothing before directory and state
// file have been found good. An error that wraps directory.ErrUnavailable may
// be gone at the next call.
func (u *unit) open(ctx context.Context) (err error) {
	defer func() { u.away.Store(&err) }()
	suffix, err := dn.Parse(u.cfg.DN)
	if err != nil {
		return err
	}
	if u.directory == nil {
		if u.directory, err = newDirectory(u.cfg, u.log); err != nil {
			return err
		}
	}
	warnings, err := checkDirectory(ctx, u.directory)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		u.log.Warn("the directory could be set up better", "finding", w.Text, "fix", w.Fix)
	}
	s, err := u.directory.Schema(ctx)
	if err != nil {
		return err
	}
	l, err := u.newLink(suffix.Key(s))
	if err != nil {
		return err
	}
	if u.store == nil {
		if u.store, err = openStore(u.daemon.cfg, u.cfg); err != nil {
			return err
		}
	}
	l.replica, err = replica.New(ctx, replica.Config{
		Suffix: suffix, Store: u.store, Directory: u.directory, Network: l,
		Rules:  func(s *schema.Schema) dit.Rules { return u.rules(s, suffix) },
		Prefer: preference(u.cfg), Missing: meaning(u.cfg), Keep: keepIn(u.store.Path() + ".replaced.ldif"),
		KeepLog: time.Duration(u.cfg.Forget.Log),
		Unseen:  unseenIn(u.store.Path() + ".unseen.ldif"),
		Now:     time.Now, Log: u.log,
	})
	if err != nil {
		return err
	}
	l.listen()
	u.link.Store(l)
	return nil
}

func preference(cfg *config.Suffix) replica.Prefer {
	if cfg.Join.Prefer == config.PreferNewest {
		return replica.PreferNewest
	}
	return replica.PreferRoom
}

func meaning(cfg *config.Suffix) replica.Missing {
	switch cfg.Join.Missing {
	case config.MissingFill:
		return replica.MissingFill
	case config.MissingDelete:
		return replica.MissingDelete
	}
	return replica.MissingUnknown
}

// rules are those of the view under a schema.
func (u *unit) rules(s *schema.Schema, suffix dn.DN) dit.Rules {
	rules := dit.DefaultRules(s, suffix)
	rules.Unique = u.cfg.Unique
	return rules
}

// run waits for the directory, if it was away, and then serves the suffix.
func (u *unit) run(ctx context.Context) error {
	for u.link.Load() == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
		if err := u.open(ctx); err != nil && !errors.Is(err, directory.ErrUnavailable) {
			return fmt.Errorf("suffix %s: %w", u.cfg.DN, err)
		}
	}
	l := u.link.Load()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.run(ctx) })
	g.Go(func() error { return l.replica.Run(ctx) })
	return g.Wait()
}

func (u *unit) close() {
	if u.store == nil {
		return
	}
	if err := u.store.Close(); err != nil {
		u.log.Error("close the state file", "error", err)
	}
}

// newLink makes the room of the suffix, whose normalised DN is key, and the
// link to it.
func (u *unit) newLink(key string) (*link, error) {
	cfg := u.daemon.cfg
	rooms, err := optionalJID(cfg.XMPP.MUC)
	if err != nil {
		return nil, fmt.Errorf("xmpp.muc: %w", err)
	}
	service, err := optionalJID(cfg.XMPP.PubSub)
	if err != nil {
		return nil, fmt.Errorf("xmpp.pubsub: %w", err)
	}
	return &link{
		client: u.daemon.client, rooms: rooms, nick: u.cfg.Nick, suffix: key, version: Version, service: service,
		heartbeat: time.Duration(cfg.Timing.Heartbeat), sid: changelog.SID(u.cfg.SID), log: u.log,
		events: newQueue(), occupants: make(chan struct{}, 1),
		admitted: map[string]bool{}, subscribed: map[string]bool{},
	}, nil
}

// optionalJID parses an address; the zero JID for none.
func optionalJID(s string) (jid.JID, error) {
	if s == "" {
		return jid.JID{}, nil
	}
	return jid.Parse(s)
}

func newDirectory(cfg *config.Suffix, log *slog.Logger) (*openldap.Server, error) {
	roots, err := certPool(cfg.Directory.TLS.CAFile)
	if err != nil {
		return nil, fmt.Errorf("suffix %s: directory.tls.ca_file: %w", cfg.DN, err)
	}
	return openldap.New(openldap.Config{
		URI: cfg.Directory.URI, External: cfg.Directory.Bind == config.BindExternal,
		BindDN: cfg.Directory.BindDN, Password: cfg.Directory.Password,
		StartTLS: cfg.Directory.TLS.StartTLS, RootCAs: roots,
		Suffix: cfg.DN, ExcludeSubtrees: cfg.Exclude.Subtrees, ExcludeAttributes: cfg.Exclude.Attributes, Log: log,
	})
}

// MissingError is a directory that lacks something the server needs.
type MissingError struct{ Findings []openldap.Finding }

// Error names everything that is missing, in one line.
func (e *MissingError) Error() string {
	var text []string
	for _, f := range e.Findings {
		text = append(text, f.Text)
	}
	return strings.Join(text, "; ")
}

// Hint says how to mend it.
func (e *MissingError) Hint() string {
	return e.Findings[0].Fix + " ('ldapsync setup openldap' prints everything the database needs)"
}

// checkDirectory refuses a directory that lacks something, and returns what
// would only make it slow.
func checkDirectory(ctx context.Context, s *openldap.Server) (warnings []openldap.Finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	findings, err := s.Check(ctx)
	if err != nil {
		return nil, err
	}
	var missing []openldap.Finding
	for _, f := range findings {
		if f.Severity == openldap.Error {
			missing = append(missing, f)
		} else {
			warnings = append(warnings, f)
		}
	}
	if len(missing) > 0 {
		return nil, &MissingError{missing}
	}
	return warnings, nil
}

// certPool reads PEM certificates; nil for no file.
func certPool(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}
