package simulate

import (
	"time"

	"ldapsync/changelog"
	"ldapsync/roles"
)

// act is a kind of step.
type act uint8

const (
	actClient act = iota
	actTurn
	actDeliver
	actCrash
	actFuse
	actStart
	actCut
	actHeal
	actFault
	actMeddle
	actRefuse
	actClock
	actTime
	actRole
	actLeave
	actJoin
	actIdle
	actWipe
	actBackup
	actRestore
	actOldTree
	actClone
	actForget
	actAge
	actRace
	acts
)

// actWeights says how often what happens.
var actWeights = [acts]int{
	actClient: 36, actTurn: 30, actDeliver: 10, actCrash: 2, actFuse: 4, actStart: 5, actCut: 5, actHeal: 3,
	actFault: 4, actMeddle: 4, actRefuse: 2, actClock: 3, actTime: 2, actRace: 3,
}

// memberWeights are those of the profile Members.
var memberWeights = func() [acts]int {
	list := actWeights
	list[actRole], list[actLeave], list[actJoin], list[actIdle] = 6, 1, 2, 2
	list[actWipe], list[actBackup], list[actRestore], list[actOldTree], list[actClone] = 1, 2, 1, 1, 1
	return list
}()

// step makes one step of the history, and returns the server that it was about.
func (w *world) step(i int) *node {
	w.reseed(i)
	list := actWeights[:]
	switch w.cfg.Profile {
	case Members:
		list = memberWeights[:]
	case Ages:
		list = w.ageWeights()
	}
	a := act(w.weighted(list))
	nd := w.nodes[w.rng.IntN(len(w.nodes))]
	w.now = w.now.Add(time.Duration(1 + w.rng.Int64N(int64(2*time.Second))))
	w.tracef("--- step %d", i)
	if w.cfg.Profile == Calm {
		w.calmStep(i, nd)
		return nd
	}
	if a != actClient && a != actTurn && a != actDeliver {
		w.stats.Operations++
	}
	switch a {
	case actClient:
		nd.clientAtRandom()
		for w.oneIn(3) {
			nd.clientAtRandom()
		}
	case actTurn:
		nd.turn(i)
	case actDeliver:
		for range 1 + w.rng.IntN(4) {
			w.deliverOne()
		}
	case actCrash:
		nd.kill()
	case actFuse:
		nd.fuse, nd.dieBefore = 1+w.rng.IntN(5), w.oneIn(2)
	case actStart:
		nd.start()
	case actCut:
		w.part(nd)
	case actHeal:
		w.heal()
	case actFault:
		nd.next = fault(1 + w.rng.IntN(2))
	case actMeddle:
		nd.meddle = true
	case actRefuse:
		nd.refuse()
	case actClock:
		nd.turnClock()
	case actTime:
		w.now = w.now.Add(time.Duration(w.rng.Int64N(int64(3 * time.Minute))))
	case actRole:
		nd.promote(pick(w, []roles.Role{roles.ReadOnly, roles.ReadOnly, roles.Master, roles.Controller}))
	case actLeave:
		w.leave(nd)
	case actJoin:
		for w.join(); w.oneIn(2); {
			w.join()
		}
	case actWipe:
		nd.wipe()
	case actBackup:
		nd.backup = &backup{disk: nd.disk.Copy(), tree: nd.server.Backup()}
	case actRestore:
		nd.restore()
	case actOldTree:
		nd.restoreTree()
	case actClone:
		nd.clone()
	case actForget:
		nd.stepForget()
	case actAge:
		w.age()
	case actRace:
		w.race(nd)
	case actIdle:
		nd.asleep = i + 5 + w.rng.IntN(20)
	}
	return nd
}

// calmStep lets a client of nd write, now and then, and everybody learn of it.
func (w *world) calmStep(i int, nd *node) {
	if i%8 == 0 {
		nd.clientAtRandom()
		w.settle()
	}
}

// turn lets the process of nd do some of its work, in some order. One that is
// down is started now and then.
func (nd *node) turn(i int) {
	w := nd.w
	if nd.asleep > i {
		return
	}
	if nd.rep == nil && w.oneIn(2) {
		nd.start()
	}
	if w.oneIn(4) {
		nd.login()
	}
	nd.beginAnew()
	nd.obey()
	nd.cede()
	for range 2 + w.rng.IntN(6) {
		w.stats.Operations++
		switch n := w.rng.IntN(16); {
		case n < 5:
			nd.stepCapture(1 + w.rng.IntN(8))
		case n < 8:
			nd.stepPublish()
		case n < 12:
			nd.stepApply()
		case n < 14:
			nd.show()
			nd.stepPull()
		case n < 15:
			nd.stepTime()
		default:
			if nd.capture != nil && w.oneIn(3) {
				nd.endWatch(errBroken)
			}
		}
	}
}

func (w *world) deliverOne() {
	if len(w.wire) == 0 {
		return
	}
	i := 0
	if w.oneIn(2) {
		i = w.rng.IntN(len(w.wire))
	}
	w.stats.Operations++
	p := w.wire[i]
	w.wire = append(w.wire[:i], w.wire[i+1:]...)
	w.deliver(p)
}

// part cuts links: one, one way, or all of a node.
func (w *world) part(nd *node) {
	o := w.nodes[w.rng.IntN(len(w.nodes))]
	switch w.rng.IntN(3) {
	case 0:
		w.cut[nd.i][o.i] = true
	case 1:
		w.cut[nd.i][o.i], w.cut[o.i][nd.i] = true, true
	default:
		for i := range w.nodes {
			w.cut[nd.i][i], w.cut[i][nd.i] = true, true
		}
	}
	w.tracef("cut %v", w.cut)
}

func (w *world) heal() {
	for i := range w.cut {
		clear(w.cut[i])
	}
	w.tracef("healed")
}

// refuse makes nd's directory refuse the replica's writes to one entry.
func (nd *node) refuse() {
	if ids := nd.server.IDs(); len(ids) > 0 {
		nd.refusing = map[changelog.ID]bool{pick(nd.w, ids): true}
	}
}

// turnClock sets nd's clock: forwards, or back; now and then so far forwards that
// nobody merges what it says. In Ages time passes in leaps anyway.
func (nd *node) turnClock() {
	was := nd.skew
	nd.skew = time.Duration(nd.w.rng.Int64N(int64(20*time.Minute))) - 10*time.Minute
	if nd.w.oneIn(6) && nd.w.cfg.Profile != Ages {
		nd.skew += 2 * day
		nd.w.farAhead = true
	}
	nd.setBack = nd.setBack || nd.skew < was
	nd.w.tracef("%d clock is off by %s", nd.i+1, nd.skew)
}
