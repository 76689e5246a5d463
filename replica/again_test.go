package replica_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/memory"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// copyFile copies the state file of a node that is down.
func (nd *node) copyFile(from, to string) {
	nd.c.t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		nd.c.t.Fatal(err)
	}
}

// beginAnew does what the owner of a replica does after ErrAgain.
func (nd *node) beginAnew() {
	t := nd.c.t
	t.Helper()
	nd.c.eventually(func() string {
		if !nd.Again() {
			return "the old copy was not found out: " + nd.Fault()
		}
		return ""
	})
	nd.stop()
	nd.setAside()
	nd.start(0)
}

// setAside sets the state file of a node that is down aside.
func (nd *node) setAside() {
	t := nd.c.t
	t.Helper()
	old, err := store.Open(nd.path)
	if err != nil {
		t.Fatal(err)
	}
	id, err := replica.Anew(old, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	old.Close()
	id.Install = fmt.Sprintf("%s %d", nd.name, time.Now().UnixNano())
	if err := os.Rename(nd.path, nd.path+".aside"); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(nd.path)
	if err == nil {
		err = s.Update(func(tx *store.Tx) error { return tx.SetIdentity(id) })
		s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// backedUp returns two servers; what the second one's state file and directory
// were before both went on.
func backedUp(t *testing.T) (c *cluster, a, b *node, file string, dir memory.Backup) {
	c = newCluster(t, 2)
	a, b = c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	for i := range 30 {
		a.do(person(fmt.Sprintf("u%d", i), "employeeNumber", "1", "mail", "old@x"))
	}
	b.start(2)
	c.settled()
	b.do(modify(user(0), replace("title", "before")))
	c.settled()
	b.stop()
	file = b.path + ".backup"
	b.copyFile(b.path, file)
	dir = b.dir.Backup()
	b.start(2)
	c.settled()
	a.do(modify(user(1), replace("mail", "a@x")), directory.Write{Op: directory.Delete, DN: user(2)}, person("newa"))
	b.do(modify(user(3), replace("mail", "b@x")), directory.Write{Op: directory.Delete, DN: user(4)}, person("newb"))
	c.settled()
	b.stop()
	a.do(modify(user(5), replace("mail", "later@x")))
	return c, a, b, file, dir
}

// wantRoom are values that the room must hold after every restore.
func wantRoom(t *testing.T, c *cluster) {
	t.Helper()
	people := ",ou=people," + suffix
	for _, nd := range c.nodes {
		for key, want := range map[string]string{
			user(0) + " title": "before", user(1) + " mail": "a@x", user(2) + " uid": "", user(3) + " mail": "b@x", user(4) + " uid": "",
			user(5) + " mail": "later@x", "uid=newa" + people + " uid": "newa", "uid=newb" + people + " uid": "newb", user(6) + " title": "unseen",
		} {
			name, attr, _ := strings.Cut(key, " ")
			if got := strings.Join(nd.values(name, attr), " "); got != want {
				t.Errorf("%s: %s is %q, want %q", nd.name, key, got, want)
			}
		}
	}
}

// TestUselessStateFileStaysSo promises that a server which found out that its state file is
// of no more use, and died before that was set aside, knows it when it comes back, though
// nobody is there who would tell.
func TestUselessStateFileStaysSo(t *testing.T) {
	c, a, b, file, _ := backedUp(t)
	b.copyFile(file, b.path)
	b.start(2)
	c.eventually(func() string {
		if !b.Again() {
			return "the old copy was not found out: " + b.Fault()
		}
		return ""
	})
	b.stop()
	a.stop()
	b.start(2)
	if !b.Again() || b.State() != "refused" {
		t.Errorf("it is %s: %q", b.State(), b.Fault())
	}
}

func TestRestoredStateFile(t *testing.T) {
	for name, older := range map[string]bool{"newer directory": false, "directory as old": true} {
		t.Run(name, func(t *testing.T) {
			c, _, b, file, dir := backedUp(t)
			b.copyFile(file, b.path)
			if older {
				b.dir.Restore(dir)
			}
			b.do(modify(user(6), replace("title", "unseen")))
			b.start(2)
			b.beginAnew()
			c.settled()
			wantRoom(t, c)
			own := b.own()
			for _, ch := range own {
				if ch.DN != user(6) {
					t.Errorf("%s of %s was invented: %+v", ch.Op, ch.DN, ch.Mods)
				}
			}
			if len(own) != 1 || b.Identity().SID != 3 || b.Identity().Epoch != 2 {
				t.Errorf("%d changes as sid %d in life %d", len(own), b.Identity().SID, b.Identity().Epoch)
			}
			var forgotten []changelog.SID
			all, _, err := b.Serve(nil, 0)
			for _, ch := range all {
				if ch.Op == changelog.OpForget {
					forgotten = append(forgotten, ch.Peer)
				}
			}
			if err != nil || !slices.Equal(forgotten, []changelog.SID{2}) {
				t.Errorf("removed from the members: %v, %v", forgotten, err)
			}
		})
	}
}

func TestRestoredDirectoryAlone(t *testing.T) {
	c, _, b, _, dir := backedUp(t)
	b.dir.Restore(dir)
	b.do(modify(user(6), replace("title", "unseen")))
	b.start(2)
	c.settled()
	wantRoom(t, c)
}

// TestRestoredBelowALaterSuperior restores an entry that the directory reports
// before its superior, as it was moved there.
func TestRestoredBelowALaterSuperior(t *testing.T) {
	c, a, b := pair(t, person("ann"))
	late := "ou=late," + suffix
	a.do(addEntry(late, "objectClass", "organizationalUnit"))
	a.do(directory.Write{Op: directory.ModDN, DN: "uid=ann,ou=people," + suffix, NewRDN: "uid=ann", NewSuperior: late})
	c.settled()
	dir := b.dir.Backup()
	b.do(modify("uid=ann,"+late, replace("title", "since")))
	c.settled()
	b.stop()
	b.dir.Restore(dir)
	b.start(2)
	c.settled()
	if got := b.values("uid=ann,"+late, "title"); !slices.Equal(got, []string{"since"}) {
		t.Errorf("title %q", got)
	}
}

// TestNewEntryBelowATakenName adds an entry below a container that has taken the
// name of another since the last report, where both are reported later or in
// doubt: it belongs to the one that has the name now.
func TestNewEntryBelowATakenName(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	one, two, late := "ou=one,"+suffix, "ou=two,"+suffix, "ou=late,"+suffix
	a.do(base()...)
	for _, name := range []string{one, two, late} {
		a.do(addEntry(name, "objectClass", "organizationalUnit"))
	}
	b.start(2)
	c.settled()
	b.stop()
	b.dir.Restore(b.dir.Backup())
	b.do(directory.Write{Op: directory.ModDN, DN: one, NewRDN: "ou=gone", DeleteOldRDN: true, NewSuperior: late},
		directory.Write{Op: directory.ModDN, DN: two, NewRDN: "ou=one", DeleteOldRDN: true},
		addEntry("uid=ann,"+one, "objectClass", "inetOrgPerson", "cn", "Ann", "sn", "A"))
	b.start(2)
	c.settled()
	if got := a.values("uid=ann,"+one, "cn"); !slices.Equal(got, []string{"Ann"}) {
		t.Errorf("below the wrong one: %q", a.dir.Dump())
	}
}

func TestServerDoesNotBeginAnewTwiceADay(t *testing.T) {
	c, _, b, file, _ := backedUp(t)
	b.copyFile(file, b.path)
	b.do(modify(user(6), replace("title", "unseen")))
	b.start(2)
	b.beginAnew()
	c.settled()
	strange := changelog.Change{Seq: 99, CSN: changelog.CSN{Time: time.Now().UnixMicro(), SID: 3}, Op: changelog.OpDelete, ID: changelog.ID{1}}
	if _, err := b.Receive(replica.Delivery{Relay: 1, RelayRole: roles.ReadOnly, Changes: []changelog.Change{strange}}); err != nil || b.Fault() != "" {
		t.Fatalf("a server that may not write made b stop: %q, %v", b.Fault(), err)
	}
	if _, err := b.Receive(replica.Delivery{Relay: 1, RelayRole: roles.Master, Changes: []changelog.Change{strange}}); err != nil {
		t.Fatal(err)
	}
	if b.Again() || !strings.Contains(b.Fault(), "init --again") {
		t.Errorf("again %v, fault %q", b.Again(), b.Fault())
	}
}

func TestForkedAuthorIsNotFollowed(t *testing.T) {
	c, a, b := pair(t)
	b.do(person("ann"))
	c.settled()
	c.partition(true)
	fork := func(seq uint64) changelog.Change {
		return changelog.Change{Seq: seq, CSN: changelog.CSN{Time: time.Now().Add(time.Duration(seq) * time.Second).UnixMicro(), SID: 2}, Op: changelog.OpDelete, ID: changelog.ID{1}}
	}
	got, err := a.Receive(replica.Delivery{Relay: 2, RelayRole: roles.Master, Changes: []changelog.Change{fork(1), fork(2), fork(3)}})
	if err != nil || got.New != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestWhatWasNotPublishedIsNotTheRooms promises that a server that begins anew does
// not take what a twin has published for what its own directory held.
func TestWhatWasNotPublishedIsNotTheRooms(t *testing.T) {
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *store.Tx) error {
		for seq := range uint64(3) {
			c := changelog.Change{Seq: seq + 1, CSN: changelog.CSN{Time: time.Now().UnixMicro() + int64(seq), SID: 2}, Op: changelog.OpDelete, ID: changelog.ID{1}}
			if err := tx.Log.Append(&c); err != nil {
				return err
			}
		}
		return errors.Join(tx.SetPublished(2), tx.SetIdentity(store.Identity{Suffix: suffix, JID: "b@x", SID: 2, Joined: true, Adopted: true}))
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := replica.Anew(s, time.Now())
	if err != nil || id.Return == nil || id.Return.Applied[2] != 2 {
		t.Errorf("%+v, %v", id.Return, err)
	}
}

// TestNumberOfAMereHelloIsGivenBack promises that a server that has said hello under
// a number which it does not keep removes that number once it has joined.
func TestNumberOfAMereHelloIsGivenBack(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	c.settled()
	s, err := store.Open(b.path)
	if err != nil {
		t.Fatal(err)
	}
	hello := changelog.Change{Seq: 1, CSN: changelog.CSN{Time: time.Now().UnixMicro(), SID: 2}, Op: changelog.OpHeartbeat, JID: b.name, Install: "i"}
	err = s.Update(func(tx *store.Tx) error {
		return errors.Join(tx.Log.Append(&hello), tx.SetIdentity(store.Identity{Suffix: suffix, JID: b.name, Install: "i", SID: 2}))
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := replica.Anew(s, time.Now())
	if err != nil || !slices.Equal(id.Spoken, []changelog.SID{2}) {
		t.Fatalf("%+v, %v", id, err)
	}
	id.Install = "ii"
	if err := errors.Join(s.Close(), os.Remove(b.path)); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(b.path); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Update(func(tx *store.Tx) error { return tx.SetIdentity(id) }), s.Close()); err != nil {
		t.Fatal(err)
	}
	hello.JID, hello.Install, hello.CSN.Count = "other@x/ldapsync", "o", 1 // it said hello, too, and was heard
	if _, err := a.Receive(replica.Delivery{Relay: 1, RelayRole: roles.Master, Changes: []changelog.Change{hello}}); err != nil {
		t.Fatal(err)
	}
	b.start(0)
	c.eventually(func() string {
		s, err := a.Status()
		if err != nil {
			return err.Error()
		}
		for _, m := range s.Members {
			if m.SID == 2 && m.Removed != nil {
				return ""
			}
		}
		return fmt.Sprintf("b has number %d and the other is still a member", b.Identity().SID)
	})
	if b.Identity().SID == 2 {
		t.Error("b has the same number")
	}
}
