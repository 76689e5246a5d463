package simulate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/ldif"
)

// newcomer adds a server that has not been started.
func (w *world) newcomer() *node {
	n := len(w.nodes)
	for i := range w.cut {
		w.cut[i] = append(w.cut[i], false)
	}
	w.cut = append(w.cut, make([]bool, n+1))
	nd := newNode(w, n)
	w.nodes = append(w.nodes, nd)
	return nd
}

func (nd *node) fault() string {
	if nd.rep == nil {
		return "down"
	}
	return nd.rep.Fault()
}

func TestSystemE05(t *testing.T) {
	system(t, 3, func(w *world) {
		nd := w.newcomer()
		nd.wants = 2
		nd.start()
		w.quiet()
		if why := nd.fault(); !strings.Contains(why, "sid 2 is in use by "+w.nodes[1].name) {
			t.Errorf("fault %q", why)
		}
		if why := w.nodes[1].fault(); why != "" {
			t.Errorf("the first has the fault %q", why)
		}
		if len(nd.server.IDs()) > 0 || len(w.authored(2)) > 0 {
			t.Error("data was mixed")
		}
		nd.kill()
		nd.gone = true
		w.finish()
	})
}

func TestSystemE07(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		for i := range w.nodes {
			w.cut[i][c.i], w.cut[c.i][i] = true, true
		}
		if err := a.rep.ForgetPeer(3, true); err != nil {
			t.Fatal(err)
		}
		w.quiet()
		c.do(replace(personDN, "mail", "c@x"))
		w.quiet()
		w.heal()
		w.quiet()
		if why := c.fault(); !strings.Contains(why, "removed at ") || !strings.Contains(why, "re-join needed") {
			t.Errorf("fault %q", why)
		}
		if !slices.ContainsFunc(c.kept, func(r *ldif.Record) bool { return strings.Contains(fmt.Sprintf("%+v", *r), "mail") }) {
			t.Errorf("%d records were exported, none with the mail", len(c.kept))
		}
		c.kill()
		c.gone = true
		w.finish()
		w.everywhere(t, personDN, "mail")
	})
}

func TestSystemE11(t *testing.T) {
	system(t, 3, func(w *world) {
		a := w.nodes[0]
		x, onlyA, onlyB := "cn=x,"+suffixText, "cn=onlyA,"+suffixText, "cn=onlyB,"+suffixText
		a.do(adding(x, "objectClass", "inetOrgPerson", "sn", "1", "mail", "a@x"))
		a.do(adding(onlyA, "objectClass", "inetOrgPerson", "sn", "1"))
		w.settle()
		b := w.newcomer()
		b.lost = true // what clients did before it came is not watched
		for _, wr := range []directory.Write{
			adding(suffixText, "objectClass", "organization", "objectClass", "dcObject", "o", "X", "dc", "x"),
			adding(x, "objectClass", "inetOrgPerson", "sn", "1", "mail", "b@x"),
			adding(onlyB, "objectClass", "inetOrgPerson", "sn", "1"),
		} {
			b.do(wr)
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
		w.everywhere(t, x, "mail", "a@x")
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
