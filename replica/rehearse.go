package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/ldif"
	"ldapsync/plan"
)

// Rehearsal counts what joining would do.
type Rehearsal struct {
	Matched
	// Returns says that the room knows earlier installs of this server.
	Returns bool
	// Room counts the changes that would be published, Directory the entries
	// that would be written.
	Room, Directory int
}

// Target is where a rehearsed write would go.
type Target uint8

// The targets.
const (
	ToRoom Target = iota
	ToDirectory
)

// Rehearse joins on a store that is thrown away afterwards, and tells what would
// be published and then what would be written to the directory, as change
// records without passwords. The directory is only read, and nothing is sent but
// pulls. Run must not be running; an error that wraps ErrRefused says why joining
// would be refused.
func (r *Replica) Rehearse(ctx context.Context, tell func(Target, *ldif.Record) error) (Rehearsal, error) {
	var out Rehearsal
	if err := r.pullAll(ctx); err != nil {
		return out, err
	}
	m, err := r.match(ctx)
	out.Matched, out.Returns = m.Matched, m.ret != nil
	if err != nil {
		return out, err
	}
	if _, err := r.enter(m); err != nil {
		return out, err
	}
	if err := r.refreshOnce(ctx); err != nil {
		return out, err
	}
	err = r.tellChanges(func(rec *ldif.Record) error {
		out.Room++
		return tell(ToRoom, rec)
	})
	if err != nil {
		return out, err
	}
	return out, r.tellWrites(func(rec *ldif.Record) error {
		out.Directory++
		return tell(ToDirectory, rec)
	})
}

// ErrRefused says that the directory cannot join as it is.
var ErrRefused = errMismatch

// pullAll fills the store from the room.
func (r *Replica) pullAll(ctx context.Context) error {
	for {
		more, err := r.StepPull(ctx)
		switch {
		case err != nil && !offline(err) && ctx.Err() == nil:
			r.log.Warn("will try again", "error", err)
		case more:
			continue
		case err == nil && r.caughtUp():
			return r.TakeSID(0)
		}
		if !r.wait(ctx, 100*time.Millisecond, nil) {
			return fmt.Errorf("fill from the room: no server that is ready was seen: %w", context.Cause(ctx))
		}
	}
}

// refreshOnce takes the whole content of the directory over.
func (r *Replica) refreshOnce(ctx context.Context) error {
	c, cookie, err := r.BeginCapture()
	if err != nil {
		return err
	}
	var batch []directory.Event
	err = r.cfg.Directory.Watch(ctx, cookie, func(e directory.Event) error {
		if batch = append(batch, e); len(batch) < maxRun && e.Kind != directory.RefreshEnd {
			return nil
		}
		if err := c.Step(ctx, batch); err != nil {
			return err
		}
		if batch = batch[:0]; e.Kind == directory.RefreshEnd {
			return errMatched
		}
		return nil
	})
	if !errors.Is(err, errMatched) {
		return fmt.Errorf("read the directory: %w", err)
	}
	return nil
}

// tellChanges tells the changes of this server that alter entries.
func (r *Replica) tellChanges(tell func(*ldif.Record) error) error {
	sid := r.sid()
	for seq := uint64(0); ; {
		var p page
		err := r.view(func(w *work) error {
			if err := w.Log.After(sid, seq, p.add); err != nil {
				return err
			}
			for i := range p.changes {
				rec := w.changeRecord(&p.changes[i])
				if rec == nil {
					continue
				}
				if err := tell(withoutPasswords(rec)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(p.changes) == 0 {
			return err
		}
		seq = p.changes[len(p.changes)-1].Seq
	}
}

// tellWrites tells what leads from the images of the marked entries to their
// views.
func (r *Replica) tellWrites(tell func(*ldif.Record) error) error {
	var gen uint64
	for done := false; !done; {
		err := r.view(func(w *work) error {
			marks, err := w.DirtyAfter(gen, plan.BatchSize)
			if err != nil {
				return err
			}
			done = len(marks) == 0
			for _, d := range marks {
				gen = d.Gen
				u, err := w.planning().Unit(d)
				if err != nil {
					return err
				}
				rec, err := w.writeRecord(u)
				if err == nil && rec != nil {
					err = tell(withoutPasswords(rec))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writeRecord returns what a unit has to do, a rename with the modification that
// follows in one, nil for nothing.
func (w *work) writeRecord(u *plan.Unit) (*ldif.Record, error) {
	if w.Same(u.Have, u.Want) {
		return nil, nil
	}
	rec := &ldif.Record{}
	if u.Have != nil {
		rec.DN = w.spell(u.Have)
	}
	switch u.Kind() {
	case directory.Add:
		name, _, err := w.dit.DN(u.ID)
		if err != nil {
			return nil, err
		}
		rec.DN, rec.Change = name.String(), ldif.Add
		for _, a := range u.Want.Attrs {
			rec.Attrs = append(rec.Attrs, ldif.Attribute{Name: a.Name, Values: a.Values})
		}
	case directory.Delete:
		rec.Change = ldif.Delete
	case directory.ModDN:
		name, _, err := w.dit.DN(u.Want.Parent)
		if err != nil {
			return nil, err
		}
		above := name.String()
		rec.Change, rec.NewRDN, rec.DeleteOldRDN, rec.NewSuperior = ldif.ModDN, u.RDN.String(), true, &above
	case directory.Modify:
		rec.Change, rec.Mods = ldif.Modify, modsOf(w.Mods(u.Have.Attrs, u.Want.Attrs))
	}
	return rec, nil
}

func modsOf(mods []changelog.Mod) (out []ldif.Mod) {
	for _, m := range mods {
		out = append(out, ldif.Mod{Op: ldif.ModOp(m.Op.String()), Attr: m.Attr, Values: m.Values})
	}
	return out
}

// withoutPasswords returns a record as it is shown to people.
func withoutPasswords(rec *ldif.Record) *ldif.Record {
	hide := func(attr string, values []string) []string {
		base, _, _ := strings.Cut(attr, ";")
		if !strings.EqualFold(base, "userPassword") || len(values) == 0 {
			return values
		}
		return []string{"(not shown)"}
	}
	for i, a := range rec.Attrs {
		rec.Attrs[i].Values = hide(a.Name, a.Values)
	}
	for i, m := range rec.Mods {
		rec.Mods[i].Values = hide(m.Attr, m.Values)
	}
	return rec
}
