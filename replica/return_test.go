package replica_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// beat makes a node that is down have published a heartbeat that covers all it
// has stored.
func (nd *node) beat() {
	nd.c.t.Helper()
	nd.beatOf(changelog.Vector.Seqs)
}

// beatOf is beat with a heartbeat that covers less.
func (nd *node) beatOf(covered func(changelog.Vector) changelog.Seqs) {
	nd.c.t.Helper()
	s, err := store.Open(nd.path)
	if err != nil {
		nd.c.t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(func(tx *store.Tx) error {
		id, err := tx.Identity()
		if err != nil {
			return err
		}
		v, err := tx.Log.Vector()
		if err != nil {
			return err
		}
		mark, seen := v[id.SID], covered(v)
		delete(seen, id.SID)
		csn := changelog.CSN{Time: max(time.Now().UnixMicro(), mark.CSN.Time+1), SID: id.SID}
		return tx.Log.Append(&changelog.Change{
			Op: changelog.OpHeartbeat, Seq: mark.Seq + 1, CSN: csn, Seen: seen, Except: tx.GivenUpIDs(changelog.MaxExcept), JID: strings.TrimSuffix(nd.name, "/ldapsync"), Install: id.Install,
		})
	})
	if err != nil {
		nd.c.t.Fatal(err)
	}
}

// wipe removes the state file of a node that is down.
func (nd *node) wipe() {
	nd.c.t.Helper()
	if err := os.Remove(nd.path); err != nil {
		nd.c.t.Fatal(err)
	}
}

// counted counts the writes that the replica makes in a directory.
func (nd *node) counted() func() int {
	var mu sync.Mutex
	n := 0
	nd.dir.SetRefuse(func(directory.Write) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		return nil
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// returning returns two servers that held the same people; the second one's
// state file is lost.
func returning(t *testing.T, people int) (c *cluster, a, b *node) {
	c, a, b = heard(t, people)
	b.wipe()
	return c, a, b
}

// heard returns two servers that hold the same people; the second one, which is
// down, has said so.
func heard(t *testing.T, people int) (c *cluster, a, b *node) {
	c = newCluster(t, 2)
	a, b = c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	for i := range people {
		a.do(person(fmt.Sprintf("u%d", i), "employeeNumber", "1", "mail", "old@x"))
	}
	b.start(2)
	c.settled()
	b.stop()
	b.beat()
	b.start(2)
	c.settled()
	b.stop()
	return c, a, b
}

func user(i int) string { return fmt.Sprintf("uid=u%d,ou=people,%s", i, suffix) }

// own returns the changes of entries that the node itself has made.
func (nd *node) own() (out []changelog.Change) {
	all, _, err := nd.Serve(nil, 0)
	if err != nil {
		nd.c.t.Fatal(err)
	}
	for _, c := range all {
		if c.SID() == nd.Identity().SID && c.Op.Alters() {
			out = append(out, c)
		}
	}
	return out
}

// E16 of the system's scenarios.
func TestLostStoreIsRebuiltWithoutRewritingTheDirectory(t *testing.T) {
	c, a, b := returning(t, 1000)
	b.do(modify(user(500), replace("title", "b")))
	a.do(modify(user(500), replace("mail", "a@x")))
	writes := b.counted()
	b.start(2)
	c.settled()
	if b.Identity().SID != 3 {
		t.Errorf("the new self took sid %d", b.Identity().SID)
	}
	own := b.own()
	if len(own) != 1 || own[0].Op != changelog.OpModify || own[0].DN != user(500) {
		t.Errorf("%d changes, want the one of the client: %+v", len(own), own)
	}
	for _, m := range first(own).Mods {
		if !slices.Contains([]string{"title", "modifytimestamp", "modifiersname"}, strings.ToLower(m.Attr)) {
			t.Errorf("the change also says %+v", m)
		}
	}
	if n := writes(); n > 1 {
		t.Errorf("%d writes to the directory, want at most 1", n)
	}
	t.Logf("1003 entries: %d changes, %d writes", len(own), writes())
	for _, nd := range c.nodes {
		if !slices.Equal(nd.values(user(500), "title"), []string{"b"}) || !slices.Equal(nd.values(user(500), "mail"), []string{"a@x"}) {
			t.Errorf("%s: title %q, mail %q", nd.name, nd.values(user(500), "title"), nd.values(user(500), "mail"))
		}
	}
	if len(b.kept) != 0 {
		t.Errorf("%d entries were written down", len(b.kept))
	}
}

func TestWhatClientsDidWhileTheStoreWasLost(t *testing.T) {
	c, a, b := returning(t, 20)
	people := "ou=people," + suffix
	a.do(modify(user(1), replace("employeeNumber", "a")), // both replace it
		directory.Write{Op: directory.ModDN, DN: user(2), NewRDN: "uid=two", DeleteOldRDN: true},
		directory.Write{Op: directory.Delete, DN: user(3)},
		directory.Write{Op: directory.Delete, DN: user(4)},
		modify(user(5), changelog.Mod{Op: changelog.ModAdd, Attr: "mail", Values: []string{"second@x"}}),
		modify(user(6), changelog.Mod{Op: changelog.ModDelete, Attr: "mail", Values: []string{"old@x"}}),
		modify(user(11), replace("mail", "a@x")),
		person("newa"))
	b.do(modify(user(1), replace("employeeNumber", "b")),
		modify(user(4), replace("title", "of the deleted")),
		modify(user(5), changelog.Mod{Op: changelog.ModAdd, Attr: "mail", Values: []string{"third@x"}}),
		directory.Write{Op: directory.Delete, DN: user(7)},
		modify(user(8), changelog.Mod{Op: changelog.ModDelete, Attr: "mail", Values: []string{"old@x"}}),
		directory.Write{Op: directory.ModDN, DN: user(9), NewRDN: "uid=nine", DeleteOldRDN: true},
		directory.Write{Op: directory.ModDN, DN: user(10), NewRDN: "uid=u10", NewSuperior: "ou=groups," + suffix},
		modify(user(11), replace("mail", "b@x")),
		person("newb"))
	b.start(2)
	c.settled()
	want := map[string][]string{
		user(1) + " employeeNumber":            {"a"}, // and b's is written down
		"uid=two," + people + " mail":          {"old@x"},
		user(3) + " uid":                       nil,
		user(4) + " uid":                       nil,
		user(5) + " mail":                      {"old@x", "second@x", "third@x"},
		user(6) + " mail":                      nil,
		user(7) + " uid":                       nil,
		user(8) + " mail":                      nil,
		"uid=nine," + people + " uid":          {"nine"},
		"uid=u10,ou=groups," + suffix + " uid": {"u10"},
		user(11) + " mail":                     {"a@x"}, // and b's is written down
		"uid=newa," + people + " uid":          {"newa"},
		"uid=newb," + people + " uid":          {"newb"},
	}
	for key, values := range want {
		name, attr, _ := strings.Cut(key, " ")
		got := slices.Sorted(slices.Values(a.values(name, attr)))
		if !slices.Equal(got, values) {
			t.Errorf("%s: %q, want %q", key, got, values)
		}
	}
	if got := b.keptValues("employeeNumber"); !slices.Contains(got, "b") {
		t.Errorf("written down: %q", got)
	}
	if got := b.keptValues("mail"); !slices.Contains(got, "b@x") {
		t.Errorf("written down: %q", got)
	}
	if got := b.keptValues("title"); len(got) != 0 {
		t.Errorf("the change of a deleted entry belongs into the journal, not into a file: %q", got)
	}
	if s, err := a.Status(); err != nil || s.Conflicts == 0 {
		t.Errorf("%d conflicts, want the change of the deleted entry, %v", s.Conflicts, err)
	}
	for _, ch := range b.own() {
		t.Logf("%s %s %+v", ch.Op, ch.DN, ch.Mods)
	}
}

func TestDirectoryThatLacksMuch(t *testing.T) {
	for name, tt := range map[string]struct {
		missing replica.Missing
		left    int // of 43
		refused bool
		want    int
	}{
		"empty":              {replica.MissingUnknown, 0, false, 43},
		"empty, delete":      {replica.MissingDelete, 0, false, 43},
		"half":               {replica.MissingUnknown, 23, true, 0},
		"half, to be filled": {replica.MissingFill, 23, false, 43},
		"half, deleted":      {replica.MissingDelete, 23, false, 23},
		"a few":              {replica.MissingUnknown, 38, false, 38},
	} {
		t.Run(name, func(t *testing.T) {
			c, a, b := returning(t, 40)
			var gone []directory.Write
			for i := range 43 - max(tt.left, 3) {
				gone = append(gone, directory.Write{Op: directory.Delete, DN: user(i)})
			}
			if tt.left == 0 {
				for i := 43 - 3; i < 40; i++ {
					gone = append(gone, directory.Write{Op: directory.Delete, DN: user(i)})
				}
				for _, name := range []string{"ou=people," + suffix, "ou=groups," + suffix, suffix} {
					gone = append(gone, directory.Write{Op: directory.Delete, DN: name})
				}
			}
			b.do(gone...)
			b.missing = tt.missing
			b.start(2)
			if tt.refused {
				c.eventually(func() string {
					if !strings.Contains(b.Fault(), "lacks 20 of the 43 entries") {
						return "not refused: " + b.Fault()
					}
					return ""
				})
				if len(a.dir.IDs()) != 43 || len(b.dir.IDs()) != 23 {
					t.Errorf("%d and %d entries", len(a.dir.IDs()), len(b.dir.IDs()))
				}
				return
			}
			c.settled()
			if n := len(a.dir.IDs()); n != tt.want {
				t.Errorf("%d entries, want %d", n, tt.want)
			}
		})
	}
}

// first returns the first change, the zero one when there is none.
func first(list []changelog.Change) (c changelog.Change) {
	if len(list) > 0 {
		c = list[0]
	}
	return c
}

// A store that is filled by snapshot finds its directory as one filled from logs.
func TestLostStoreIsRebuiltFromASnapshot(t *testing.T) {
	c, a, b := returning(t, 60)
	a.do(modify(user(30), replace("mail", "a@x")))
	c.settled()
	trim(t, a)
	b.do(modify(user(30), replace("title", "b")), directory.Write{Op: directory.Delete, DN: user(7)})
	writes := b.counted()
	b.start(2)
	c.settled()
	if b.pageCount() == 0 {
		t.Error("no snapshot was taken")
	}
	if n := b.Counts()["captured"]; n != 2 || writes() > 1 {
		t.Errorf("%d changes, %d writes, want 2 and 1", n, writes())
	}
	if !slices.Equal(a.values(user(30), "title"), []string{"b"}) || a.values(user(7), "uid") != nil {
		t.Errorf("title %q, deleted %q", a.values(user(30), "title"), a.values(user(7), "uid"))
	}
}

// What the room does not know was added here, or was deleted there and forgotten.
func TestWhatTheRoomDoesNotKnow(t *testing.T) {
	for name, removed := range map[string]bool{"a member": false, "removed": true} {
		t.Run(name, func(t *testing.T) {
			c, a, b := returning(t, 5)
			b.do(person("old"))
			// it was heard of two hours later, by its clock
			v, err := a.Vector()
			if err != nil {
				t.Fatal(err)
			}
			ahead := 2 * time.Hour
			beat := changelog.Change{Op: changelog.OpHeartbeat, Seq: v[2].Seq + 1, CSN: changelog.CSN{Time: time.Now().Add(ahead).UnixMicro(), SID: 2}, Seen: v.Seqs()}
			delete(beat.Seen, 2)
			if _, err := a.Receive(replica.Delivery{Relay: 2, RelayRole: roles.Master, Changes: []changelog.Change{beat}}); err != nil {
				t.Fatal(err)
			}
			b.dir = b.dir.Copy(func() time.Time { return time.Now().Add(ahead) }, func() changelog.ID { return changelog.ID{0: 2, 13: 9} })
			b.do(person("new"))
			if removed {
				if err := a.ForgetPeer(2, true); err != nil {
					t.Fatal(err)
				}
			}
			b.start(2)
			c.settled()
			people := ",ou=people," + suffix
			for _, nd := range c.nodes {
				if got := nd.values("uid=old"+people, "uid") == nil; got != removed {
					t.Errorf("%s: the old entry is gone %v, want %v", nd.name, got, removed)
				}
				if nd.values("uid=new"+people, "uid") == nil {
					t.Errorf("%s lacks the new entry", nd.name)
				}
			}
			if got := b.keptValues("uid"); slices.Contains(got, "old") != removed {
				t.Errorf("written down: %q", got)
			}
		})
	}
}

// TestEarlierSelfIsRemovedOnceAllowed promises that the earlier self of a server
// that returned read-only does not stay a member for ever.
func TestEarlierSelfIsRemovedOnceAllowed(t *testing.T) {
	c, a, b := returning(t, 3)
	removed := func() bool {
		s, err := a.Status()
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(s.Members, func(m replica.MemberStatus) bool { return m.SID == 2 && m.Removed != nil })
	}
	b.setRole(roles.ReadOnly)
	b.start(2)
	c.eventually(func() string {
		if !b.Identity().Adopted {
			return "b has not returned"
		}
		return ""
	})
	if removed() {
		t.Fatal("a server that may not write removed a member")
	}
	b.setRole(roles.Master)
	if err := b.SetRole(roles.Master); err != nil {
		t.Fatal(err)
	}
	c.eventually(func() string {
		if !removed() {
			return "the earlier self is still a member"
		}
		return ""
	})
}

// TestOldCopyOfAReadOnlyReturn promises that an old state file is found out by
// what the server has said since under another number, where it could not remove
// the old one; and that both are removed in the end.
func TestOldCopyOfAReadOnlyReturn(t *testing.T) {
	for name, covered := range map[string]func(changelog.Vector) changelog.Seqs{
		"its directory contains the old copy's changes": changelog.Vector.Seqs,
		"its directory contains nothing for certain":    func(changelog.Vector) changelog.Seqs { return changelog.Seqs{} },
	} {
		t.Run(name, func(t *testing.T) { oldCopyOfAReadOnlyReturn(t, covered) })
	}
}

func oldCopyOfAReadOnlyReturn(t *testing.T, covered func(changelog.Vector) changelog.Seqs) {
	c, a, b := heard(t, 3)
	file := b.path + ".backup"
	b.copyFile(b.path, file)
	b.wipe()
	b.setRole(roles.ReadOnly)
	b.start(0)
	c.settled()
	b.stop()
	b.beatOf(covered)
	b.start(0)
	c.settled()
	b.stop()
	b.copyFile(file, b.path)
	b.setRole(roles.Master)
	b.start(2)
	b.beginAnew()
	c.eventually(func() string {
		s, err := a.Status()
		if err != nil {
			return err.Error()
		}
		for _, m := range s.Members {
			if removed := m.Removed != nil; removed == (m.SID == 1 || m.SID == b.Identity().SID) {
				return fmt.Sprintf("b has number %d; %d is removed: %t", b.Identity().SID, m.SID, removed)
			}
		}
		return ""
	})
	if len(b.own()) > 0 {
		t.Errorf("invented: %+v", b.own())
	}
}

// TestOldCopyFromBeforeJoining promises the same of a state file from before the
// server joined, in which it had said no more than hello.
func TestOldCopyFromBeforeJoining(t *testing.T) {
	c, a, b := heard(t, 3)
	b.onlyHello()
	b.start(0)
	b.beginAnew()
	c.eventually(func() string {
		s, err := a.Status()
		if err != nil {
			return err.Error()
		}
		if !slices.ContainsFunc(s.Members, func(m replica.MemberStatus) bool { return m.SID == 2 && m.Removed != nil }) {
			return "the earlier self is still a member"
		}
		return ""
	})
}

// TestHelloWhileTheStateFileWasAway promises that a number under which a server
// said no more than hello, before its state file was put back, is given back.
func TestHelloWhileTheStateFileWasAway(t *testing.T) {
	c, a, b := heard(t, 3)
	a.stop()
	s, err := store.Open(a.path)
	if err != nil {
		t.Fatal(err)
	}
	hello := &changelog.Change{Seq: 1, CSN: changelog.CSN{Time: time.Now().UnixMicro(), SID: 3}, Op: changelog.OpHeartbeat, JID: b.name, Install: "meanwhile"}
	if err := errors.Join(s.Update(func(tx *store.Tx) error { return tx.Append(hello) }), s.Close()); err != nil {
		t.Fatal(err)
	}
	a.start(1)
	b.start(2)
	c.eventually(func() string {
		s, err := a.Status()
		if err != nil {
			return err.Error()
		}
		for _, m := range s.Members {
			if removed := m.Removed != nil; removed != (m.SID == 3) {
				return fmt.Sprintf("%d is removed: %t", m.SID, removed)
			}
		}
		return ""
	})
	if sid := b.Identity().SID; sid != 2 {
		t.Errorf("the server has number %d", sid)
	}
}

// onlyHello turns the state file of a node that is down into one with nothing but
// its first heartbeat.
func (nd *node) onlyHello() {
	t := nd.c.t
	t.Helper()
	old, err := store.Open(nd.path)
	if err != nil {
		t.Fatal(err)
	}
	var id store.Identity
	var hello *changelog.Change
	err = old.View(func(tx *store.Tx) error {
		if id, err = tx.Identity(); err != nil {
			return err
		}
		return tx.Log.After(id.SID, 0, func(c *changelog.Change) bool { hello = c; return false })
	})
	if err := errors.Join(err, old.Close(), os.Remove(nd.path)); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(nd.path)
	if err != nil {
		t.Fatal(err)
	}
	id.Joined, id.Adopted = false, false
	if err := errors.Join(s.Update(func(tx *store.Tx) error { return errors.Join(tx.Log.Append(hello), tx.SetIdentity(id)) }), s.Close()); err != nil {
		t.Fatal(err)
	}
}
