package replica

import (
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// Conflict returns one conflict with its values in full, and with what the changes that
// met did, as far as the log reaches.
func (r *Replica) Conflict(id string, secrets bool) (c Conflict, err error) {
	err = r.view(func(w *work) error {
		l := &listing{work: w, q: ConflictQuery{Secrets: secrets}, servers: map[changelog.SID]string{}, full: true}
		if strings.Contains(id, ":") {
			c, err = l.aside(id)
			return err
		}
		record, err := w.find(id)
		if err != nil {
			return err
		}
		c, err = l.conflict(record)
		return err
	})
	return c, err
}

// aside returns what is set aside on this server under an id.
func (l *listing) aside(id string) (found Conflict, err error) {
	kinds := map[string]dit.Kind{"parked": ParkedRejected, "future": ParkedFuture, "denied": DeniedByRole}
	word, _, _ := strings.Cut(id, ":")
	if kind, ok := kinds[word]; ok {
		err = l.each(kind, func(c Conflict) bool {
			if c.ID == id {
				found = c
			}
			return found.ID == ""
		})
	}
	if err == nil && found.ID == "" {
		err = &RequestError{Text: "no conflict " + id, HintText: "ldapsync conflicts list shows them"}
	}
	return found, err
}

// explain adds to a conflict what its record does not say.
func (l *listing) explain(c *Conflict, r dit.Record) error {
	if r.Kind == dit.NameConflict {
		c.Lost.Value = c.Won.Value // both claim it
	}
	other, won, err := l.dit.Opponent(r)
	if err != nil {
		return err
	}
	if !other.IsZero() {
		c.Other = other
		if c.OtherDN, _, err = l.dit.NameOf(other); err != nil {
			return err
		}
		if c.Won, err = l.side(won, false); err != nil {
			return err
		}
	}
	for _, side := range []*ConflictSide{&c.Lost, &c.Won} {
		if err := l.attribute(side, c.Entry, c.Other); err != nil {
			return err
		}
	}
	return nil
}

// attribute adds to a side what the log tells of its change, which is one of some
// entries.
func (l *listing) attribute(side *ConflictSide, ids ...changelog.ID) (err error) {
	if side.CSN.IsZero() {
		return nil
	}
	for _, id := range ids {
		if side.Change, err = l.logged(id, side.CSN); err != nil {
			return err
		}
		if side.Change != nil {
			break
		}
	}
	if side.Change != nil && side.Op == "" && side.Value == "" && side.Parent == "" && !side.Hidden {
		side.Op = side.Change.Op.String()
	}
	return nil
}

// logged returns what the log tells of a change of an entry, nil when it has none with
// that CSN.
func (l *listing) logged(id changelog.ID, at changelog.CSN) (h *HistoryChange, err error) {
	who, err := l.clients(id)
	if err != nil {
		return nil, err
	}
	read := l.Log.History(id, changelog.CSN{}, func(c *changelog.Change) bool {
		var by string
		if by, err = who.made(c); err == nil && c.CSN == at {
			h, err = l.toldInShort(c, by)
		}
		return err == nil && c.CSN.Before(at)
	})
	if err == nil {
		err = read
	}
	return h, err
}

// shownValues is how many values of a modification are shown with a conflict.
const shownValues = 20

// toldInShort tells of a change that a client made, no more than a person would read.
func (l *listing) toldInShort(c *changelog.Change, by string) (*HistoryChange, error) {
	h, err := l.told(c, l.q.Secrets)
	if err != nil {
		return nil, err
	}
	h.By = by
	for i := range h.Mods {
		m := &h.Mods[i]
		m.More = max(len(m.Values)-shownValues, 0)
		m.Values = slices.Clone(m.Values[:len(m.Values)-m.More])
		for j, v := range m.Values {
			m.Values[j] = cutValue(v)
		}
	}
	return &h, nil
}
