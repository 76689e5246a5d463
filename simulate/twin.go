package simulate

import (
	"fmt"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
	"ldapsync/store"
)

// compareTwin compares what is shown of an entry with the twin.
func compareTwin(twin *naive.Model, id changelog.ID, shown *dit.Shown) {
	if want := twin.Shown[id]; !shown.Same(want) {
		fail("twin", "entry %s is shown as\n  %s and ought to be\n  %s", short(id), showView(shown), showView(want))
	}
}

// compareJournal compares the journal and the counts of s with the twin.
func (w *world) compareJournal(twin *naive.Model, s *dit.State) error {
	journal := map[changelog.ID][]dit.Record{}
	if err := s.Journal(func(r dit.Record) bool { journal[r.Entry] = append(journal[r.Entry], r); return true }); err != nil {
		return err
	}
	for id, want := range twin.Records {
		if have := journal[id]; !w.sameRecords(have, want) {
			fail("twin", "of entry %s is recorded\n  %+v and ought to be\n  %+v", short(id), have, want)
		}
	}
	for id, have := range journal {
		if len(twin.Records[id]) == 0 {
			fail("twin", "of entry %s is recorded\n  %+v and ought to be nothing", short(id), have)
		}
	}
	counts, err := s.Counts()
	want := twin.Counts()
	if w.forgot {
		want.Dead, want.Recorded, want.Records = counts.Dead, counts.Recorded, counts.Records
	}
	if err == nil && counts != want {
		fail("twin", "counts are %+v and ought to be %+v", counts, want)
	}
	return err
}

// lookAfter looks, after step i, at what is to be looked at then: at every state that
// has changed, or, if that is not asked for, once in a history at that of the server
// that the step was about.
func (w *world) lookAfter(i int, about *node) {
	if every := w.cfg.Every; every == 0 {
		if i == int(w.cfg.Seed%uint64(w.cfg.Steps)) && about.isSound() {
			w.look(about)
		}
		return
	} else if i%every != 0 {
		return
	}
	for _, nd := range w.nodes {
		if nd.fresh && nd.isSound() {
			w.look(nd)
			nd.fresh = false
		}
	}
}

// isSound reports whether what nd shows has to follow from the changes in its log.
func (nd *node) isSound() bool {
	return nd.store != nil && !nd.gone && nd.twin == nil && !nd.unsure && !nd.forked
}

// look compares all that nd shows with what the obvious computation makes of the
// changes in its log, in the middle of a history. One that is taking over the
// state of another, or has just done so, holds some of what its log does not reach.
func (w *world) look(nd *node) {
	var half bool
	var later map[changelog.CSN]bool
	nd.readStore(func(t *store.Tx) error {
		s, err := t.Snapshot()
		if half = s != nil; err == nil {
			later, err = postponed(t)
		}
		return err
	})
	nd.listAside()
	if half || nd.vector.Lacks(nd.filled) {
		return
	}
	var changes []*changelog.Change
	for key, m := range w.made {
		if key.seq <= nd.vector[key.sid].Seq && !later[m.CSN] {
			changes = append(changes, m.Change)
		}
	}
	changes = counted(changes)
	twin := naive.New(standardRules, changes)
	nd.read(func(_ *store.Tx, s *dit.State) error {
		looked := map[changelog.ID]bool{}
		for _, c := range changes {
			if looked[c.ID] {
				continue
			}
			looked[c.ID] = true
			shown, err := s.View(c.ID)
			if err != nil {
				return err
			}
			compareTwin(twin, c.ID, shown)
		}
		held, err := s.Withheld()
		if err != nil {
			return err
		}
		if want := twin.Withheld(); held != want {
			fail("twin", "%d entries are withheld and ought to be %d", held, want)
		}
		return w.compareJournal(twin, s)
	})
	checkDIT(twin.Shown)
	w.stats.Looks++
}

// sameRecords compares without regard to order. What may be forgotten need not be
// among those that a server has.
func (w *world) sameRecords(have, want []dit.Record) bool {
	count := map[dit.Record]int{}
	for _, r := range have {
		count[w.told(r)]++
	}
	left := len(have)
	for _, r := range want {
		r = w.told(r)
		switch {
		case count[r] > 0:
			count[r]--
			left--
		case w.fresh(r):
			return false
		}
	}
	return left == 0
}

// told returns a record without what forgetting may alter in it: by which change an
// entry is where it is that was not to be moved.
func (w *world) told(r dit.Record) dit.Record {
	if w.forgot && r.Kind == dit.MoveSkipped {
		r.Won = dit.Side{}
	}
	return r
}

func showView(v *dit.Shown) string {
	if v == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s below %s glue %v conflict of %s %q", v.RDN, short(v.Parent), v.Glue, short(v.ConflictOf), v.Attrs)
}
