package simulate

import (
	"errors"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/store"
)

const day = 24 * time.Hour

// recordAge is how old a record has to be before a server may forget it.
const recordAge = 365 * day

// ageWeights are those of the profile Ages, in which servers also come and go, and
// lose their state files or get old ones back, in every other history.
func (w *world) ageWeights() []int {
	list := actWeights
	if w.cfg.Seed/uint64(len(agesDeeds))%2 == 1 {
		list = memberWeights
		list[actOldTree], list[actClone] = 0, 0
	}
	list[actForget], list[actAge] = 8, 6
	return list[:]
}

// agesDeeds are the profiles whose clients those of Ages take after, by seed.
var agesDeeds = []Profile{Tree, Attributes, Names, Life, Mixed, Classes}

// deeds returns the profile after which the clients go.
func (w *world) deeds() Profile {
	if w.cfg.Profile == Ages {
		return agesDeeds[w.cfg.Seed%uint64(len(agesDeeds))]
	}
	return w.cfg.Profile
}

// pass lets days pass, at least least and fewer than least and more. Clocks that
// drift do not drift in that time: changes from next week would only wait.
func (w *world) pass(least, more int) {
	d := time.Duration(least)*day + time.Duration(w.rng.Int64N(int64(more)*int64(day)))
	w.now = w.now.Add(d)
	w.jumped += d
	w.tracef("%.1f days pass", d.Hours()/24)
}

// age lets weeks or months pass, in which the servers hear of each other, but
// for some of them at times; some forget what they may.
func (w *world) age() {
	calm := w.oneIn(2)
	for range 1 + w.rng.IntN(3) {
		if w.oneIn(4) {
			w.pass(100, 400)
		} else {
			w.pass(5, 60)
		}
		out := w.rng.IntN(3 * len(w.nodes)) // mostly nobody
		w.exchange(calm, out)
		for _, nd := range w.members() {
			if w.oneIn(2) {
				nd.stepForget()
			}
		}
	}
}

// exchange lets all but server out do their work once, as far as links carry.
func (w *world) exchange(calm bool, out int) {
	w.calm = calm
	defer func() { w.calm = false }()
	for _, nd := range w.nodes {
		if nd.i == out || nd.gone {
			continue
		}
		nd.start()
		nd.beginAnew()
		nd.show()
		some(func() bool { return nd.stepCapture(8) })
		nd.forgetGone()
		nd.stepHeartbeat()
		some(nd.stepPublish)
	}
	for n := len(w.wire); n > 0 && len(w.wire) > 0; n-- {
		w.deliverOne()
	}
	for _, nd := range w.nodes {
		if nd.i != out && !nd.gone {
			nd.show()
			some(nd.stepPull)
			some(nd.stepApply)
		}
	}
}

// some repeats a step that makes progress, a bounded number of times.
func some(step func() bool) {
	for n := 0; n < 20 && step(); n++ {
	}
}

// forgetGone removes servers that have left from the members, but none of which only a
// newcomer that has yet to make itself known has changes: in years nobody would.
func (nd *node) forgetGone() {
	w := nd.w
	for _, o := range w.nodes {
		if !o.gone || o.number == 0 || nd.rep == nil || nd.dead || !nd.joined || !w.oneIn(2) || w.takes(o.number) || w.onlyNew(o.number, nd) {
			continue
		}
		err := nd.rep.ForgetPeer(o.number, false)
		if errors.Is(err, replica.ErrOnline) || errors.Is(err, replica.ErrNoMember) || errors.Is(err, replica.ErrNotMaster) {
			continue
		}
		w.tracef("%d removes %d", nd.i+1, o.number)
		nd.check("removal", err)
		nd.reap()
	}
}

// onlyNew reports whether one that is about to join has changes of a number that nd has
// not.
func (w *world) onlyNew(number changelog.SID, nd *node) bool {
	return slices.ContainsFunc(w.nodes, func(o *node) bool {
		return !o.gone && !o.settled && o.vector[number].Seq > nd.vector[number].Seq
	})
}

