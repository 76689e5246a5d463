package replica_test

import (
	"slices"
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// TestWhatWasGivenUpIsNoWorkOfClients promises that a server which returns does not
// take what its directory refused, and an administrator gave up, for what clients
// removed, whether its state file was set aside or is lost: the room knows it from
// its heartbeats.
func TestWhatWasGivenUpIsNoWorkOfClients(t *testing.T) {
	t.Run("set aside", func(t *testing.T) { givesUp(t, (*node).setAside) })
	t.Run("lost", func(t *testing.T) { givesUp(t, (*node).wipe) })
}

func givesUp(t *testing.T, lose func(*node)) {
	c, a, b := returning(t, 20)
	b.start(2)
	c.settled()
	refuse := func(w directory.Write) error {
		if w.DN == user(7) || w.DN == "uid=odd,ou=people,"+suffix {
			return &directory.RefusedError{Code: 19, Text: "no"}
		}
		return nil
	}
	b.dir.SetRefuse(refuse)
	a.do(modify(user(7), replace("mail", "refused@x")), person("odd"))
	for range 2 {
		c.eventually(func() string {
			s, err := b.Status()
			if err != nil || s.ParkedCount == 0 {
				return "nothing is parked"
			}
			if err := b.DropParked(s.Parked[0].ID); err != nil {
				t.Fatal(err)
			}
			return ""
		})
	}
	c.eventually(func() string {
		if s, err := b.Status(); err != nil || s.GivenUp != 2 || s.ParkedCount > 0 {
			return "not given up"
		}
		return ""
	})
	a.do(modify(user(3), replace("mail", "later@x")))
	c.eventually(func() string {
		if !slices.Equal(b.values(user(3), "mail"), []string{"later@x"}) {
			return "what came later is not written"
		}
		return ""
	})
	b.stop()
	b.beat()
	b.start(0)
	c.eventually(func() string {
		mine, err1 := b.Vector()
		known, err2 := a.Vector()
		if sid := b.Identity().SID; err1 != nil || err2 != nil || mine[sid].Seq > known[sid].Seq {
			return "not published"
		}
		return ""
	})
	b.stop()
	lose(b)
	b.start(0)
	c.eventually(func() string {
		if !b.Identity().Joined {
			return "not joined"
		}
		if s, err := b.Status(); err != nil || s.ParkedCount != 2 {
			return "not parked again"
		}
		return ""
	})
	b.dir.SetRefuse(nil)
	if _, err := b.RetryParked(changelog.ID{}); err != nil {
		t.Fatal(err)
	}
	c.settled()
	for _, nd := range []*node{a, b} {
		if mail := nd.values(user(7), "mail"); !slices.Equal(mail, []string{"refused@x"}) {
			t.Errorf("%s: mail %q", nd.name, mail)
		}
		if len(nd.values("uid=odd,ou=people,"+suffix, "uid")) == 0 {
			t.Errorf("%s: the entry was deleted", nd.name)
		}
	}
	if own := b.own(); len(own) > 0 {
		t.Errorf("%d changes were invented: %+v", len(own), own)
	}
}
