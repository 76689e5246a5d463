package simulate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/ldif"
	"ldapsync/replica"
	"ldapsync/store"
)

func (nd *node) fault() string {
	if nd.rep == nil {
		return "down"
	}
	return nd.rep.Fault()
}

// stocked adds a server that has not been started, whose directory holds entries
// of its own.
func (w *world) stocked(entries ...directory.Write) *node {
	nd := w.another()
	nd.lost = true // what clients did before it came is not watched
	nd.do(adding(suffixText, "objectClass", "organization", "objectClass", "dcObject", "o", "X", "dc", "x"))
	for _, wr := range entries {
		nd.do(wr)
	}
	return nd
}

func TestSystemE05(t *testing.T) {
	system(t, 3, func(w *world) {
		x := "cn=x," + suffixText
		nd := w.stocked(adding(x, "objectClass", "inetOrgPerson", "sn", "1", "mail", "b@x"))
		nd.lost, nd.wants = false, 2
		before := nd.server.Dump()
		w.nodes[1].do(replace(personDN, "description", "a"))
		nd.start()
		w.quiet()
		if why := nd.fault(); !strings.Contains(why, "sid 2 is in use by "+w.nodes[1].name) {
			t.Errorf("fault %q", why)
		}
		if why := w.nodes[1].fault(); why != "" {
			t.Errorf("the first has the fault %q", why)
		}
		if diff := cmp.Diff(before, nd.server.Dump()); diff != "" {
			t.Error("the directory of the second was written to: ", diff)
		}
		nd.kill()
		nd.gone = true
		w.finish()
		w.everywhere(t, personDN, "description", "a")
		for _, o := range w.members() {
			if !o.server.Find(mustDN(x)).IsZero() {
				t.Errorf("%s has an entry of the second", o.name)
			}
		}
		if made := w.authored(2); len(made) != 1 || made[0].ID != theOne {
			t.Errorf("%d changes of sid 2", len(made))
		}
	})
}

func TestSystemE07(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		w.isolate(c)
		if err := a.rep.ForgetPeer(3, true); err != nil {
			t.Fatal(err)
		}
		y := a.server.Find(mustDN("ou=b," + suffixText))
		a.do(directory.Write{Op: directory.Delete, DN: "ou=b," + suffixText})
		w.quiet()
		w.months(a, b)
		if a.life(y) != dit.Unborn || b.life(y) != dit.Unborn {
			t.Error("a tombstone is still kept for who was removed")
		}
		c.do(replace(personDN, "mail", "c@x"))
		w.quiet()
		w.heal()
		w.quiet()
		if why := c.fault(); !strings.Contains(why, "removed at ") || !strings.Contains(why, "re-join needed") {
			t.Errorf("fault %q", why)
		}
		if !slices.ContainsFunc(c.kept, func(r *ldif.Record) bool { return strings.Contains(fmt.Sprintf("%+v", *r), "c@x") }) {
			t.Errorf("%d records were exported, none with the mail", len(c.kept))
		}
		c.kill()
		c.gone = true
		w.finish()
		w.everywhere(t, personDN, "mail")
		for _, o := range w.members() {
			if o.server.Entry(y) != nil {
				t.Errorf("%s has again what was deleted", o.name)
			}
		}
	})
}

func TestSystemE15(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		p, q := "cn=p,"+suffixText, "cn=q,"+suffixText
		pairs := []string{"objectClass", "inetOrgPerson", "sn", "1", "uid", "u1", "employeeNumber", "7"}
		a.do(adding(p, pairs...))
		w.now = w.now.Add(time.Second)
		b.do(adding(q, pairs...))
		w.finish()
		for _, name := range []string{p, q} {
			w.everywhere(t, name, "uid", "u1")
			w.everywhere(t, name, "employeeNumber", "7")
		}
		for _, nd := range w.nodes {
			page, err := nd.rep.Conflicts(replica.ConflictQuery{})
			if err != nil || len(page.Conflicts) != 1 {
				t.Fatalf("%s records %+v, %v", nd.name, page.Conflicts, err)
			}
			if c := page.Conflicts[0]; c.Kind != dit.UniquenessViolation || c.Attribute != "uid" || c.Lost.Value != "u1" || c.DN != q || c.OtherDN != p {
				t.Errorf("%s records %+v", nd.name, c)
			}
		}
	})
}

