package replica_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/memory"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// answering is a directory that may be silent, deaf or mute, see lossy.
type answering struct {
	*memory.Directory
	nd *lossy
}

func (d answering) Apply(ctx context.Context, writes []directory.Write) ([]changelog.CSN, error) {
	if d.nd.deaf {
		return nil, directory.ErrUnavailable
	}
	made, err := d.Directory.Apply(ctx, writes)
	if d.nd.silent {
		clear(made)
	}
	if d.nd.mute {
		return nil, directory.ErrUnavailable
	}
	return made, err
}

// TestNamesBetweenTwoMovesOfOurs promises that an entry which a client adds below one
// that we have moved is known to be there, though we move that one back before the
// directory has reported anything.
func TestNamesBetweenTwoMovesOfOurs(t *testing.T) {
	for name, c := range map[string]struct{ silent, read bool }{
		"answered":               {},
		"not answered":           {silent: true},
		"not answered, and read": {silent: true, read: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 1)
			a, b := h.nodes[0], h.nodes[1]
			b.silent = c.silent
			box, there := "ou=box,ou=people,"+suffix, "ou=box,ou=groups,"+suffix
			a.must(a.dir.Do(append(base(), addEntry(box, "objectClass", "organizationalUnit"))...))
			a.up()
			b.up()
			h.settle()
			id := a.dir.Find(mustDN(box))
			move := func(from, below string) {
				a.must(a.dir.Do(directory.Write{Op: directory.ModDN, DN: from, NewRDN: "ou=box", NewSuperior: below}))
				for a.step() {
				}
				_, unconfirmed, err := b.rep.StepApply(t.Context())
				if b.must(err); len(unconfirmed) > 0 {
					b.must(b.rep.StepConfirm(t.Context(), unconfirmed))
					_, _, err = b.rep.StepApply(t.Context())
					b.must(err)
				}
			}
			move(box, "ou=groups,"+suffix)
			b.must(b.dir.Do(addEntry("ou=new,"+there, "objectClass", "organizationalUnit")))
			move(there, "ou=people,"+suffix)
			if b.dir.Find(mustDN(box)) != id {
				t.Fatal("it is not back")
			}
			if c.read {
				b.must(b.rep.StepConfirm(t.Context(), []changelog.ID{id}))
			}
			for b.watch() {
			}
			b.must(b.store.View(func(tx *store.Tx) error {
				if n := tx.DelayedCount(); n > 0 {
					t.Errorf("%d reports wait for that of a superior", n)
				}
				return nil
			}))
			h.settle()
			if a.dir.Find(mustDN("ou=new," + box)).IsZero() {
				t.Errorf("not there: %q", a.dir.Dump())
			}
		})
	}
}

// TestNameThatWasTakenForAnothers promises that an entry which a complete refresh shows
// as it was known has its name, though another was thought to: what clients add below it
// is found.
func TestNameThatWasTakenForAnothers(t *testing.T) {
	c := newCluster(t, 1)
	a := c.nodes[0]
	a.start(1)
	a.do(base()...)
	c.settled()
	a.stop()
	s, err := store.Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	people := a.dir.Find(mustDN("ou=people," + suffix))
	err = s.Update(func(tx *store.Tx) error {
		m, err := tx.Image(people)
		if err != nil {
			return err
		}
		m.ID = changelog.ID{99}
		return errors.Join(tx.PutImage(m), tx.DropImage(m.ID), tx.SetCookie(nil))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	a.do(person("ann"))
	a.start(1)
	c.settled()
	if own := a.own(); !slices.ContainsFunc(own, func(ch changelog.Change) bool { return ch.DN == "uid=ann,ou=people,"+suffix }) {
		t.Errorf("not recorded: %+v", own)
	}
}

// TestClockSetBack promises that nothing of what clients write is taken for old news
// when the clock of the directory, and so its entryCSNs, went back: after what was
// reported, after a write of ours, and between two of ours of which nothing was reported.
func TestClockSetBack(t *testing.T) {
	for name, silent := range map[string]bool{"answered": false, "not answered": true} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 1)
			a, b := h.nodes[0], h.nodes[1]
			b.silent = silent
			box, there := "ou=box,ou=people,"+suffix, "ou=box,ou=groups,"+suffix
			describe := func(at, value string) directory.Write {
				return directory.Write{Op: directory.Modify, DN: at, Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "description", Values: []string{value}}}}
			}
			a.must(a.dir.Do(append(base(), addEntry(box, "objectClass", "organizationalUnit"))...))
			a.up()
			b.up()
			h.settle()
			id := a.dir.Find(mustDN(box))
			holds := func(want string) {
				t.Helper()
				h.settle()
				for _, nd := range h.nodes {
					if !slices.ContainsFunc(nd.dir.Entry(id).Attrs, func(a directory.Attribute) bool { return a.Name == "description" && a.Values[0] == want }) {
						t.Errorf("%s does not hold %s: %v", nd.name, want, nd.dir.Entry(id))
					}
				}
			}
			back := func() { h.now = h.now.Add(-time.Minute) }
			back()
			a.must(a.dir.Do(describe(box, "1")))
			holds("1")
			back()
			b.must(b.dir.Do(describe(box, "2")))
			holds("2")
			a.must(a.dir.Do(directory.Write{Op: directory.ModDN, DN: box, NewRDN: "ou=box", NewSuperior: "ou=groups," + suffix}))
			for a.step() {
			}
			for range 3 { // the move, then its stamps
				back()
				_, unconfirmed, err := b.rep.StepApply(t.Context())
				if b.must(err); len(unconfirmed) > 0 {
					b.must(b.rep.StepConfirm(t.Context(), unconfirmed))
				}
			}
			back()
			b.must(b.dir.Do(describe(there, "3")))
			holds("3")
			made := 0
			b.must(b.store.View(func(tx *store.Tx) error {
				return tx.Log.After(b.rep.Identity().SID, 0, func(c *changelog.Change) bool {
					if c.ID == id {
						made++
					}
					return true
				})
			}))
			if made != 2 {
				t.Errorf("%d changes of what clients did twice", made)
			}
		})
	}
}

// TestLaterThanWhatHadNoEffect promises that what a client writes is later than all that
// was merged of the entry before, also a move that changed nothing, as it would have put
// the entry below itself, and that the clock of its author was ahead.
func TestLaterThanWhatHadNoEffect(t *testing.T) {
	one := "ou=one," + suffix
	_, a, b := holding(t, unit(one), unit("ou=two,"+suffix), unit("ou=below,"+one))
	id, sid := b.dir.Find(mustDN(one)), a.rep.Identity().SID
	var mark changelog.Mark
	last := func(of changelog.SID) {
		t.Helper()
		b.must(b.store.View(func(tx *store.Tx) (err error) {
			mark, err = tx.Log.Mark(of)
			return err
		}))
	}
	last(sid)
	moved := changelog.Change{Seq: mark.Seq + 1, CSN: mark.CSN, Op: changelog.OpModDN, ID: id, Moved: true, Superior: b.dir.Find(mustDN("ou=below," + one))}
	moved.CSN.Time += time.Hour.Microseconds()
	got, err := b.rep.Receive(replica.Delivery{Relay: sid, RelayRole: roles.Master, Changes: []changelog.Change{moved}})
	if err != nil || got.New != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for b.step() {
	}
	b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: one, NewRDN: "ou=one", NewSuperior: "ou=two," + suffix}))
	for b.watch() {
	}
	if last(b.rep.Identity().SID); !moved.CSN.Before(mark.CSN) {
		t.Errorf("made at %s, though it knew of %s", mark.CSN, moved.CSN)
	}
}