// takes reports whether a member has a number.
func (w *world) takes(sid changelog.SID) bool {
	for _, nd := range w.members() {
		if nd.sid() == sid || nd.wants == sid {
			return true
		}
	}
	return false
}

// remembered is what a server shows and records.
type remembered struct {
	shown   map[changelog.ID]*dit.Shown
	records map[dit.Record]bool
}

func (nd *node) remembers(at *store.Store, ids []changelog.ID) remembered {
	m := remembered{shown: map[changelog.ID]*dit.Shown{}, records: map[dit.Record]bool{}}
	err := at.View(func(t *store.Tx) (err error) {
		s := dit.Open(t.KV(), nd.rules)
		for _, id := range ids {
			if m.shown[id], err = s.View(id); err != nil {
				return err
			}
		}
		return s.Journal(func(r dit.Record) bool {
			if r.Kind == dit.MoveSkipped {
				r.Won = dit.Side{} // where the entry went since
			}
			m.records[r] = true
			return true
		})
	})
	if err != nil {
		fail("store", "%s: %v", nd.name, err)
	}
	return m
}

// stepForget lets the server forget what it may, and checks that it shows the
// same afterwards, and records the same but for what is old.
func (nd *node) stepForget() {
	w := nd.w
	if nd.rep == nil || nd.dead {
		return
	}
	w.inspect()
	before, copied := nd.dump(), nd.disk.Copy()
	for more, n := true, 0; more && n < 20; n++ {
		var err error
		if more, err = nd.rep.StepForget(); err != nil {
			nd.check("forgetting", err)
			break
		}
	}
	if nd.holds(before) {
		nd.reap()
		return // the same state shows and records the same
	}
	w.forgot = true
	w.stats.Forgot++
	w.tracef("%d forgets %d of %d octets", nd.i+1, before.size()-nd.dump().size(), before.size())
	nd.compareRemembered(copied)
	nd.reap()
}

// compareRemembered checks that nd shows the same as an earlier copy of its state,
// and records the same but for what is old.
func (nd *node) compareRemembered(earlier *store.Memory) {
	w, ids := nd.w, nd.w.everyID()
	old, err := earlier.Open()
	if err != nil {
		fail("store", "%s: %v", nd.name, err)
	}
	before, after := nd.remembers(old, ids), nd.remembers(nd.store, ids)
	for _, id := range ids {
		if was, is := before.shown[id], after.shown[id]; !was.Same(is) {
			fail("forgot", "%s shows entry %s otherwise than before it forgot:\n  %s\n  %s", nd.name, short(id), showView(is), showView(was))
		}
	}
	for r := range before.records {
		if !after.records[r] && w.fresh(r) {
			fail("forgot", "%s forgot a record about %s: %+v", nd.name, short(r.Entry), r)
		}
	}
	for r := range after.records {
		if !before.records[r] {
			fail("forgot", "%s has a record about %s that it had not before it forgot: %+v", nd.name, short(r.Entry), r)
		}
	}
}

// fresh reports whether no server may have forgotten a record.
func (w *world) fresh(r dit.Record) bool {
	if !w.forgot {
		return true
	}
	if n := len(w.made); n != w.counted {
		w.counted = n
		for _, m := range w.made {
			w.newest = max(w.newest, m.CSN.Time)
		}
	}
	return r.Time().Time >= w.newest-recordAge.Microseconds()
}

// outlive lets everybody forget all there is to forget, and judges again.
func (w *world) outlive() {
	w.reseed(-3)
	for range 2 + w.rng.IntN(2) {
		w.reseed(-3 - int(w.now.Unix()%1000))
		w.pass(20, 200)
		w.settle()
		for _, nd := range w.members() {
			nd.stepForget()
		}
	}
	w.judge()
}
