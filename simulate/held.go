package simulate

import (
	"maps"
	"strings"

	"ldapsync/changelog"
	"ldapsync/store"
)

// past is what a directory has ever held, as far as it is known: entries, and
// values that stand nowhere else. Nobody may delete or remove what was never there,
// least of all a server that returns and wonders what its clients did meanwhile.
type past struct {
	entries map[changelog.ID]bool
	tokens  map[string]bool
}

func newPast() past { return past{map[changelog.ID]bool{}, map[string]bool{}} }

func (p past) copy() past { return past{maps.Clone(p.entries), maps.Clone(p.tokens)} }

// sees notes what the directory of nd holds of an entry.
func (nd *node) sees(id changelog.ID) {
	if nd.w.cfg.Profile != Members {
		return
	}
	if nd.server.Entry(id) != nil {
		nd.past.entries[id] = true
	}
	for v := range nd.tokensIn(id) {
		nd.past.tokens[v] = true
	}
}

// seesAliases notes which entries of the room the directory of nd holds under another id.
func (nd *node) seesAliases(t *store.Tx) {
	if nd.w.cfg.Profile != Members {
		return
	}
	for _, id := range t.Aliases(changelog.ID{}, t.AliasCount()) {
		nd.past.entries[id] = true
	}
}

// checkRemovals checks that nd has had what its change c takes away. Of an entry that its
// earlier self never wrote, since it had heard of its deletion, too, it may say once more
// that it was deleted: who else knows that may be away.
func (nd *node) checkRemovals(c *changelog.Change) {
	if nd.w.cfg.Profile != Members || nd.store == nil {
		return
	}
	if c.Op == changelog.OpDelete && !nd.past.entries[c.ID] && !nd.w.deleted(c.ID) {
		fail("invented", "%s deletes an entry that its directory never held: %s", nd.name, showChange(c))
	}
	for _, m := range c.Mods {
		for _, v := range m.Values {
			if m.Op == changelog.ModDelete && strings.HasPrefix(v, tokenMark) && !nd.past.tokens[v] {
				fail("invented", "%s removes a value that its directory never held: %s", nd.name, showChange(c))
			}
		}
	}
}

// deleted reports whether any server has made known that an entry was deleted.
func (w *world) deleted(id changelog.ID) bool {
	for _, m := range w.made {
		if m.Op == changelog.OpDelete && m.ID == id {
			return true
		}
	}
	return false
}
