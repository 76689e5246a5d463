package simulate

import (
	"slices"

	"ldapsync/changelog"
	"ldapsync/roles"
)

// maxMembers bounds the servers of a history, those that have left included.
const maxMembers = 7

// members returns the servers that have not left.
func (w *world) members() []*node {
	var out []*node
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
}

// leave takes a server out of the room for ever, unless few are left or its
// directory is where the suffix began and others have yet to learn of it.
func (w *world) leave(nd *node) {
	if nd.i == 0 || nd.gone || len(w.members()) <= 2 {
		return
	}
	nd.kill()
	w.inspect()
	nd.gone = true
	w.unsay(nd)
	w.stats.Left++
	w.tracef("%d leaves", nd.i+1)
}

// join lets a new server come, with nothing in its directory.
func (w *world) join() {
	n := len(w.nodes)
	if n >= maxMembers || !w.everybodySettled() {
		return
	}
	for i := range w.cut {
		w.cut[i] = append(w.cut[i], false)
	}
	w.cut = append(w.cut, make([]bool, n+1))
	nd := newNode(w, n)
	for w.taken(nd.wants) {
		nd.wants++
	}
	w.nodes = append(w.nodes, nd)
	w.stats.Came++
	w.tracef("%d comes", n+1)
	nd.start()
}

// taken reports whether some server has or had a number.
func (w *world) taken(sid changelog.SID) bool {
	for key := range w.made {
		if key.sid == sid {
			return true
		}
	}
	return slices.ContainsFunc(w.nodes, func(nd *node) bool { return nd.sid() == sid })
}

// everybodySettled reports whether nobody is about to join: two that do at the
// same time may take the same number.
func (w *world) everybodySettled() bool {
	for _, nd := range w.members() {
		if !nd.settled {
			return false
		}
	}
	return !w.restored
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
