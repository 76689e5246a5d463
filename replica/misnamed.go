package replica

import (
	"slices"
	"strings"

	"ldapsync/dn"
	"ldapsync/schema"
	"ldapsync/store"
)

// misnamed handles a rename by a client to a name that no class of the entry allows as
// the room knows it: no directory would take that. So it is where the entry that was
// renamed has been matched by its name and is yet to become the room's, or where others
// have removed a class. The rename is not recorded: the state is written down, and the
// view is put in its place. Base is what the directory held before, nil for nothing.
func (w *work) misnamed(base, now *store.Image) (bool, error) {
	if base == nil || base.Gone || base.RDN == now.RDN || !w.r.Role().Writes() {
		return false, nil
	}
	want, err := w.viewed(now.ID)
	if err != nil || want == nil {
		return false, err
	}
	rdn, err := dn.ParseRDN(now.RDN)
	if err != nil {
		return false, err
	}
	classes := slices.Clone(w.Values(want, "objectClass"))
	for _, c := range w.Values(now, "objectClass") {
		if !slices.Contains(w.Values(base, "objectClass"), c) {
			classes = append(classes, c)
		}
	}
	for _, ava := range rdn {
		if !strings.EqualFold(ava.Attr, schema.ConflictID) && !w.Schema.Allows(classes, ava.Attr) {
			return true, w.undo(now)
		}
	}
	return false, nil
}
