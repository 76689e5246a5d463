package replica_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/memory"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/schema"
	"ldapsync/store"
)

// twoWithData returns a room of one server and a server outside it whose
// directories were filled apart: both have the base and uid=both, each one more.
// The second one's copies were written last.
func twoWithData(t *testing.T) (c *cluster, a, b *node) {
	c = newCluster(t, 2)
	c.anyIDs = true
	a, b = c.nodes[0], c.nodes[1]
	ago := -time.Hour
	a.dir = memory.New(mustDN(suffix), schema.Standard(), func() time.Time { return time.Now().Add(ago) }, newIDs(1))
	a.do(base()...)
	a.do(person("both", "mail", "a@x", "title", "same"), person("onlya"))
	ago = 0
	b.do(base()...)
	b.do(person("both", "mail", "b@x", "title", "same", "description", "of b"), person("onlyb"))
	b.dir.SetRefuse(func(w directory.Write) error {
		if w.Op == directory.Delete {
			t.Errorf("joining deleted %s", w.DN)
		}
		return nil
	})
	a.start(1)
	return c, a, b
}

func (nd *node) values(name, attr string) []string {
	e := nd.dir.Entry(nd.dir.Find(mustDN(name)))
	if e == nil {
		return nil
	}
	for _, at := range e.Attrs {
		if strings.EqualFold(at.Name, attr) {
			return at.Values
		}
	}
	return nil
}

// keptValues returns the values of an attribute in what was written down.
func (nd *node) keptValues(attr string) (out []string) {
	nd.c.mu.Lock()
	defer nd.c.mu.Unlock()
	for _, rec := range nd.kept {
		for _, at := range rec.Attrs {
			if strings.EqualFold(at.Name, attr) {
				out = append(out, at.Values...)
			}
		}
	}
	return out
}

func TestJoinMatchesByName(t *testing.T) {
	for name, tt := range map[string]struct {
		prefer      replica.Prefer
		mail, loser string
		description []string
	}{
		"room":   {replica.PreferRoom, "a@x", "b@x", nil},
		"newest": {replica.PreferNewest, "b@x", "a@x", []string{"of b"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, a, b := twoWithData(t)
			b.prefer = tt.prefer
			own := b.dir.Find(mustDN("uid=both,ou=people," + suffix))
			b.start(2)
			c.settled()
			both := "uid=both,ou=people," + suffix
			if n := len(a.dir.IDs()); n != 6 {
				t.Errorf("%d entries, want 6: %v", n, a.content())
			}
			for _, nd := range c.nodes {
				if got := nd.values(both, "mail"); !slices.Equal(got, []string{tt.mail}) {
					t.Errorf("%s: mail %q, want %q", nd.name, got, tt.mail)
				}
				if got := nd.values(both, "description"); !slices.Equal(got, tt.description) {
					t.Errorf("%s: description %q, want %q", nd.name, got, tt.description)
				}
			}
			if got := b.keptValues("mail"); !slices.Equal(got, []string{tt.loser}) {
				t.Errorf("written down: mail %q, want %q", got, tt.loser)
			}
			if b.dir.Find(mustDN(both)) != own {
				t.Error("the entry was not adopted but made anew")
			}
		})
	}
}

func TestAdoptedEntriesLiveOn(t *testing.T) {
	c, a, b := twoWithData(t)
	b.start(2)
	c.settled()
	b.dir.SetRefuse(nil)
	people := ",ou=people," + suffix
	b.do(modify("uid=both"+people, replace("mail", "new@b")))
	c.settled()
	a.do(modify("uid=both"+people, replace("title", "new of a")), directory.Write{Op: directory.ModDN, DN: "uid=both" + people, NewRDN: "uid=renamed", DeleteOldRDN: true})
	c.settled()
	b.do(directory.Write{Op: directory.ModDN, DN: "ou=people," + suffix, NewRDN: "ou=staff", DeleteOldRDN: true}, addEntry("cn=g,ou=groups,"+suffix, "objectClass", "device"))
	c.settled()
	b.stop()
	staff := ",ou=staff," + suffix
	b.do(modify("uid=renamed"+staff, replace("mail", "while@down")))
	b.start(2)
	c.settled()
	if got := a.values("uid=renamed"+staff, "mail"); !slices.Equal(got, []string{"while@down"}) {
		t.Errorf("mail %q", got)
	}
	before := b.aliases()
	a.do(directory.Write{Op: directory.Delete, DN: "uid=renamed" + staff})
	b.do(directory.Write{Op: directory.Delete, DN: "cn=g,ou=groups," + suffix}, directory.Write{Op: directory.Delete, DN: "ou=groups," + suffix})
	c.settled()
	c.eventually(func() string {
		if n := b.aliases(); before != 4 || n != 2 {
			return fmt.Sprintf("%d aliases before, %d after two of the entries went", before, n)
		}
		return ""
	})
	a.do(addEntry("uid=again"+staff, "objectClass", "inetOrgPerson", "cn", "x", "sn", "x"), addEntry("ou=groups,"+suffix, "objectClass", "organizationalUnit"))
	c.settled()
}

