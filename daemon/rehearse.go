package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"ldapsync/config"
	"ldapsync/ldif"
	"ldapsync/muc"
	"ldapsync/replica"
	"ldapsync/store"
)

// ErrJoined says that there is no joining to rehearse.
var ErrJoined = errors.New("this server has joined its room already")

// Rehearse writes to out, for every suffix, what would happen if this server
// joined its room now, as LDIF and counts; with again, if its state file were set
// aside before. It writes neither to the directory nor to the room, and its own
// copy of the room is thrown away. The daemon must not be running.
func Rehearse(ctx context.Context, cfg *config.Config, log *slog.Logger, again bool, out io.Writer) error {
	scratch, err := os.MkdirTemp("", "ldapsync-dry-run-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	trial := *cfg
	trial.State.Dir = scratch
	for i := range cfg.Suffixes {
		if err := prepareTrial(cfg, &trial, i, again); err != nil {
			return fmt.Errorf("suffix %s: %w", cfg.Suffixes[i].DN, err)
		}
	}
	d, err := newDaemon(&trial, log)
	if err != nil {
		return err
	}
	defer d.close()
	for _, u := range d.units {
		if err := u.open(ctx); err != nil {
			return fmt.Errorf("suffix %s: %w", u.cfg.DN, err)
		}
		u.link.Load().trial = true
	}
	g, ctx := errgroup.WithContext(ctx)
	done := errors.New("done")
	g.Go(func() error { return d.client.Run(ctx) })
	g.Go(func() error {
		for _, u := range d.units {
			if err := u.rehearse(ctx, out); err != nil {
				return fmt.Errorf("suffix %s: %w", u.cfg.DN, err)
			}
		}
		return done
	})
	if err := g.Wait(); !errors.Is(err, done) {
		return err
	}
	return nil
}

// prepareTrial makes the state file of a trial from that of suffix i, which is
// not changed.
func prepareTrial(cfg, trial *config.Config, i int, again bool) error {
	path := statePath(cfg, &cfg.Suffixes[i])
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	defer s.Close()
	var id store.Identity
	err = s.View(func(t *store.Tx) (err error) {
		id, err = t.Identity()
		return err
	})
	if err != nil {
		return err
	}
	if again {
		if id, err = replica.Anew(s, time.Now()); err != nil {
			return err
		}
	} else if id.Joined {
		return ErrJoined
	}
	id.Install, id.SID = newInstall(), 0
	return makeStore(statePath(trial, &cfg.Suffixes[i]), id)
}

// rehearse joins the room of the suffix for as long as it takes.
func (u *unit) rehearse(ctx context.Context, out io.Writer) error {
	l := u.link.Load()
	wait, stop := context.WithTimeout(ctx, initWait)
	defer stop()
	if err := l.discover(wait); err != nil {
		return err
	}
	return l.inRoom(ctx, func(ctx context.Context) error {
		if err := u.awaitPeers(wait); err != nil {
			return err
		}
		return u.tellRehearsal(ctx, out)
	})
}

// awaitPeers waits until a server of the room is seen.
func (u *unit) awaitPeers(ctx context.Context) error {
	l := u.link.Load()
	for len(l.replica.Peers()) == 0 {
		switch state, err := l.roomState(); {
		case state == muc.NotAdmitted:
			return fmt.Errorf("the room does not let this server in yet; on the server of an owner run: %s", admitCommand(u))
		case ctx.Err() != nil && state == muc.Joined:
			return errors.New("no other server is in the room: this one's directory would be where the suffix begins, or it would wait")
		case ctx.Err() != nil:
			return errors.Join(fmt.Errorf("not in the room within %s", initWait), err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (u *unit) tellRehearsal(ctx context.Context, out io.Writer) error {
	w := ldif.NewWriter(out)
	if err := w.Comment("what would be published as changes of " + u.cfg.DN); err != nil {
		return err
	}
	target := replica.ToRoom
	did, err := u.link.Load().replica.Rehearse(ctx, func(to replica.Target, rec *ldif.Record) error {
		if to != target {
			target = to
			if err := w.Comment("what would be written to the directory"); err != nil {
				return err
			}
		}
		return w.Write(rec)
	})
	if err != nil {
		return err
	}
	how := "joins for the first time"
	if did.Returns {
		how = "returns"
	}
	_, err = fmt.Fprintf(out, "# the server %s: of %d entries here %d are matched by entryUUID, %d by name; %d changes would be published, %d entries written here\n",
		how, did.Entries, did.ByID, did.ByName, did.Room, did.Directory)
	return err
}
