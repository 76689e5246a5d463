package replica

import (
	"slices"
	"strings"
	"unicode"

	"ldapsync/changelog"
	"ldapsync/store"
)

// Parked is an entry that the directory refuses.
type Parked struct {
	store.Parked
	// Server is the account of the server that made the change which the directory
	// would not take, "" where that is not known.
	Server string
}

// parkedList returns the first entries that are parked.
func (w *work) parkedList(max int) (list []Parked, err error) {
	parked, err := w.ParkedList(max)
	if err != nil {
		return nil, err
	}
	for _, p := range parked {
		server := ""
		if !p.CSN.IsZero() {
			if server, err = w.server(p.CSN.SID); err != nil {
				return nil, err
			}
		}
		list = append(list, Parked{p, server})
	}
	return list, nil
}

// unwritten returns the CSN of the change that the directory would not take, as far as
// that can be known: of the changes of the entry that its image lacks the newest that
// did something to an attribute which the directory's message names, else the newest.
// Where it lacks none, or the log does not hold them, it is the newest of the entry.
func (w *work) unwritten(id changelog.ID, message string) (at changelog.CSN, err error) {
	newest, err := w.dit.Newest(id)
	if err != nil {
		return at, err
	}
	seen, err := w.held(id)
	if err != nil {
		return at, err
	}
	words := strings.FieldsFunc(message, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	blamed := false
	err = w.Log.History(id, changelog.CSN{}, func(c *changelog.Change) bool {
		if c.Op.Alters() && c.Seq > seen[c.SID()] && !newest.Before(c.CSN) {
			if names := namesAny(c.Mods, words); names || !blamed {
				at, blamed = c.CSN, names
			}
		}
		return true
	})
	if at.IsZero() {
		at = newest
	}
	return at, err
}

// namesAny reports whether one of the words is an attribute that mods change.
func namesAny(mods []changelog.Mod, words []string) bool {
	return slices.ContainsFunc(mods, func(m changelog.Mod) bool {
		base, _, _ := strings.Cut(m.Attr, ";")
		return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, base) })
	})
}

// retryParked lets the entries whose time has come be tried again.
func (r *Replica) retryParked() error {
	now := r.cfg.Now()
	n := 0
	idle := true
	err := r.cfg.Store.View(func(t *store.Tx) error {
		idle = t.ParkedCount() == 0
		return nil
	})
	if err != nil || idle {
		return err
	}
	err = r.update(func(w *work) error {
		return w.unparkAll(func(p store.Parked) bool {
			due := !p.Next.After(now)
			if due {
				n++
			}
			return due
		})
	})
	if n > 0 {
		r.toApply.raise()
	}
	return err
}

// RetryParked lets one entry, or all that are parked with the zero ID, be tried again
// now, and returns how many. The one may have been given up.
func (r *Replica) RetryParked(id changelog.ID) (n int, err error) {
	err = r.update(func(w *work) error {
		if !id.IsZero() {
			n = 1
			return w.retry(id)
		}
		n = 0
		return w.unparkAll(func(store.Parked) bool {
			n++
			return true
		})
	})
	r.toApply.raise()
	r.changed.raise()
	return n, err
}

// retry lets an entry that is parked or was given up be tried again.
func (w *work) retry(id changelog.ID) error {
	_, parked, err := w.Parked(id)
	if err != nil {
		return err
	}
	if parked {
		return w.Unpark(id)
	}
	_, given, err := w.GivenUp(id)
	if err != nil {
		return err
	}
	if given {
		return w.MarkDirty(id, w.seen)
	}
	return notParked(id)
}

func notParked(id changelog.ID) error {
	return &RequestError{Text: id.String() + " is not parked", HintText: "ldapsync parked list shows what is"}
}

// DropParked gives up on a parked entry: until its view changes, or the schema,
// it is not tried again, and the directory keeps what it has. What it refused
// stays in the list of conflicts.
func (r *Replica) DropParked(id changelog.ID) error {
	err := r.update(func(w *work) error {
		p, parked, err := w.Parked(id)
		if err != nil {
			return err
		}
		if !parked {
			return notParked(id)
		}
		return w.GiveUp(p, r.cfg.Now())
	})
	r.changed.raise()
	return err
}
