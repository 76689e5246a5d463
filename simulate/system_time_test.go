package simulate

import (
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/store"
)

// months lets two months pass, in which those servers hear of each other and
// forget what they may.
func (w *world) months(nodes ...*node) {
	w.calm = true
	defer func() { w.calm = false }()
	for range 30 {
		w.now = w.now.Add(48 * time.Hour)
		for _, nd := range nodes {
			nd.start()
			nd.show()
			nd.stepTime()
			nd.stepHeartbeat()
			for nd.stepCapture(8) || nd.stepPublish() {
			}
		}
		for len(w.wire) > 0 {
			w.deliverOne()
		}
		for _, nd := range nodes {
			for nd.stepApply() {
			}
			nd.stepForget()
		}
	}
}

// lastBeat returns when the newest heartbeat of a member was made that counts
// at nd.
func (w *world) lastBeat(t *testing.T, nd *node, sid changelog.SID) changelog.CSN {
	t.Helper()
	st, err := nd.rep.Status()
	for _, m := range st.Members {
		if err == nil && m.SID == sid && m.Beat != nil {
			return m.Beat.CSN
		}
	}
	t.Fatalf("%s knows of no heartbeat of %d: %v", nd.name, sid, err)
	return changelog.CSN{}
}

// life returns whether an entry lives, by the state of nd.
func (nd *node) life(id changelog.ID) (life dit.Life) {
	nd.read(func(_ *store.Tx, s *dit.State) (err error) {
		life, err = s.Life(id)
		return err
	})
	return life
}

func TestSystemE06(t *testing.T) {
	system(t, 3, func(w *world) {
		a, c := w.nodes[0], w.nodes[2]
		c.kill()
		a.do(directory.Write{Op: directory.Delete, DN: personDN})
		heard := w.lastBeat(t, a, 3)
		w.months(a, w.nodes[1])
		for _, nd := range w.nodes[:2] {
			st, err := nd.rep.Status()
			if err != nil || st.Stable.Holding != 3 {
				t.Fatalf("%d holds forgetting back at %s, not 3: %v", st.Stable.Holding, nd.name, err)
			}
			for _, m := range st.Members {
				if m.Silent != (m.SID == 3) {
					t.Errorf("%s takes %d for silent: %v", nd.name, m.SID, m.Silent)
				}
			}
			if since := w.lastBeat(t, nd, 3); since != heard {
				t.Errorf("%s heard of 3 at %s, it spoke at %s", nd.name, since, heard)
			}
		}
		if life := a.life(theOne); life != dit.Deleted {
			t.Errorf("life %v: the tombstone is gone", life)
		}
		c.do(replace(personDN, "mail", "c@x"))
		w.finish()
		for _, nd := range w.nodes {
			if nd.server.Entry(theOne) != nil {
				t.Errorf("%s still has the entry", nd.name)
			}
		}
		if w.records(dit.ChangeOnDeleted) == 0 {
			t.Errorf("journal %v", w.stats.Journal)
		}
	})
}
