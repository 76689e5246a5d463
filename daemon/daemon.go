// Package daemon puts a server together: one XMPP session, and for every
// suffix its store, directory, replica and room, with the control socket
// beside them. It decides nothing about data.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"mellium.im/xmpp/jid"

	"ldapsync/config"
	"ldapsync/control"
	"ldapsync/directory"
	"ldapsync/protocol"
	"ldapsync/replica"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Version is set at build time.
var Version = "devel"

// daemon is a running server.
type daemon struct {
	cfg     *config.Config
	log     *slog.Logger
	client  *xmpp.Client
	units   []*unit
	started time.Time
	// since is when the XMPP session last began or ended.
	since atomic.Pointer[time.Time]
}

// Run serves every suffix of the configuration until ctx ends, and returns nil
// then. It returns an error at once when something stands in the way that only
// an administrator can mend. A state file that is of no more use is set
// aside, and everything begins anew.
func Run(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	for {
		if err := run(ctx, cfg, log); !errors.Is(err, replica.ErrAgain) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func run(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	d, err := newDaemon(cfg, log)
	if err != nil {
		return err
	}
	defer d.close()
	for _, u := range d.units {
		if err := u.open(ctx); err != nil && !errors.Is(err, directory.ErrUnavailable) {
			return fmt.Errorf("suffix %s: %w", u.cfg.DN, err)
		}
	}
	client := d.client
	client.OnState(func(bool, error) {
		now := time.Now()
		d.since.Store(&now)
	})
	client.HandleIQ(protocol.NS, "pull", d.pull)
	client.HandleIQ(protocol.NS, "snapshot", d.snapshot)
	log.Info("ldapsync started", "version", Version, "jid", cfg.XMPP.JID, "suffixes", len(cfg.Suffixes))
	err = d.serve(ctx)
	if aside := d.setAside(); aside != nil {
		return aside
	}
	if ctx.Err() != nil {
		log.Info("ldapsync stopped")
		return nil
	}
	return err
}

// newDaemon returns a server whose suffixes are not open yet.
func newDaemon(cfg *config.Config, log *slog.Logger) (*daemon, error) {
	d := &daemon{cfg: cfg, log: log, started: time.Now()}
	var err error
	if d.client, err = newClient(cfg, log); err != nil {
		return nil, err
	}
	for i := range cfg.Suffixes {
		s := &cfg.Suffixes[i]
		d.units = append(d.units, &unit{daemon: d, cfg: s, log: log.With("suffix", s.DN)})
	}
	return d, nil
}

// serve runs everything until one part fails or ctx ends.
func (d *daemon) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.client.Run(ctx) })
	g.Go(func() error { return control.Serve(ctx, d.cfg.Control.Socket, d) })
	for _, u := range d.units {
		g.Go(func() error { return u.run(ctx) })
	}
	return g.Wait()
}

// setAside sets the state files aside that are of no more use, and
// returns replica.ErrAgain when there were any.
func (d *daemon) setAside() error {
	var again error
	for _, u := range d.units {
		l := u.link.Load()
		if l == nil || !l.replica.Again() {
			continue
		}
		why := l.replica.Fault()
		kept, err := setAside(u.store)
		u.store = nil
		if err != nil {
			return fmt.Errorf("suffix %s: %w", u.cfg.DN, err)
		}
		u.log.Warn("the state file is of no more use; it is kept, and this server begins anew with what its directory holds", "why", why, "kept", kept)
		again = replica.ErrAgain
	}
	return again
}

func (d *daemon) close() {
	for _, u := range d.units {
		u.close()
	}
}

// pull hands a pull of another server to the suffix it asks for.
func (d *daemon) pull(_ context.Context, iq *element.Element) (*element.Element, error) {
	ask, err := protocol.ParsePull(iq.Child(protocol.NS, "pull"))
	if err != nil {
		return nil, &xmpp.StanzaError{Type: "modify", Condition: "bad-request", Text: err.Error()}
	}
	l, err := d.linkOf(ask.Suffix)
	if err != nil {
		return nil, err
	}
	return l.serve(iq, ask)
}

// linkOf returns the room of a suffix as other servers name it.
func (d *daemon) linkOf(suffix string) (*link, error) {
	for _, u := range d.units {
		if l := u.link.Load(); l != nil && l.suffix == suffix {
			return l, nil
		}
	}
	return nil, &xmpp.StanzaError{Type: "cancel", Condition: "item-not-found", Text: "no such suffix here"}
}

func newClient(cfg *config.Config, log *slog.Logger) (*xmpp.Client, error) {
	address, err := jid.Parse(cfg.XMPP.JID)
	if err != nil {
		return nil, fmt.Errorf("xmpp.jid: %w", err)
	}
	roots, err := certPool(cfg.XMPP.TLS.CAFile)
	if err != nil {
		return nil, fmt.Errorf("xmpp.tls.ca_file: %w", err)
	}
	if _, err := cfg.XMPP.Password(context.Background()); err != nil {
		return nil, fmt.Errorf("xmpp: %w", err)
	}
	ping := time.Duration(cfg.Timing.Ping)
	return xmpp.New(xmpp.Config{
		JID: address, Password: cfg.XMPP.Password, Server: cfg.XMPP.Server, DirectTLS: cfg.XMPP.DirectTLS,
		RootCAs: roots, PingEvery: ping, ReadTimeout: 3 * ping, BackoffMax: time.Duration(cfg.Timing.Reconnect), Log: log,
	}), nil
}