// rehearse lets a server that has not been started tell what joining would do,
// and forget it.
func (nd *node) rehearse(t *testing.T) {
	t.Helper()
	before := nd.server.Dump()
	nd.start()
	nd.show()
	told := map[replica.Target][]string{}
	got, err := nd.rep.Rehearse(ctx, func(to replica.Target, rec *ldif.Record) error {
		told[to] = append(told[to], fmt.Sprintf("%s %s", rec.Change, rec.DN))
		return nil
	})
	nd.kill()
	nd.own(store.NewMemory(), nd.server)
	if err != nil || got.ByName != 2 || got.Entries != 3 {
		t.Errorf("rehearsed %+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"add cn=onlyB,dc=x"}, told[replica.ToRoom]); diff != "" {
		t.Error("to be published: ", diff)
	}
	if want := "modify cn=x,dc=x"; !slices.Contains(told[replica.ToDirectory], want) || !slices.Contains(told[replica.ToDirectory], "add cn=onlyA,dc=x") {
		t.Errorf("to be written: %q", told[replica.ToDirectory])
	}
	if diff := cmp.Diff(before, nd.server.Dump()); diff != "" {
		t.Error("a rehearsal wrote to the directory: ", diff)
	}
}

func TestSystemE11(t *testing.T) {
	for _, prefers := range []struct {
		prefer replica.Prefer
		mail   string
	}{{replica.PreferRoom, "a@x"}, {replica.PreferNewest, "b@x"}} {
		t.Run(prefers.mail, func(t *testing.T) { firstJoin(t, prefers.prefer, prefers.mail) })
	}
}

// firstJoin lets a server with entries of its own join, and expects the mail of
// the one that both have.
func firstJoin(t *testing.T, prefer replica.Prefer, mail string) {
	system(t, 3, func(w *world) {
		a := w.nodes[0]
		x, onlyA, onlyB := "cn=x,"+suffixText, "cn=onlyA,"+suffixText, "cn=onlyB,"+suffixText
		a.do(adding(x, "objectClass", "inetOrgPerson", "sn", "1", "mail", "a@x"))
		a.do(adding(onlyA, "objectClass", "inetOrgPerson", "sn", "1"))
		w.settle()
		w.now = w.now.Add(time.Minute)
		b := w.stocked(
			adding(x, "objectClass", "inetOrgPerson", "sn", "1", "mail", "b@x"),
			adding(onlyB, "objectClass", "inetOrgPerson", "sn", "1"),
		)
		b.prefer = prefer
		if prefer == replica.PreferRoom {
			b.rehearse(t)
		}
		b.server.SetRefuse(func(wr directory.Write) error {
			if wr.Op == directory.Delete {
				t.Errorf("a delete of %s", wr.DN)
			}
			return nil
		})
		b.start()
		w.finish()
		for _, name := range []string{x, onlyA, onlyB} {
			w.everywhere(t, name, "sn", "1")
		}
		w.everywhere(t, x, "mail", mail)
		if w.records(dit.NameConflict) > 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
		if !slices.ContainsFunc(w.authored(b.sid()), func(c *changelog.Change) bool { return c.Op == changelog.OpAdd }) {
			t.Error("onlyB was not added")
		}
		if len(b.kept) == 0 {
			t.Error("what was replaced was not kept")
		}
	})
}

// forget lets weeks pass and everybody forget what they may.
func (w *world) forget() {
	for range 2 {
		w.pass(40, 1)
		w.settle()
		for _, nd := range w.nodes {
			nd.stepForget()
		}
	}
}

// A server that lost its state file, and whose directory may be older than what
// the room knows it had, records a rename: others have forgotten which names the
// entry had before.
func TestRenamedInDoubtWhereOthersForgot(t *testing.T) {
	system(t, 3, func(w *world) {
		c := w.nodes[2]
		rename := func(from, to string, deleteOld bool) {
			c.do(directory.Write{Op: directory.ModDN, DN: from + "," + suffixText, NewRDN: to, DeleteOldRDN: deleteOld})
		}
		rename("cn=g", "cn=a", false)
		w.settle()
		w.forget()
		if w.stats.Forgot == 0 {
			t.Fatal("nothing was forgotten")
		}
		c.wipe()
		rename("cn=a", "cn=c", true)
		w.finish()
		w.everywhere(t, "cn=c,"+suffixText, "cn", "c", "g")
		if len(w.stats.Journal) > 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}

// What a server that has just joined says it knew, though its directory did not
// have it yet, is written down where a client's write takes its place.
func TestOverwrittenUnseenByOneThatReturned(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		w.settle()
		c.wipe()
		a.do(replace(personDN, "description", "of a"))
		c.refusing[theOne] = true
		w.quiet()
		w.quiet()
		if !c.joined {
			t.Fatal("it has not joined")
		}
		c.do(replace(personDN, "description", "of c"))
		w.finish()
		w.everywhere(t, personDN, "description", "of c")
		if !slices.ContainsFunc(c.kept, func(r *ldif.Record) bool { return strings.Contains(fmt.Sprintf("%+v", *r), "of a") }) {
			t.Errorf("%d records were kept, none with what was overwritten", len(c.kept))
		}
	})
}

// A server that was away while all who kept the log for it lost their state files
// begins anew by itself, and nothing that its clients wrote is lost.
func TestNoLogReachesBack(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		for range 2 {
			w.pass(40, 1)
			w.settle()
		}
		w.isolate(c)
		a.do(replace(personDN, "mail", "a@x"))
		w.quiet()
		c.do(replace(personDN, "description", "of c"))
		for _, nd := range []*node{a, b} {
			nd.wipe()
			w.quiet()
		}
		if a.sid() == 1 || b.sid() == 2 {
			t.Fatal("they have not returned")
		}
		w.finish()
		if c.sid() == 3 {
			t.Error("it has not begun anew")
		}
		w.everywhere(t, personDN, "mail", "a@x")
		w.everywhere(t, personDN, "description", "of c")
	})
}

