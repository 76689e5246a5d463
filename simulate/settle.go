package simulate

import (
	"fmt"
	"slices"
	"time"

	"ldapsync/roles"
)

// Bounds of what it may take to agree once the faults are over.
const (
	maxRounds = 40
	maxSteps  = 200
	// beatRounds is for how many rounds there are heartbeats: as time passes, they
	// would never end.
	beatRounds = 3
)

// settle ends the faults and lets everybody work until nothing is left to do.
func (w *world) settle() {
	w.reseed(-2)
	w.calm = true
	defer func() { w.calm = false }()
	w.heal()
	w.tracef("--- settle")
	for _, nd := range w.nodes {
		nd.fuse, nd.next, nd.meddle = 0, noFault, false
		nd.promote(roles.Master)
		clear(nd.refusing)
		if nd.skew > day {
			nd.skew, nd.setBack = nd.skew-2*day, true
		}
	}
	if w.farAhead {
		w.now, w.farAhead = w.now.Add(3*day), false
	}
	w.separate()
	for round, idle := 0, 0; idle < 3; round++ {
		w.goOn()
		if round == maxRounds {
			fail("livelock", "still at work after %d rounds: %s", round, w.unfinished())
		}
		w.stats.MaxRounds = max(w.stats.MaxRounds, round)
		if w.round(round) {
			idle = 0
			continue
		}
		idle++
		w.now = w.now.Add(2 * time.Hour)
		if w.somebodyShort() {
			w.now, idle = w.now.Add(day), 0
		}
		for _, nd := range w.nodes {
			nd.stepTime()
			nd.stepConfirm()
		}
	}
}

// somebodyShort reports whether a server waits for a log that reaches back to what
// it has.
func (w *world) somebodyShort() bool {
	return slices.ContainsFunc(w.members(), func(nd *node) bool {
		if nd.rep == nil {
			return false
		}
		short, err := nd.rep.Short()
		return err == nil && short
	})
}

// faulty reports whether the network may lose and repeat.
func (w *world) faulty() bool { return !w.calm }

// round lets everybody do all they can, for the nth time, and reports whether anything was done.
func (w *world) round(n int) (progress bool) {
	w.now = w.now.Add(time.Second)
	for _, nd := range w.nodes {
		nd.start()
		nd.beginAnew()
		nd.obey()
		progress = nd.cede() || progress
		nd.show()
		progress = w.repeat("capture", nd, func() bool { return nd.stepCapture(8) }) || progress
		if w.cfg.Profile == Ages && n < beatRounds {
			nd.forgetGone()
		}
		progress = n < beatRounds && nd.stepHeartbeat() || progress
		progress = w.repeat("publish", nd, nd.stepPublish) || progress
	}
	for len(w.wire) > 0 {
		p := w.wire[0]
		w.wire = w.wire[1:]
		w.deliver(p)
		progress = true
	}
	for _, nd := range w.nodes {
		nd.show()
		progress = w.repeat("pull", nd, nd.stepPull) || progress
		progress = w.repeat("apply", nd, nd.stepApply) || progress
	}
	return progress
}

func (w *world) repeat(what string, nd *node, step func() bool) (progress bool) {
	for n := 0; step(); n++ {
		w.goOn()
		progress = true
		if n == maxSteps {
			fail("livelock", "%s of %s goes on after %d steps: %s", what, nd.name, n, w.unfinished())
		}
	}
	return progress
}

// unfinished says what everybody has left to do.
func (w *world) unfinished() (s string) {
	for _, nd := range w.nodes {
		if nd.gone {
			continue
		}
		if nd.rep == nil {
			s += fmt.Sprintf("\n  %s is down", nd.name)
			continue
		}
		st, err := nd.rep.Status()
		s += fmt.Sprintf("\n  %s %s fault %q directory %q vector %s publish %d apply %d parked %v withheld %d, %v",
			nd.name, st.State, st.Fault, st.Directory, st.Vector, st.Publish, st.Apply, st.Parked, st.Withheld, err)
	}
	return s
}
