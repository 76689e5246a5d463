package replica

import (
	"fmt"
	"time"

	"ldapsync/changelog"
	"ldapsync/dn"
)

// HistoryChange is one change of an entry.
type HistoryChange struct {
	CSN    changelog.CSN
	Seq    uint64
	Server string
	Op     changelog.Op
	// DN is the entry's name before the change, By the name of the client that
	// made it, as far as that follows from what the directory noted; else "".
	DN, By string
	// RDN and Superior are the new name and place, "" where they stay.
	RDN, Superior string
	DeleteOldRDN  bool
	Undelete      bool
	Mods          []HistoryMod
	// Records are those of the journal that the change dropped.
	Records []string
}

// HistoryMod is what a change did to one attribute.
type HistoryMod struct {
	Op     changelog.ModOp
	Attr   string
	Values []string
	// Hidden is how many values were left out as secrets, More how many because there
	// are so many.
	Hidden, More int
}

// HistoryPage is a part of the changes of an entry, oldest first.
type HistoryPage struct {
	ID changelog.ID
	DN string
	// Others are entries that had the name, too, where it was asked for by that.
	Others  []Namesake
	Changes []HistoryChange
	// Truncated says that the log does not reach back to the entry's creation.
	Truncated bool
	// Next is where the next page begins, "" after the last.
	Next string
}

// History returns who changed an entry, by UUID or by the DN that it has or had, where
// and when, as far back as the log reaches.
func (r *Replica) History(name string, secrets bool, limit int, after string) (page HistoryPage, err error) {
	if limit <= 0 {
		limit = listingPage
	}
	limit = min(limit, maxListingPage)
	var from changelog.CSN
	if after != "" {
		if from, err = changelog.ParseCSN(after); err != nil {
			return page, notAPage(after)
		}
	}
	err = r.view(func(w *work) error {
		if page.ID, page.Others, err = w.called(name); err != nil {
			return err
		}
		if page.DN, _, err = w.dit.NameOf(page.ID); err != nil {
			return err
		}
		return w.history(&page, secrets, limit, from)
	})
	return page, err
}

func (w *work) history(page *HistoryPage, secrets bool, limit int, from changelog.CSN) error {
	who, err := w.clients(page.ID)
	if err != nil {
		return err
	}
	var failed error
	first := true
	err = w.Log.History(page.ID, changelog.CSN{}, func(c *changelog.Change) bool {
		if first {
			page.Truncated, first = c.Op != changelog.OpAdd, false
		}
		var by string
		if by, failed = who.made(c); failed != nil || !from.Before(c.CSN) {
			return failed == nil
		}
		if len(page.Changes) == limit {
			page.Next = page.Changes[limit-1].CSN.String()
			return false
		}
		var h HistoryChange
		if h, failed = w.told(c, secrets); failed == nil && h.empty() {
			return true
		}
		h.By = by
		page.Changes = append(page.Changes, h)
		return failed == nil
	})
	if err != nil {
		return err
	}
	if page.Truncated = page.Truncated || first; first {
		if newest, err := w.dit.Newest(page.ID); err != nil || newest.IsZero() {
			return &RequestError{Text: fmt.Sprintf("nothing is known of %s", page.ID)}
		}
	}
	return failed
}

// empty reports whether a change says nothing but when and by whom it was made, as
// the one that a rename leaves behind does.
func (h *HistoryChange) empty() bool {
	return h.Op == changelog.OpModify && len(h.Mods) == 0 && !h.Undelete && len(h.Records) == 0
}

// told tells of a change.
func (w *work) told(c *changelog.Change, secrets bool) (h HistoryChange, err error) {
	h = HistoryChange{
		CSN: c.CSN, Seq: c.Seq, Op: c.Op, DN: c.DN, RDN: c.RDN, DeleteOldRDN: c.DeleteOldRDN, Undelete: c.Undelete, Records: c.Records,
	}
	if h.Server, err = w.server(c.SID()); err != nil {
		return h, err
	}
	if c.Moved {
		if h.Superior, _, err = w.dit.NameOf(c.Superior); err != nil {
			return h, err
		}
	}
	for _, m := range ofUsers(c.Mods) {
		mod := HistoryMod{Op: m.Op, Attr: m.Attr, Values: m.Values}
		if !secrets && IsSecret(m.Attr) {
			mod.Values, mod.Hidden = nil, len(m.Values)
		}
		h.Mods = append(h.Mods, mod)
	}
	return h, nil
}

// ofUsers returns the modifications of a change that its client asked for.
func ofUsers(mods []changelog.Mod) (out []changelog.Mod) {
	for _, m := range mods {
		if !isNote(m.Attr) {
			out = append(out, m)
		}
	}
	return out
}

// DeletedEntry is an entry that can be undeleted.
type DeletedEntry struct {
	ID      changelog.ID
	DN      string
	Deleted time.Time
	Server  string
}

// Deleted returns a page of the entries that are deleted, newest first: those at
// and below a base ("" for all); next is where the next page begins, "" after
// the last.
func (r *Replica) Deleted(base string, limit int, after string) (page []DeletedEntry, next string, err error) {
	var at dn.DN
	if base != "" {
		if at, err = dn.Parse(base); err != nil {
			return nil, "", &RequestError{Text: fmt.Sprintf("%q is not a DN: %v", base, err)}
		}
	}
	if limit <= 0 {
		limit = listingPage
	}
	err = r.view(func(w *work) error {
		dead, more, err := w.dit.Deleted(at, min(limit, maxListingPage), after)
		if err != nil {
			return err
		}
		next = more
		for _, d := range dead {
			server, err := w.server(d.Deleted.SID)
			if err != nil {
				return err
			}
			page = append(page, DeletedEntry{d.ID, d.DN, d.Deleted.When(), server})
		}
		return nil
	})
	return page, next, err
}