// Entries below one that the room never heard of come to light when a server that
// holds it returns, though another has its name by then.
func TestAwaitedSuperiorIsNotMatchedByName(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		unit, person := "ou=new,ou=b,"+suffixText, "cn=below,ou=new,ou=b,"+suffixText
		w.isolate(a)
		b.do(adding(unit, "objectClass", "organizationalUnit"))
		w.quiet()
		c.do(adding(person, "objectClass", "inetOrgPerson", "sn", "1", "description", "kept"))
		some(func() bool { return c.stepCapture(8) })
		b.kill()
		b.gone = true
		w.heal()
		some(c.stepPublish)
		for len(w.wire) > 0 {
			w.deliverOne()
		}
		a.do(adding(unit, "objectClass", "organizationalUnit"))
		c.wipe()
		w.finish()
		w.everywhere(t, person, "description", "kept")
	})
}

// An entry whose superior nobody has any more is listed, and shown below another entry
// when an administrator asks for it, with what is below it.
func TestReleased(t *testing.T) {
	system(t, 4, func(w *world) {
		a, b, c, d := w.nodes[0], w.nodes[1], w.nodes[2], w.nodes[3]
		unit, person := "ou=new,ou=b,"+suffixText, "cn=above,ou=new,ou=b,"+suffixText
		w.isolate(a)
		w.isolate(d)
		b.do(adding(unit, "objectClass", "organizationalUnit"))
		w.quiet()
		c.do(adding(person, "objectClass", "inetOrgPerson", "sn", "1"))
		c.do(adding("cn=below,"+person, "objectClass", "inetOrgPerson", "sn", "1", "description", "kept"))
		some(func() bool { return c.stepCapture(8) })
		w.heal()
		some(c.stepPublish)
		for len(w.wire) > 0 {
			w.deliverOne()
		}
		for _, nd := range []*node{b, c} {
			nd.kill()
			nd.gone = true
		}
		w.quiet()
		list, err := d.rep.Withheld()
		if err != nil || len(list) != 1 || list[0].RDN != "cn=above" || list[0].Server != c.name[:len("n3@x")] {
			t.Fatalf("withheld are %+v, %v", list, err)
		}
		id := list[0].ID
		for below, text := range map[string]string{"ou=nowhere," + suffixText: "no entry", "ou": "not a DN"} {
			if _, err := d.rep.Release(id, below); err == nil || !strings.Contains(err.Error(), text) {
				t.Error(err)
			}
		}
		if _, err := d.rep.Release(theOne, ""); err == nil || !strings.Contains(err.Error(), "does not wait") {
			t.Error(err)
		}
		if done, err := d.rep.Release(id, "ou=b,"+suffixText); err != nil || !strings.HasSuffix(done, "cn=above,ou=b,"+suffixText) {
			t.Error(done, err)
		}
		w.finish()
		w.everywhere(t, "cn=below,cn=above,ou=b,"+suffixText, "description", "kept")
		if list, err := a.rep.Withheld(); err != nil || len(list) > 0 {
			t.Errorf("withheld are %+v, %v", list, err)
		}
	})
}