func (nd *node) aliases() (n int) {
	err := nd.store.View(func(t *store.Tx) error {
		n = t.AliasCount()
		return nil
	})
	if err != nil {
		nd.c.t.Fatal(err)
	}
	return n
}

func TestJoinPrefersTheEntryUUID(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	c.anyIDs = true
	a.do(base()...)
	a.do(person("ann"))
	b.dir.Restore(a.dir.Backup())
	people := ",ou=people," + suffix
	// the copy's ann has another name, and another entry has hers
	b.do(directory.Write{Op: directory.ModDN, DN: "uid=ann" + people, NewRDN: "uid=anna", DeleteOldRDN: true}, person("ann", "title", "other"))
	a.start(1)
	b.start(2)
	c.settled()
	if n := len(a.dir.IDs()); n != 5 {
		t.Errorf("%d entries, want 5 with both called ann: %v", n, a.content())
	}
	if b.aliases() != 0 {
		t.Error("an entry was matched by name to one that the directory holds itself")
	}
}

// TestJoinFromTheFuture promises that what clients write to a directory whose entries
// are newer than its clock is not taken for older than those.
func TestJoinFromTheFuture(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	a.dir = memory.New(mustDN(suffix), schema.Standard(), func() time.Time { return time.Now().Add(time.Hour) }, newIDs(1))
	a.start(1)
	a.do(base()...)
	a.do(person("ann"))
	b.dir.Restore(a.dir.Backup())
	b.start(2)
	c.settled()
	b.do(directory.Write{Op: directory.Modify, DN: "uid=ann,ou=people," + suffix, Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "title", Values: []string{"new"}}}})
	c.settled()
	if got := fmt.Sprint(a.content()); !strings.Contains(got, "new") {
		t.Errorf("not replicated: %s", got)
	}
}

func TestJoinWithWhatTheRoomDeletedIsRefused(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	a.do(person("ann"))
	c.eventually(func() string {
		if v, err := a.Vector(); err != nil || v[1].Seq != 4 {
			return fmt.Sprintf("a has captured %s, %v", v, err)
		}
		return ""
	})
	b.dir.Restore(a.dir.Backup())
	a.do(directory.Write{Op: directory.Delete, DN: "uid=ann,ou=people," + suffix})
	before := b.dir.Dump()
	c.eventually(func() string {
		if v, err := a.Vector(); err != nil || v[1].Seq != 5 {
			return fmt.Sprintf("a has captured %s, %v", v, err)
		}
		return ""
	})
	b.start(2)
	c.eventually(func() string {
		if !strings.Contains(b.Fault(), "deleted in the room") {
			return "b was not refused: " + b.Fault()
		}
		return ""
	})
	if !slices.Equal(before, b.dir.Dump()) {
		t.Error("the directory of the refused server was changed")
	}
	a.do(person("bob"))
	c.eventually(func() string { // else it could not join when its directory has been mended
		if v, err := b.Vector(); err != nil || v[1].Seq < 6 {
			return fmt.Sprintf("b does not go on catching up: %s, %v", v, err)
		}
		return ""
	})
	if !strings.Contains(b.Fault(), "deleted in the room") || b.Identity().Joined {
		t.Errorf("b has the fault %q", b.Fault())
	}
	b.do(directory.Write{Op: directory.Delete, DN: "uid=ann,ou=people," + suffix})
}

// TestJoinWithWhatWasDeletedBeforeItsTime promises that an entry whose creation is kept
// aside, since it is from the future, and that the room has deleted, does not come back
// with a server that holds it.
func TestJoinWithWhatWasDeletedBeforeItsTime(t *testing.T) {
	c := newCluster(t, 2)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	c.settled()
	b.dir.Restore(a.dir.Backup())
	b.do(person("ann"))
	ann := b.dir.Find(mustDN("uid=ann,ou=people," + suffix))
	made := changelog.Change{
		Seq: 1, CSN: changelog.CSN{Time: time.Now().Add(48 * time.Hour).UnixMicro(), SID: 9}, Op: changelog.OpAdd, ID: ann, RDN: "uid=ann",
		Superior: a.dir.Find(mustDN("ou=people," + suffix)), Mods: []changelog.Mod{{Op: changelog.ModAdd, Attr: "uid", Values: []string{"ann"}}},
	}
	died := changelog.Change{Seq: 1, CSN: changelog.CSN{Time: time.Now().UnixMicro(), SID: 8}, Op: changelog.OpDelete, ID: ann, Seen: changelog.Seqs{9: 1}}
	for _, change := range []changelog.Change{made, died} {
		got, err := a.Receive(replica.Delivery{Relay: 7, RelayRole: roles.Master, Changes: []changelog.Change{change}})
		if err != nil || got.New != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	b.start(2)
	c.eventually(func() string {
		if !strings.Contains(b.Fault(), "deleted in the room") {
			return "b was not refused: " + b.Fault()
		}
		return ""
	})
}
