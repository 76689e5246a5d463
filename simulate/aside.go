package simulate

import (
	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/store"
)

// asideKinds are the kinds of what a server sets aside, each on its own.
var asideKinds = []dit.Kind{replica.ParkedRejected, replica.ParkedFuture, replica.DeniedByRole}

// aside counts what a server has set aside, in the order of asideKinds.
type aside [3]int

func asideOf(t *store.Tx) aside { return aside{t.ParkedCount(), t.FutureCount(), t.DeniedCount()} }

// countAside counts what nd has set aside since it was last asked.
func (nd *node) countAside(t *store.Tx) {
	now := asideOf(t)
	for i, kind := range asideKinds {
		if n := now[i] - nd.aside[i]; n > 0 {
			nd.w.stats.Journal[string(kind)] += n
		}
	}
	nd.aside = now
}

// listAside checks that what nd has set aside is listed among the conflicts.
func (nd *node) listAside() {
	if nd.rep == nil {
		return
	}
	page, err := nd.rep.Conflicts(replica.ConflictQuery{Kinds: asideKinds, Limit: 1000})
	if err != nil {
		fail("store", "conflicts of %s: %v", nd.name, err)
	}
	listed := map[dit.Kind]int{}
	for _, c := range page.Conflicts {
		listed[c.Kind]++
	}
	for i, kind := range asideKinds {
		if listed[kind] != nd.aside[i] || page.Counts[kind] != nd.aside[i] {
			fail("journal", "%s lists %d and counts %d of %s and has set %d aside", nd.name, listed[kind], page.Counts[kind], kind, nd.aside[i])
		}
	}
}

// postponed returns the changes that are stored and not merged yet.
func postponed(t *store.Tx) (map[changelog.CSN]bool, error) {
	list := map[changelog.CSN]bool{}
	err := t.EachFuture(func(c *changelog.Change) bool { list[c.CSN] = true; return true })
	return list, err
}