// isolate cuts all links of a server.
func (w *world) isolate(nd *node) {
	for i := range w.nodes {
		w.cut[i][nd.i], w.cut[nd.i][i] = true, true
	}
}

// An old copy of a state file is told from a server that an administrator removed,
// though its number was removed: by the same server, which had lost the file.
func TestCopyOlderThanReturn(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		c.backup = &backup{disk: c.disk.Copy()}
		a.do(replace(personDN, "mail", "a@x"))
		w.quiet()
		c.wipe()
		c.do(replace(personDN, "employeeNumber", "of c"))
		w.settle()
		returned := c.sid()
		c.do(replace(personDN, "sn", "of c"))
		c.restoreWith(func() bool { return false })
		w.finish()
		if c.sid() == returned || c.sid() == 3 {
			t.Errorf("it has number %d", c.sid())
		}
		w.everywhere(t, personDN, "mail", "a@x")
		w.everywhere(t, personDN, "employeeNumber", "of c")
		w.everywhere(t, personDN, "sn", "of c")
	})
}

// An old copy of a state file from before the server joined has the install id of
// the server that joined: that is its earlier self all the same.
func TestCopyFromBeforeJoining(t *testing.T) {
	system(t, 3, func(w *world) {
		a := w.nodes[0]
		nd := w.another()
		nd.start()
		nd.backup = &backup{disk: nd.disk.Copy()}
		w.settle()
		a.do(directory.Write{Op: directory.Delete, DN: personDN})
		nd.restoreWith(func() bool { return false })
		nd.do(replace("ou=b,"+suffixText, "description", "kept"))
		w.finish()
		w.everywhere(t, "ou=b,"+suffixText, "description", "kept")
		if nd.server.Entry(theOne) != nil {
			t.Error("what was deleted is still there")
		}
	})
}

// TestLogThatIsGone: a server was away while the only one left with the log that
// it needs left too. It waits a day for that, begins anew by itself, and loses
// nothing that its clients wrote, published or not.
func TestLogThatIsGone(t *testing.T) {
	for name, removed := range map[string]bool{"away": false, "removed": true} {
		t.Run(name, func(t *testing.T) { logThatIsGone(t, removed) })
	}
}

