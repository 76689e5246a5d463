package simulate

import (
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/memory"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// maxMembers bounds the servers of a history, those that have left included.
const maxMembers = 7

// members returns the servers that have not left.
func (w *world) members() []*node {
	out := make([]*node, 0, len(w.nodes))
	for _, nd := range w.nodes {
		if !nd.gone {
			out = append(out, nd)
		}
	}
	return out
}

// promote lets the room give nd a role. Everybody learns of it when they next
// look.
func (nd *node) promote(role roles.Role) {
	if nd.role != role {
		nd.role = role
		nd.w.tracef("%d is %s now", nd.i+1, role)
	}
	if nd.twin != nil {
		nd.twin.role = role // it is the account's
	}
}

// leave takes a server out of the room for ever, unless few are left, its
// directory is where the suffix began and others have yet to learn of it, nobody
// else could give those who are about to join what they need, or nobody else has
// the addition of an entry that others change, or put entries below: that would be
// withheld for ever.
func (w *world) leave(nd *node) {
	members := w.members()
	stays := func(o *node) bool { return o != nd && o.settled && o.twin == nil }
	if nd.lost && !nd.settled && len(nd.numbers) > 0 {
		return // its directory may be all that is left of what it had
	}
	if nd.i == 0 || nd.gone || nd.twin != nil || len(members) <= 2 || !slices.ContainsFunc(members, stays) || w.isNeeded(nd) {
		return
	}
	if w.somebodyUnsure() { // of whom it is not known yet what it has
		return
	}
	if w.cfg.Profile == Ages && w.isCut() { // in years one half would forget the other, and nobody know of both
		return
	}
	nd.kill()
	w.inspect()
	nd.gone = true
	w.unsay(nd, nil)
	w.stats.Left++
	w.tracef("%d leaves", nd.i+1)
}

// isCut reports whether some link carries nothing.
func (w *world) isCut() bool {
	return slices.ContainsFunc(w.cut, func(to []bool) bool { return slices.Contains(to, true) })
}

// isNeeded reports whether needed returns any.
func (w *world) isNeeded(nd *node) bool { return len(w.needed(nd)) > 0 }

// needed returns the entries whose addition only nd has and that are changed, or have
// others put below them, by changes that not only nd has. An addition on its way may
// be lost.
func (w *world) needed(nd *node) (ids []changelog.ID) {
	only := w.only(nd, nil)
	others := func(o *node) bool { return o != nd }
	missing := func(id changelog.ID) bool {
		birth, ok := w.births[id]
		return ok && birth.seq <= nd.vector[birth.sid].Seq && !w.isHeld(birth, others)
	}
	for key, m := range w.made {
		for _, id := range []changelog.ID{m.ID, m.Superior} {
			if !only[key] && missing(id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// join lets a new server come, with nothing in its directory or with data of its
// own, maybe while others are about to join; not while a restored one has yet to
// be found out.
func (w *world) join() {
	if len(w.nodes) >= maxMembers || w.somebodyUnsure() {
		return
	}
	nd := w.another()
	nd.wants = 0
	w.stats.Came++
	w.tracef("%d comes", nd.i+1)
	if w.oneIn(3) {
		nd.bring()
	} else if old := w.oldTree(); old != nil && w.oneIn(2) {
		nd.lost = true
		nd.server.Restore(*old)
		for _, id := range nd.server.IDs() {
			nd.sees(id)
		}
		w.tracef("%d brings an old copy of a directory", nd.i+1)
	}
	nd.start()
}

// tells reports whether answers to writes tell of entryCSNs.
func (w *world) tells() bool { return w.cfg.Seed%8 != 7 }

// oldTree returns an old copy of the directory of some member, nil when there is
// none.
func (w *world) oldTree() *memory.Backup {
	for _, nd := range w.members() {
		if nd.backup != nil {
			return &nd.backup.tree
		}
	}
	return nil
}

// bring gives a server that is about to come a directory with a few entries: some
// have names that the room has, or that another newcomer brings.
func (nd *node) bring() {
	nd.lost = true // what its clients did before it came is not watched
	for _, e := range nd.w.cfg.Profile.initial() {
		nd.client(e)
	}
	for range nd.w.rng.IntN(4) {
		nd.clientAtRandom()
	}
}

// everybodySettled reports whether nobody is about to join, so that one more
// disaster leaves somebody who has everything.
func (w *world) everybodySettled() bool {
	for _, nd := range w.members() {
		if !nd.settled || nd.twin != nil {
			return false
		}
	}
	return !w.somebodyUnsure()
}

// somebodyUnsure reports whether an old state was put back somewhere, and has not
// been found out yet.
func (w *world) somebodyUnsure() bool {
	return slices.ContainsFunc(w.nodes, func(nd *node) bool { nd.findFork(); return nd.unsure && !nd.gone })
}

// losses notes the changes that only servers held which have left: those are
// nobody's loss but theirs.
func (w *world) losses() {
	for key, m := range w.made {
		m.lost = true
		for _, nd := range w.members() {
			m.lost = m.lost && key.seq > nd.vector[key.sid].Seq
		}
	}
}

// cede does what an administrator does whose server is refused because the room
// has deleted what its directory holds: it is deleted there, too. It returns
// whether there was any.
func (nd *node) cede() bool {
	if nd.rep == nil || nd.settled || nd.rep.Fault() == "" {
		return false
	}
	var doomed []changelog.ID
	nd.read(func(_ *store.Tx, s *dit.State) error {
		for _, id := range nd.server.IDs() {
			found, ok, err := s.Find(mustDN(nd.server.Entry(id).DN))
			if err != nil {
				return err
			}
			if !ok {
				found = id
			}
			died, err := s.Death(found) // also where its creation is forgotten, or yet to come
			if err != nil {
				return err
			}
			if life, err := s.Life(found); err != nil {
				return err
			} else if life == dit.Deleted || life == dit.Unborn && !died.IsZero() {
				doomed = append(doomed, id)
			}
		}
		return nil
	})
	for _, id := range doomed {
		nd.fell(id)
	}
	return len(doomed) > 0
}

// fell deletes an entry and all below it, as a client.
func (nd *node) fell(id changelog.ID) {
	for _, other := range nd.server.IDs() {
		if nd.server.Parent(other) == id {
			nd.fell(other)
		}
	}
	if e := nd.server.Entry(id); e != nil {
		nd.client(directory.Write{Op: directory.Delete, ID: id, DN: e.DN})
	}
}

// alsoHello reports whether c is a hello under a number under which another server
// has said hello, too: nobody can know when neither sees the other. Then neither
// may go on under it unless one had joined, see judgeMembers.
func (w *world) alsoHello(m *made, c *changelog.Change, raw string) bool {
	hello := func(c *changelog.Change) bool { return c.Op == changelog.OpHeartbeat && c.Seq == 1 && c.Install != "" }
	if !hello(c) || !hello(m.Change) || c.Install == m.Install {
		return false
	}
	if !slices.Contains(m.hellos, raw) {
		m.hellos = append(m.hellos, raw)
		w.stats.Clashed++
	}
	return true
}

// judgeMembers checks that nd knows all others, each under a number of its own,
// and that nobody who is no more holds up what all have to do together. A number that
// is only named, by the heartbeat of one that has left, is left to the administrator:
// nobody there has anything that says whose it was.
func (w *world) judgeMembers(nd *node, st replica.Status) {
	members := w.members()
	if n := len(nd.rep.Peers()); n != len(members)-1 {
		fail("members", "%s knows %d of %d others: %s", nd.name, n, len(members)-1, w.unfinished())
	}
	for _, m := range st.Members {
		named := m.JID == "" && st.Vector[m.SID].Seq == 0
		if m.Removed == nil && !named && !slices.ContainsFunc(w.nodes, func(o *node) bool { return o.claims(m.SID) }) {
			fail("members", "%s waits for %d, which nobody is any more: %s", nd.name, m.SID, w.unfinished())
		}
	}
	for _, o := range members {
		if o != nd && o.sid() == nd.sid() {
			fail("members", "%s and %s have one number: %s", nd.name, o.name, w.unfinished())
		}
	}
}
