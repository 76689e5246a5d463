package simulate

import (
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory/memory"
	"ldapsync/store"
)

// backup is what a server was at one time.
type backup struct {
	disk *store.Memory
	tree memory.Backup
}

// wipe loses the state file of a server; its directory remains, or is restored
// from a backup. Where months pass, an entry that only its directory holds is written
// down when it returns, not added again: what others have put below it would be withheld
// for ever.
func (nd *node) wipe() {
	if nd.gone || nd.twin != nil || !nd.w.everybodySettled() {
		return
	}
	if nd.w.cfg.Profile == Ages && nd.w.isNeeded(nd) {
		return
	}
	nd.kill()
	needed := nd.w.needed(nd)
	if slices.ContainsFunc(needed, func(id changelog.ID) bool { return nd.server.Entry(id) == nil }) {
		return // a client deleted what the directory was the last to tell of
	}
	nd.w.tracef("%d loses its state", nd.i+1)
	nd.w.stats.Wiped++
	nd.putDisk(store.NewMemory())
	nd.lastToTell = append(nd.lastToTell, needed...)
	nd.installs++
	if nd.backup != nil && nd.w.oneIn(3) && len(needed) == 0 {
		nd.putTree()
	}
}

// restore puts an old copy of the state file in the place of the present one, and
// at times one of the directory as old.
func (nd *node) restore() { nd.restoreWith(func() bool { return nd.w.oneIn(2) }) }

// restoreWith is restore; tree says whether the directory is to be as old, if nothing
// would be withheld for ever then. Nobody who knows what was made since need be
// there.
func (nd *node) restoreWith(tree func() bool) {
	if nd.gone || nd.backup == nil || !nd.w.everybodySettled() {
		return
	}
	nd.kill()
	nd.w.tracef("%d gets an old state", nd.i+1)
	nd.w.stats.Restored++
	needed := nd.w.isNeeded(nd)
	nd.putDisk(nd.backup.disk.Copy())
	nd.unsure, nd.aged = true, true
	if tree() && !needed {
		nd.putTree()
	}
	nd.backup = nil
	nd.start()
	nd.show()
	nd.beginAnew()
}

// restoreTree puts an old copy of the directory in the place of the present one;
// the state file remains.
func (nd *node) restoreTree() {
	if nd.gone || nd.backup == nil || !nd.settled || nd.twin != nil {
		return
	}
	nd.kill()
	nd.w.stats.OldTrees++
	nd.putTree()
	nd.lost, nd.watched = true, newWatched(nd)
}

// putTree restores the directory of a server that is down from its backup. What
// clients wrote to it since, and nobody has seen, is lost with it.
func (nd *node) putTree() {
	nd.w.tracef("%d gets an old directory", nd.i+1)
	nd.server.Restore(nd.backup.tree)
	nd.traces.restored(nd)
}

// putDisk gives a server that is down another disk. What it had not told anybody
// of, nobody will ever hear of under that number.
func (nd *node) putDisk(disk *store.Memory) {
	nd.w.inspect()
	nd.disk, nd.lost, nd.settled, nd.vector, nd.aside = disk, true, false, nil, aside{}
	nd.disk.SetGuard(nd.guard)
	nd.filled = nil
	nd.watched, nd.forked, nd.unsure = newWatched(nd), false, false
	var err error
	if nd.store, err = nd.disk.Open(); err != nil {
		fail("start", "%s: %v", nd.name, err)
	}
	nd.readLog(func(l *changelog.Log) error {
		v, err := l.Vector()
		nd.w.unsay(nd, v)
		return err
	})
	nd.stale = true
}

// unsay forgets the changes that only nd held, now reaching as far as left, and
// that are not on their way.
func (w *world) unsay(nd *node, left changelog.Vector) {
	for key := range w.only(nd, left) {
		delete(w.made, key)
	}
}

// only returns the changes that unsay is to forget.
func (w *world) only(nd *node, left changelog.Vector) map[changeKey]bool {
	sent, out := w.sent(), map[changeKey]bool{}
	others := func(o *node) bool { return o != nd }
	for key := range w.made {
		if !sent[key] && key.seq > left[key.sid].Seq && !w.isHeld(key, others) && !w.mayHold(key, nd) {
			out[key] = true
		}
	}
	return out
}

// isHeld reports whether one of some servers, which has not left, holds a change.
func (w *world) isHeld(key changeKey, some func(*node) bool) bool {
	return slices.ContainsFunc(w.nodes, func(o *node) bool { return key.seq <= o.vector[key.sid].Seq && !o.gone && some(o) })
}

// mayHold reports whether another than nd that is unsure, and so not looked at yet, has
// received a change, or has a number under which it was published and hands it out.
func (w *world) mayHold(key changeKey, nd *node) bool {
	return slices.ContainsFunc(w.nodes, func(o *node) bool {
		if o == nd || !o.isUnread() {
			return false
		}
		if o.sid() == key.sid {
			return key.seq <= w.last[nodeKey{o.name, key.sid}].Seq
		}
		return o.covers(key)
	})
}

// isUnread reports whether nd has a log that is not looked at, as nd is unsure.
func (nd *node) isUnread() bool { return nd.unsure && !nd.gone && nd.store != nil }

// covers reports whether the log of nd reaches to a change, looked at or not.
func (nd *node) covers(key changeKey) (yes bool) {
	nd.readLog(func(l *changelog.Log) error {
		v, err := l.Vector()
		yes = key.seq <= v[key.sid].Seq
		return err
	})
	return yes
}

// sent returns the changes that are on their way.
func (w *world) sent() map[changeKey]bool {
	sent := map[changeKey]bool{}
	for _, p := range w.wire {
		for i := range p.changes {
			sent[changeKey{p.changes[i].SID(), p.changes[i].Seq}] = true
		}
	}
	return sent
}

// beginAnew does what the owner of a replica does whose state file turned out to
// be an old copy.
func (nd *node) beginAnew() {
	if nd.rep != nil && nd.rep.Again() {
		nd.setAside()
	}
}

// compareNames compares the directory with the values of all that is shown, by
// name: a server that returned may know entries under other ids.
func (nd *node) compareNames(want map[string][]value) {
	ids := nd.server.IDs()
	for _, id := range ids {
		e := nd.server.Entry(id)
		if have := flat(e.Attrs); !slices.Equal(have, want[mustDN(e.DN).Key(standard)]) {
			fail("view", "%s: entry %s: view and directory:\n  %q\n  %q", nd.name, e.DN, want[mustDN(e.DN).Key(standard)], have)
		}
	}
	if len(ids) != len(want) {
		fail("view", "%s: %d entries, %d are shown", nd.name, len(ids), len(want))
	}
}
