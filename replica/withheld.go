package replica

import (
	"fmt"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
)

// Withheld is an entry that no directory shows, because the addition of its superior,
// or its own, has not arrived.
type Withheld struct {
	dit.Waiting
	// Server is the account of the one that added it, "" where that is not known.
	Server string
}

// Withheld returns the first withheld entries, at most 1,000. Those below one of them
// wait with it and are not named.
func (r *Replica) Withheld() (list []Withheld, err error) {
	err = r.view(func(w *work) error {
		waiting, err := w.dit.Waiting(maxListingPage)
		if err != nil {
			return err
		}
		for _, e := range waiting {
			entry := Withheld{Waiting: e}
			if !e.Added.IsZero() {
				if entry.Server, err = w.server(e.Added.SID); err != nil {
					return err
				}
			}
			list = append(list, entry)
		}
		return nil
	})
	return list, err
}

// Release moves a withheld entry below another, "" for the suffix, where the directories
// show it with what is below it, and says in words what it did. It is for an entry whose
// superior nobody has any more: if that arrives after all, the entry stays where it is.
func (r *Replica) Release(id changelog.ID, below string) (done string, err error) {
	err = r.administer(func(w *work) error {
		superior, err := w.superiorFor(id, below)
		if err != nil {
			return err
		}
		name, _, err := w.dit.NameOf(id)
		if err != nil {
			return err
		}
		if err := w.assert(&changelog.Change{Op: changelog.OpModDN, ID: id, DN: name, Moved: true, Superior: superior}); err != nil {
			return err
		}
		name, _, err = w.dit.NameOf(id)
		done = "shown as " + name
		return err
	})
	return done, err
}

// superiorFor returns the entry below which a withheld one is to be moved.
func (w *work) superiorFor(id changelog.ID, below string) (superior changelog.ID, err error) {
	switch waits, err := w.dit.Waits(id); {
	case err != nil:
		return superior, err
	case !waits:
		return superior, &RequestError{Text: id.String() + " does not wait for its superior", HintText: "ldapsync withheld list shows what does"}
	}
	name := w.rules.Suffix
	if below != "" {
		if name, err = dn.Parse(below); err != nil {
			return superior, &RequestError{Text: fmt.Sprintf("%q is not a DN: %v", below, err)}
		}
	}
	superior, found, err := w.dit.Find(name)
	if err == nil && !found {
		err = &RequestError{Text: "no entry " + name.String(), HintText: "name one that is shown with --below"}
	}
	return superior, err
}
