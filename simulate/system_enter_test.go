package simulate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/ldif"
	"ldapsync/roles"
	"ldapsync/store"
)

// A server that brings data, and has compared it with the room's when it turns out
// that it has to be filled anew, compares it again: else all would be added twice.
func TestFilledAnewAfterMatching(t *testing.T) {
	system(t, 3, func(w *world) {
		a := w.nodes[0]
		nd := w.stocked(adding("ou=a,"+suffixText, "objectClass", "organizationalUnit"))
		nd.start()
		for range 5 {
			nd.show()
			for nd.stepPull() {
			}
			nd.stepJoin() // says hello, which nobody hears
		}
		w.isolate(nd)
		w.wire = nil
		for i := range 4 {
			w.pass(40, 1)
			a.do(replace(personDN, "employeeNumber", fmt.Sprint(i)))
			for _, o := range w.nodes[:3] {
				o.stepHeartbeat()
			}
			w.quiet()
			for _, o := range w.nodes[:3] {
				o.stepTime()
			}
		}
		for _, o := range w.nodes[:3] {
			o.readLog(func(l *changelog.Log) error {
				if has := nd.vectorNow()[1].Seq; l.First(1) <= has+1 {
					t.Fatalf("the log of %s reaches back to what the newcomer has, %d", o.name, has)
				}
				return nil
			})
		}
		w.finish()
		if made := w.authored(nd.sid()); len(made) > 0 {
			t.Errorf("it made %d changes, the first %s", len(made), showChange(made[0]))
		}
		if w.records(dit.NameConflict) > 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}

// A directory that was restored from a backup holds an entry whose deletion another
// server has forgotten, and clients write to it and below it. Nobody could be told of it:
// it goes again, and is written down.
func TestOldDirectoryHoldsWhatAnotherForgot(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		c.backup = &backup{disk: c.disk.Copy(), tree: c.server.Backup()}
		a.do(directory.Write{Op: directory.Delete, DN: personDN})
		w.deletionForgottenBy(a)
		a.read(func(_ *store.Tx, s *dit.State) error {
			if life, err := s.Life(theOne); err != nil || life != dit.Unborn {
				t.Fatalf("life %v, %v: it is not forgotten", life, err)
			}
			return nil
		})
		c.restoreWith(func() bool { return true })
		c.do(replace(personDN, "employeeNumber", "upon it"))
		c.do(adding("cn=new,"+personDN, "objectClass", "inetOrgPerson", "sn", "below it"))
		w.finish()
		for _, nd := range w.nodes {
			if nd.server.Entry(theOne) != nil || !nd.server.Find(mustDN("cn=new,"+personDN)).IsZero() {
				t.Errorf("%s has it", nd.name)
			}
		}
		for _, what := range []string{"upon it", "below it"} {
			if !slices.ContainsFunc(c.kept, func(r *ldif.Record) bool { return strings.Contains(fmt.Sprintf("%+v", *r), what) }) {
				t.Errorf("what was written %s was not written down", what)
			}
		}
	})
}

// As above, but a client moves an entry below one that is forgotten, and on to another,
// and the first is deleted before the server hears of it: neither move is recorded, since
// where those are forgotten the entry would be gone with them.
func TestMovedBelowWhatAnotherForgot(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		first, second := "ou=b,"+suffixText, "ou=new,"+suffixText
		a.do(adding(second, "objectClass", "organizationalUnit"))
		w.quiet()
		c.backup = &backup{disk: c.disk.Copy(), tree: c.server.Backup()}
		a.do(directory.Write{Op: directory.Delete, DN: first})
		a.do(directory.Write{Op: directory.Delete, DN: second})
		w.deletionForgottenBy(a)
		c.restoreWith(func() bool { return true })
		w.untilKept(t, c)
		c.do(directory.Write{Op: directory.ModDN, DN: personDN, NewRDN: "cn=a", NewSuperior: first})
		c.do(directory.Write{Op: directory.ModDN, DN: "cn=a," + first, NewRDN: "cn=a", NewSuperior: second})
		some(c.stepApply)
		if !c.server.Find(mustDN(first)).IsZero() {
			t.Fatal("the first is still there")
		}
		w.finish()
		w.everywhere(t, personDN, "sn", "1", "2")
	})
}

