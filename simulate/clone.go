package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ldapsync/changelog"
	"ldapsync/replica"
	"ldapsync/store"
)

// A machine is copied while it runs: two servers with one state file, one
// directory, one number and one account go on side by side, each with clients of
// its own. Of two sessions with one address the older is ended, so at most one of
// them is in the room, in turns, until an administrator gives the copy an account
// of its own.

// clone lets a copy of nd come, which is not in the room.
func (nd *node) clone() {
	w := nd.w
	if nd.gone || nd.rep == nil || !nd.settled || nd.rep.Fault() != "" || len(w.nodes) >= maxMembers || !w.everybodySettled() {
		return
	}
	some(func() bool { return nd.stepCapture(8) }) // else both record the same, to the microsecond
	if nd.rep == nil {
		return
	}
	c := w.another()
	c.skew = nd.skew + time.Duration(1+w.rng.Int64N(int64(time.Minute)))/time.Microsecond*time.Microsecond
	c.name, c.role, c.number, c.wants = nd.name, nd.role, nd.sid(), nd.wants
	c.twin, nd.twin, c.away = nd, c, true
	c.own(nd.disk.Copy(), nd.server.Copy(c.time, c.newID))
	c.past = nd.past.copy()
	w.inspect()
	for _, n := range []*node{c, nd} {
		n.lost, n.copied, n.watched = true, true, newWatched(n)
	}
	w.stats.Cloned++
	w.tracef("%d is a copy of %d", c.i+1, nd.i+1)
	c.start()
	c.show()
}

// another adds a server that has not been started, with links to all others.
func (w *world) another() *node {
	n := len(w.nodes)
	for i := range w.cut {
		w.cut[i] = append(w.cut[i], false)
	}
	w.cut = append(w.cut, make([]bool, n+1))
	nd := newNode(w, n)
	w.nodes = append(w.nodes, nd)
	return nd
}

// severed reports whether nothing gets from one server to another.
func (w *world) severed(from, to *node) bool {
	return from.away || to.away || w.cut[from.i][to.i]
}

// login brings a server into the room in the place of its twin. Nobody who is there
// need know what the twin has said.
func (nd *node) login() {
	if !nd.away || nd.rep == nil {
		return
	}
	w, twin := nd.w, nd.twin
	w.inspect()
	twin.away, nd.away = true, false
	nd.newSession()
	w.unsayOwn(twin)
	twin.show()
	w.tracef("%d takes the place of %d in the room", nd.i+1, twin.i+1)
	nd.fuse = 0
	nd.show()
	nd.beginAnew()
}

// unread has what nd made looked at again: while it was away it was not.
func (nd *node) unread() {
	delete(nd.vector, nd.sid())
	nd.stale = true
}

// newSession brings a server into the room that another with its account was in.
func (nd *node) newSession() {
	nd.looked, nd.unsure = false, true
	nd.unread()
	if nd.rep != nil {
		nd.rep.NewSession()
	}
}

// findFork notes when the state file of one of two copies, or an old one, has turned
// out to hold other changes than the room's: then they are looked at no more. When
// it has turned out not to, they are looked at from then on.
func (nd *node) findFork() {
	if nd.rep == nil {
		return
	}
	nd.forked = nd.forked || nd.copied && nd.rep.Again()
	if nd.unsure && nd.looked && nd.rep.Fault() == "" {
		nd.unsure = false
		nd.unread()
	}
}

// unsayOwn forgets the changes that only nd holds of those it made, and that were not
// published: when it comes back, another may have given their numbers to others. What
// is on its way under its number is the hello of another.
func (w *world) unsayOwn(nd *node) {
	sent := w.sent()
	published := w.last[nodeKey{nd.name, nd.sid()}].Seq
	others := func(o *node) bool { return o != nd && !o.away }
	for key := range w.made {
		if key.sid == nd.sid() && key.seq <= nd.vector[key.sid].Seq && key.seq > published && !sent[key] && !w.isHeld(key, others) {
			delete(w.made, key)
		}
	}
}

// separate does what an administrator does who has found out about two servers
// with one account: the copy gets an account and a state file of its own and joins
// with what its directory holds; the other begins anew if it is told to.
func (w *world) separate() {
	for _, c := range w.nodes {
		nd := c.twin
		if nd == nil || c.i < nd.i {
			continue
		}
		w.tracef("%d gets an account of its own", c.i+1)
		w.inspect()
		c.kill()
		if nd.away {
			nd.newSession()
			w.unsayOwn(c)
		}
		for sid := range c.numbers {
			nd.shed = append(nd.shed, sid)
		}
		c.putDisk(store.NewMemory())
		c.installs++
		c.name, c.wants, c.number = fmt.Sprintf("n%d@x/ldapsync", c.i+1), 0, 0
		nd.twin, c.twin, c.away = nil, nil, false
		nd.away = false
		nd.start()
		nd.show()
		nd.beginAnew()
	}
}

// obey does what a server asks of its administrator that cannot begin anew by
// itself, once it is the only one with its account, or that returns with a directory
// which lacks much.
func (nd *node) obey() {
	switch {
	case nd.rep == nil:
	case strings.Contains(nd.rep.Fault(), "join.missing"):
		nd.missing = replica.MissingFill
		nd.kill()
		nd.start()
	case nd.twin == nil && (nd.copied || nd.aged || !nd.settled) && strings.Contains(nd.rep.Fault(), "init --again"):
		nd.setAside()
	}
}

// setAside sets the state file of nd aside and begins anew.
func (nd *node) setAside() {
	id, err := replica.Anew(nd.store, nd.time())
	nd.check("anew", err)
	nd.kill()
	nd.installs++
	id.Install = fmt.Sprintf("install-%d-%d", nd.i, nd.installs)
	nd.putDisk(store.NewMemory())
	nd.check("anew", nd.store.Update(func(t *store.Tx) error { return t.SetIdentity(id) }))
	nd.w.stats.Anew++
	nd.w.tracef("%d begins anew", nd.i+1)
	nd.start()
}

// claims reports whether nd has a number, or had one that nobody but an
// administrator can remove: it has left, or was given up for another account.
func (nd *node) claims(sid changelog.SID) bool {
	return nd.sid() == sid || nd.gone && nd.numbers[sid] || slices.Contains(nd.shed, sid)
}
