package replica

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldapsync/changelog"
	"ldapsync/dn"
)

// Namesake is an entry that had a name which is another's now, or nobody's.
type Namesake struct {
	ID changelog.ID
	// DN is the name it has now, or had when it was deleted, at Deleted; that is zero
	// for one that is shown.
	DN      string
	Deleted time.Time
}

// String tells of n for people.
func (n Namesake) String() string {
	if n.Deleted.IsZero() {
		return fmt.Sprintf("%s (now %s)", n.ID, n.DN)
	}
	return fmt.Sprintf("%s (deleted %s as %s)", n.ID, n.Deleted.UTC().Format(time.RFC3339), n.DN)
}

// maxNamesakes is how many are told of, the newest.
const maxNamesakes = 20

// called returns the entry that an entryUUID or a DN means: the one that has the name,
// else the only one that is known to have had it; and who else had it.
func (w *work) called(name string) (id changelog.ID, others []Namesake, err error) {
	if id, err := changelog.ParseID(name); err == nil {
		return id, nil, nil
	}
	d, err := parseName(name)
	if err != nil {
		return id, nil, err
	}
	id, found, err := w.dit.Find(d)
	if err != nil {
		return id, nil, err
	}
	if others, err = w.namesakes(d, id); err != nil || found {
		return id, others, err
	}
	switch len(others) {
	case 0:
		return id, nil, &RequestError{Text: fmt.Sprintf("no entry %s, nor does the change log know of one that had the name", name),
			HintText: "ldapsync undelete --list shows what was deleted"}
	case 1:
		return others[0].ID, nil, nil
	}
	var list []string
	for _, n := range others[:min(len(others), 5)] {
		list = append(list, n.String())
	}
	return id, nil, &RequestError{Text: fmt.Sprintf("no entry %s, and several had the name", name),
		HintText: "name one by its entryUUID: " + strings.Join(list, ", ")}
}

// namesakes returns who had a name, but for one entry, as far as deletions and the log
// tell: no more than maxNamesakes, those first that were changed last.
func (w *work) namesakes(d dn.DN, but changelog.ID) ([]Namesake, error) {
	ids := map[changelog.ID]bool{but: true}
	dead, err := w.dit.FindDeleted(d)
	if err != nil {
		return nil, err
	}
	for _, t := range dead {
		ids[t.ID] = true
	}
	same := w.sameName(d)
	err = w.Log.Names(func(id changelog.ID, text []byte) bool {
		if !ids[id] && same(text) {
			ids[id] = true
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	delete(ids, but)
	return w.newestOf(ids)
}

func (w *work) newestOf(ids map[changelog.ID]bool) (list []Namesake, err error) {
	changed := map[changelog.ID]changelog.CSN{}
	var order []changelog.ID
	for id := range ids {
		if changed[id], err = w.dit.Newest(id); err != nil {
			return nil, err
		}
		order = append(order, id)
	}
	slices.SortFunc(order, func(a, b changelog.ID) int {
		if c := changed[b].Compare(changed[a]); c != 0 {
			return c
		}
		return bytes.Compare(a[:], b[:])
	})
	for _, id := range order[:min(len(order), maxNamesakes)] {
		n := Namesake{ID: id}
		var shown bool
		if n.DN, shown, err = w.dit.NameOf(id); err != nil {
			return nil, err
		}
		if !shown {
			died, err := w.dit.Death(id)
			if err != nil {
				return nil, err
			}
			n.Deleted = died.When()
		}
		list = append(list, n)
	}
	return list, nil
}

// sameName returns what tells whether a name as it stands in the log is a certain one.
// Of most the first RDN shows that it is not.
func (w *work) sameName(d dn.DN) func(text []byte) bool {
	first, whole := d[0].Key(w.rules.Schema), d.Key(w.rules.Schema)
	return func(text []byte) bool {
		rdn, _, _ := bytes.Cut(text, []byte{','})
		if !bytes.Contains(rdn, []byte{'\\'}) {
			if leaf, err := dn.ParseRDN(string(rdn)); err != nil || leaf.Key(w.rules.Schema) != first {
				return false
			}
		}
		name, err := dn.Parse(string(text))
		return err == nil && len(name) == len(d) && name.Key(w.rules.Schema) == whole
	}
}

// parseName reads the DN of an entry that a command names.
func parseName(name string) (dn.DN, error) {
	d, err := dn.Parse(name)
	if err != nil || len(d) == 0 {
		return nil, &RequestError{Text: fmt.Sprintf("%q is neither a DN nor an entryUUID", name)}
	}
	return d, nil
}