// A client renames an entry that was matched by its name and is yet to become the
// room's, to a name that the room's class does not allow. Every directory would refuse
// it: the rename is undone, and written down.
func TestRenamedBeforeItBecameTheRooms(t *testing.T) {
	system(t, 3, func(w *world) {
		group := "cn=both," + suffixText
		w.nodes[0].do(adding(group, "objectClass", "groupOfNames", "member", personDN))
		w.quiet()
		nd := w.stocked(adding(group, "objectClass", "inetOrgPerson", "sn", "1", "description", "own"))
		nd.start()
		w.untilKept(t, nd)
		nd.do(directory.Write{Op: directory.ModDN, DN: group, NewRDN: "uid=own"})
		w.finish()
		w.everywhere(t, group, "member", personDN)
		if !slices.ContainsFunc(nd.kept, func(r *ldif.Record) bool { return strings.HasPrefix(r.DN, "uid=own,") }) {
			t.Error("the rename was not written down")
		}
	})
}

// deletionForgottenBy lets years pass in which a server forgets what is deleted. The logs
// are not trimmed: the deletion still stands there.
func (w *world) deletionForgottenBy(forgetful *node) {
	w.quiet()
	for range 6 {
		w.pass(100, 1)
		for _, nd := range w.nodes {
			nd.stepHeartbeat()
		}
		w.quiet()
		forgetful.stepForget()
	}
}

// untilKept lets everybody work, but write nothing to directories, until a server that
// joins has written down what the room's state will replace.
func (w *world) untilKept(t *testing.T, nd *node) {
	t.Helper()
	for n := 0; len(nd.kept) == 0; n++ {
		if n == 20 {
			t.Fatal("nothing was matched")
		}
		w.now = w.now.Add(time.Second)
		for _, o := range w.nodes {
			o.show()
			some(o.stepPull)
			some(func() bool { return o.stepCapture(8) })
			some(o.stepPublish)
		}
		for len(w.wire) > 0 {
			w.deliverOne()
		}
	}
}

// A deleted entry that is shown because of what stands below it is forgotten by
// nobody: what a server that returned adds below it is recorded.
func TestReturnBelowGlue(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		unit := "ou=b," + suffixText
		id := a.server.Find(mustDN(unit))
		w.isolate(b)
		a.do(directory.Write{Op: directory.Delete, DN: unit})
		b.do(adding("cn=kept,"+unit, "objectClass", "inetOrgPerson", "sn", "1"))
		w.settle()
		w.forget()
		if c.server.Entry(id) == nil {
			t.Fatal("there is no glue")
		}
		c.wipe()
		c.do(adding("cn=new,"+unit, "objectClass", "inetOrgPerson", "sn", "2"))
		w.finish()
		w.everywhere(t, "cn=kept,"+unit, "sn", "1")
		w.everywhere(t, "cn=new,"+unit, "sn", "2")
		if len(c.kept) > 0 {
			t.Errorf("%d entries were written down", len(c.kept))
		}
	})
}

// Nothing is written to an entry, or below one, whose superior has gone while a
// client moved it away unseen: it has no name yet.
func TestNothingBelowWhatHasNoName(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		w.isolate(c)
		a.do(directory.Write{Op: directory.ModDN, DN: personDN, NewRDN: "cn=a", NewSuperior: suffixText})
		a.do(adding("ou=n,cn=a,"+suffixText, "objectClass", "organizationalUnit"))
		a.do(directory.Write{Op: directory.Delete, DN: "ou=a," + suffixText})
		w.quiet()
		w.heal()
		c.between = func() {
			c.do(directory.Write{Op: directory.ModDN, DN: personDN, NewRDN: "cn=b", NewSuperior: "ou=b," + suffixText})
		}
		c.server.SetRefuse(func(wr directory.Write) error {
			for _, name := range []string{wr.DN, wr.NewSuperior} {
				if _, err := dn.Parse(name); err != nil {
					t.Errorf("a write to %q: %v", name, err)
				}
			}
			return nil
		})
		w.quiet()
		if c.between != nil {
			t.Fatal("nothing was written between")
		}
		w.finish()
	})
}

// A change that a read-only server kept as denied is a trace of what it put back.
func TestDeniedIsATrace(t *testing.T) {
	system(t, 3, func(w *world) {
		b := w.nodes[1]
		w.settle()
		b.wipe()
		w.settle()
		b.promote(roles.ReadOnly)
		b.do(replace(personDN, "employeeNumber", "token-2.1"))
		b.refusing[theOne] = true // what puts it back
		w.quiet()
		b.do(replace(personDN, "sn", "7"))
		b.promote(roles.Master)
		delete(b.refusing, theOne)
		w.finish()
	})
}
