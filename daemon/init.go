package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"ldapsync/config"
	"ldapsync/muc"
	"ldapsync/roles"
)

// initWait is how long Init waits for the XMPP server and the room.
const initWait = 20 * time.Second

// Init prepares every suffix: it checks directory and account, draws the
// install id, and where the room lets this server in takes a free sid. What it
// found and what comes next it writes to out. Running it again changes nothing.
// With again it first sets the state files aside, so that the server begins anew.
func Init(ctx context.Context, cfg *config.Config, log *slog.Logger, again bool, out io.Writer) error {
	if again {
		if err := setAsideAll(cfg, out); err != nil {
			return err
		}
	}
	d, err := newDaemon(cfg, log)
	if err != nil {
		return err
	}
	defer d.close()
	for _, u := range d.units {
		if err := u.open(ctx); err != nil {
			return fmt.Errorf("suffix %s: %w", u.cfg.DN, err)
		}
		fmt.Fprintf(out, "directory %s serves %s, nothing is missing\n", u.cfg.Directory.URI, u.cfg.DN)
	}
	ctx, cancel := context.WithTimeout(ctx, initWait)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	done := errors.New("done")
	g.Go(func() error { return d.client.Run(ctx) })
	g.Go(func() error {
		for _, u := range d.units {
			if err := u.meetRoom(ctx, out); err != nil {
				return err
			}
		}
		return done
	})
	if err := g.Wait(); !errors.Is(err, done) {
		if err == nil {
			err = fmt.Errorf("no answer within %s: %w", initWait, d.client.LastError())
		}
		return err
	}
	fmt.Fprintln(out, "next: ldapsync run")
	return nil
}

// meetRoom joins the room of the suffix for as long as it takes to get a sid,
// or to learn that somebody must let this server in first.
func (u *unit) meetRoom(ctx context.Context, out io.Writer) error {
	l := u.link.Load()
	if err := l.discover(ctx); err != nil {
		return err
	}
	return l.inRoom(ctx, func(ctx context.Context) error { return u.report(ctx, out) })
}

// inRoom is in the room, which has been discovered, for as long as fn takes.
func (l *link) inRoom(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.room.Load().Run(ctx) })
	g.Go(func() error { l.follow(ctx); return nil })
	g.Go(func() error {
		defer cancel()
		return fn(ctx)
	})
	return g.Wait()
}

func (u *unit) report(ctx context.Context, out io.Writer) error {
	l := u.link.Load()
	for {
		state, _ := l.roomState()
		id := l.replica.Identity()
		if state == muc.NotAdmitted {
			fmt.Fprintf(out, "logged in as %s, install id %s\n", u.daemon.client.Addr(), id.Install)
			fmt.Fprintf(out, "room %s does not let this server in yet: on the server of an owner run\n  %s\n", l.room.Load().JID(), admitCommand(u))
			return nil
		}
		if state == muc.Joined && id.SID.Valid() {
			fmt.Fprintf(out, "logged in as %s, install id %s\n", u.daemon.client.Addr(), id.Install)
			fmt.Fprintf(out, "room %s: %s, sid %d\n", l.room.Load().JID(), l.replica.Role(), id.SID)
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// admitCommand is what an owner of the room has to run for this server.
func admitCommand(u *unit) string {
	return fmt.Sprintf("ldapsync admit %s --role %s", u.daemon.cfg.XMPP.JID, roles.Master)
}
