package replica_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/replica"
)

// tellTheSame fails unless all nodes that are up list the same conflicts and tell the
// same of an entry, with the names of all servers.
func (c *cluster) tellTheSame(entry string) {
	c.t.Helper()
	c.settled()
	want, told := c.nodes[0].list(replica.ConflictQuery{}), c.nodes[0].toldOf(entry)
	for _, conflict := range want {
		if conflict.Lost.Server == "" || conflict.Won.Server == "" {
			c.t.Errorf("nobody's conflict: %+v", conflict)
		}
	}
	for _, h := range told.Changes {
		if h.Server == "" {
			c.t.Errorf("nobody's change: %+v", h)
		}
	}
	for _, nd := range c.nodes[1:] {
		if !nd.running() {
			continue
		}
		if d := cmp.Diff(want, nd.list(replica.ConflictQuery{})); d != "" {
			c.t.Errorf("%s lists other conflicts:\n%s", nd.name, d)
		}
		if d := cmp.Diff(told.Changes, nd.toldOf(entry).Changes); d != "" && !nd.toldOf(entry).Truncated {
			c.t.Errorf("%s tells another history:\n%s", nd.name, d)
		}
	}
}

func (nd *node) toldOf(entry string) replica.HistoryPage {
	nd.c.t.Helper()
	page, err := nd.History(entry, false, 0, "")
	if err != nil {
		nd.c.t.Fatal(err)
	}
	return page
}

// disputed lets the first two nodes contradict each other about ann.
func disputed(t *testing.T, nodes int) *cluster {
	c := newCluster(t, nodes)
	a, b := c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	a.do(person("ann"))
	b.start(2)
	c.settled()
	c.apart(modify(ann, replace("displayName", "a"), replace("title", "a")), modify(ann, replace("displayName", "b"), replace("description", "b")))
	if n := len(a.list(replica.ConflictQuery{})); n != 1 {
		t.Fatalf("%d conflicts", n)
	}
	c.eventually(func() string {
		s, err := a.Status()
		if err != nil || len(s.Members) < 2 || s.Members[0].JID == "" || s.Members[1].JID == "" {
			return fmt.Sprintf("not all have said who they are: %+v, %v", s.Members, err)
		}
		return ""
	})
	return c
}

// TestReturnedServerTellsTheSame promises that a server which returns without its
// state file knows the author of what it did before.
func TestReturnedServerTellsTheSame(t *testing.T) {
	c := disputed(t, 2)
	b := c.nodes[1]
	b.stop()
	b.wipe()
	b.start(0)
	c.settled()
	if sid := b.Identity().SID; sid == 2 {
		t.Fatal("it has not returned")
	}
	c.tellTheSame(ann)
}

// TestNewcomerTellsTheSame promises that who never met a server knows its name, by the
// log and by a state, after the server was removed and what it said was forgotten.
func TestNewcomerTellsTheSame(t *testing.T) {
	c := disputed(t, 4)
	a, b, byLog, byState := c.nodes[0], c.nodes[1], c.nodes[2], c.nodes[3]
	b.stop()
	byLog.start(3)
	c.tellTheSame(ann)
	if err := a.ForgetPeer(2, false); err != nil {
		t.Fatal(err)
	}
	c.settled()
	c.ahead.Add(int64(60 * 24 * time.Hour))
	c.eventually(func() string {
		if logBegin(t, a) == 1 {
			return "nothing is trimmed"
		}
		if more, err := a.StepForget(); err != nil || more {
			return "not all is forgotten"
		}
		return ""
	})
	trim(t, a, byLog)
	byState.start(4)
	c.tellTheSame(ann)
	if byState.pageCount() == 0 {
		t.Error("joined without a snapshot")
	}
}