func logThatIsGone(t *testing.T, removed bool) {
	system(t, 3, func(w *world) {
		c, a, b := w.nodes[0], w.nodes[1], w.nodes[2]
		before := c.sid()
		c.kill()
		a.do(replace(personDN, "mail", "a@x"))
		gone := a.server.Find(mustDN("ou=b," + suffixText))
		a.do(directory.Write{Op: directory.Delete, DN: "ou=b," + suffixText})
		w.both(a, b)
		b.wipe()
		w.both(a, b)
		a.do(replace(personDN, "employeeNumber", "1"))
		w.both(a, b)
		a.kill()
		a.gone = true
		if removed {
			b.shown[a.i] = replica.Peer{}
			if err := b.rep.ForgetPeer(2, true); err != nil {
				t.Fatal(err)
			}
		}
		c.do(replace(personDN, "description", "unpublished"))
		c.do(adding("cn=new,"+suffixText, "objectClass", "inetOrgPerson", "sn", "1"))
		w.quiet()
		if st, err := c.rep.Status(); err != nil || !st.Short || c.sid() != before {
			t.Fatalf("it does not wait: short %v, sid %d, fault %q, %v", st.Short, c.sid(), st.Fault, err)
		}
		w.now = w.now.Add(25 * time.Hour)
		w.finish()
		if c.sid() == before {
			t.Error("it did not begin anew")
		}
		w.everywhere(t, personDN, "mail", "a@x")
		w.everywhere(t, personDN, "employeeNumber", "1")
		w.everywhere(t, personDN, "description", "unpublished")
		w.everywhere(t, "cn=new,"+suffixText, "sn", "1")
		for _, nd := range w.members() {
			if nd.server.Entry(gone) != nil {
				t.Errorf("%s has again what was deleted", nd.name)
			}
		}
		if n := len(w.stats.Journal); n > 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}

// TestLogsThatAreGone: of two sites each lost what it would need to tell the other what
// a server there wrote that is gone. One begins anew, and all of that is in both.
func TestLogsThatAreGone(t *testing.T) {
	system(t, 4, func(w *world) {
		here, there := w.nodes[0], w.nodes[1]
		for range 3 {
			w.now = w.now.Add(40 * day)
			w.round(0)
		}
		for _, nd := range w.nodes {
			nd.stepTrim()
		}
		lose := func(left, gone *node, attr string) {
			for _, nd := range w.nodes {
				nd.kill()
			}
			gone.do(replace(personDN, attr, "of "+attr))
			w.both(left, gone)
			left.wipe()
			w.both(left, gone)
			gone.kill()
			gone.gone = true
		}
		lose(here, w.nodes[2], "mail")
		lose(there, w.nodes[3], "employeeNumber")
		w.quiet()
		before := []changelog.SID{here.sid(), there.sid()}
		for _, nd := range []*node{here, there} {
			if st, err := nd.rep.Status(); err != nil || !st.Short {
				t.Fatalf("%s does not wait: short %v, fault %q, %v, %s", nd.name, st.Short, st.Fault, err, w.unfinished())
			}
		}
		w.finish()
		if (here.sid() == before[0]) == (there.sid() == before[1]) {
			t.Errorf("numbers were %d and are %d, %d", before, here.sid(), there.sid())
		}
		w.everywhere(t, personDN, "mail", "of mail")
		w.everywhere(t, personDN, "employeeNumber", "of employeeNumber")
	})
}

// both lets two servers work while the others are down.
func (w *world) both(a, b *node) {
	w.calm = true
	defer func() { w.calm = false }()
	for range 10 {
		w.now = w.now.Add(time.Hour)
		for _, nd := range []*node{a, b} {
			nd.start()
			nd.show()
			nd.stepTime()
			nd.stepHeartbeat()
			some(func() bool { return nd.stepCapture(8) })
			some(nd.stepPublish)
		}
		for len(w.wire) > 0 {
			w.deliverOne()
		}
		for _, nd := range []*node{a, b} {
			nd.show()
			some(nd.stepPull)
			some(nd.stepApply)
		}
	}
}
