package replica

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/store"
)

// NotMasterError refuses to write for an administrator.
type NotMasterError struct{ Reason string }

func (e *NotMasterError) Error() string { return "this server cannot write: " + e.Reason }

// Hint says where it could be done.
func (e *NotMasterError) Hint() string {
	return "run the command on a server that is a master; ldapsync status shows the roles"
}

// RestoreOptions say how to restore a conflict.
type RestoreOptions struct {
	// Rename is the RDN to give the entry, for kinds that need one.
	Rename string
	// RemoveValue takes the value away instead of what it points at.
	RemoveValue bool
}

// suit refuses options that mean nothing for a kind of conflict: who gave them expects
// something else than would be done.
func (o RestoreOptions) suit(kind dit.Kind) error {
	m := meanings[kind]
	hint := "restore: " + m.restore
	if m.restore == "" {
		hint = m.byHand
	}
	switch {
	case o.Rename != "" && !m.rename:
		return &RequestError{Text: fmt.Sprintf("--rename means nothing for %s", kind), HintText: hint}
	case o.RemoveValue && !m.remove:
		return &RequestError{Text: fmt.Sprintf("--remove-value means nothing for %s", kind), HintText: hint}
	case o.RemoveValue && o.Rename != "":
		return &RequestError{Text: "--rename and --remove-value do not go together", HintText: hint}
	}
	return nil
}

// mayWrite returns why this server cannot author changes, nil when it can.
func (r *Replica) mayWrite() error {
	switch {
	case r.Fault() != "":
		return &NotMasterError{r.Fault()}
	case !r.joined():
		return &NotMasterError{"it has not joined the room yet"}
	case !r.Role().Writes():
		return &NotMasterError{"its role is " + r.Role().String()}
	}
	return nil
}

// assert makes c the next change of this server, made knowing everything that is
// stored: it is logged, merged and written to the directory like any other.
func (w *work) assert(c *changelog.Change) error {
	sid := w.r.sid()
	mark, err := w.Log.Mark(sid)
	if err != nil {
		return err
	}
	after := []changelog.CSN{mark.CSN}
	for _, id := range []changelog.ID{c.ID, c.Superior} {
		newest, err := w.dit.Newest(id)
		if err != nil {
			return err
		}
		after = append(after, newest)
	}
	c.Seq, c.CSN, c.Seen = mark.Seq+1, w.r.clock.Next(time.Time{}, after...), changelog.Seqs{}
	for other, seq := range w.seen {
		if other != sid && seq > 0 {
			c.Seen[other] = seq
		}
	}
	if err := w.issue(c); err != nil {
		return err
	}
	return w.merge(c)
}

// administer runs fn, which asserts changes, in one transaction.
func (r *Replica) administer(fn func(*work) error) error {
	if err := r.mayWrite(); err != nil {
		return err
	}
	err := r.update(fn)
	r.toPublish.raise()
	r.toApply.raise()
	r.changed.raise()
	return err
}

// find returns the record whose id begins with some digits.
func (w *work) find(id string) (dit.Record, error) {
	digits := strings.ToLower(id)
	found, err := w.dit.FindRecords(digits)
	switch {
	case err != nil:
		return dit.Record{}, err
	case digits == "" || len(found) == 0:
		return dit.Record{}, &RequestError{Text: fmt.Sprintf("no conflict %q", id),
			HintText: "ldapsync conflicts list shows them; one that was dropped or no longer holds is gone"}
	case len(found) > 1:
		return dit.Record{}, ambiguous(id, found)
	}
	return found[0], nil
}

// ambiguous refuses an id with which several records begin, and names some.
func ambiguous(id string, found []dit.Record) error {
	const named = 5
	var some []string
	for _, r := range found[:min(len(found), named)] {
		some = append(some, fmt.Sprintf("%s (%s)", r.ID(), r.Kind))
	}
	if len(found) > named {
		some = append(some, "...")
	}
	return &RequestError{Text: fmt.Sprintf("%s is ambiguous: several conflicts begin with it", id), HintText: "give more digits: " + strings.Join(some, ", ")}
}

// Restore makes a change that gives the losing side of a conflict its effect
// again, and says in words what it did.
func (r *Replica) Restore(id string, o RestoreOptions) (done string, err error) {
	err = r.administer(func(w *work) error {
		if key, ok := strings.CutPrefix(id, "denied:"); ok {
			if err := o.suit(DeniedByRole); err != nil {
				return err
			}
			done, err = w.restoreDenied(key)
			return err
		}
		if strings.Contains(id, ":") {
			return &RequestError{Text: "nothing to restore: " + id + " is set aside on this server", HintText: "ldapsync conflicts show " + id}
		}
		record, err := w.find(id)
		if err != nil {
			return err
		}
		if err := o.suit(record.Kind); err != nil {
			return err
		}
		done, err = w.restore(record, o)
		return err
	})
	return done, err
}

func (w *work) restore(r dit.Record, o RestoreOptions) (string, error) {
	switch r.Kind {
	case dit.ValueSuperseded:
		return w.addValue(r)
	case dit.RenameSuperseded:
		return w.rename(r.Entry, r.Lost.Value)
	case dit.MoveSuperseded, dit.MoveSkipped:
		return w.moveBelow(r.Entry, r.Lost.Parent)
	case dit.ChangeOnDeleted, dit.GlueShown:
		return w.undelete(r.Entry, o.Rename)
	case dit.DeleteSuperseded:
		return w.operate(r.Entry, dit.Operation{Op: changelog.OpDelete}, "deleted")
	case dit.NameConflict:
		if o.Rename == "" {
			return "", &RequestError{Text: "another entry has the name", HintText: "give this one a name of its own with --rename RDN"}
		}
		return w.rename(r.Entry, o.Rename)
	case dit.DanglingReference:
		if o.RemoveValue {
			return w.removeValue(r)
		}
		return w.undelete(r.Winner, o.Rename)
	case dit.UniquenessViolation:
		if o.RemoveValue {
			return w.removeValue(r)
		}
	}
	m := meanings[r.Kind]
	return "", &RequestError{Text: "nothing can be restored by itself: " + m.text, HintText: strings.Trim(m.restore+"; "+m.byHand, "; ")}
}

// operate makes the operation of a client of what is shown of an entry.
func (w *work) operate(id changelog.ID, op dit.Operation, verb string) (string, error) {
	name, shown, err := w.dit.DN(id)
	if err != nil {
		return "", err
	}
	if !shown {
		return "", &RequestError{Text: "the entry is deleted", HintText: "ldapsync undelete " + id.String()}
	}
	op.DN = name
	c, err := w.dit.Author(op, changelog.ID{})
	var refused *dit.ResultError
	if errors.As(err, &refused) {
		return "", &RequestError{Text: refused.Text}
	}
	if err != nil {
		return "", err
	}
	if c == nil {
		return name.String() + " is so already", nil
	}
	if err := w.assert(c); err != nil {
		return "", err
	}
	return name.String() + " " + verb, nil
}

func (w *work) modify(id changelog.ID, op dit.ModificationOp, attr, value, verb string) (string, error) {
	return w.operate(id, dit.Operation{Op: changelog.OpModify, Modifications: []dit.Modification{{Op: op, Attr: attr, Values: []string{value}}}}, verb)
}

func (w *work) addValue(r dit.Record) (string, error) {
	s := w.rules.Schema
	name, err := w.speltIn(r.Entry, r.Attribute)
	if err != nil {
		return "", err
	}
	op := dit.AddValues
	if s.SingleValue(r.Attribute) || !s.HasEquality(r.Attribute) {
		op = dit.ReplaceValues
	}
	return w.modify(r.Entry, op, name, r.Lost.Value, "has the value of "+name+" again")
}

func (w *work) removeValue(r dit.Record) (string, error) {
	name, err := w.speltIn(r.Entry, r.Attribute)
	if err != nil {
		return "", err
	}
	return w.modify(r.Entry, dit.DeleteValues, name, r.Lost.Value, "has lost the value of "+name)
}

// speltIn returns an attribute as its entry writes it, as the schema does where it has
// none.
func (w *work) speltIn(id changelog.ID, canonical string) (string, error) {
	shown, err := w.dit.View(id)
	if err != nil {
		return "", err
	}
	if shown != nil {
		for _, a := range shown.Attrs {
			if w.rules.Schema.Canonical(a.Name) == canonical {
				return a.Name, nil
			}
		}
	}
	return w.spelt(canonical), nil
}

func (w *work) rename(id changelog.ID, text string) (string, error) {
	rdn, err := dn.ParseRDN(text)
	if err != nil {
		return "", &RequestError{Text: fmt.Sprintf("%q is not an RDN: %v", text, err)}
	}
	return w.operate(id, dit.Operation{Op: changelog.OpModDN, NewRDN: rdn, DeleteOldRDN: true}, "renamed to "+text)
}

// moveBelow moves an entry, keeping its name.
func (w *work) moveBelow(id, parent changelog.ID) (string, error) {
	shown, err := w.dit.View(id)
	if err != nil {
		return "", err
	}
	superior, there, err := w.dit.DN(parent)
	if err != nil {
		return "", err
	}
	if !there {
		return "", &RequestError{Text: "where the entry was to go is deleted", HintText: "ldapsync undelete " + parent.String()}
	}
	if shown == nil {
		return "", &RequestError{Text: "the entry is deleted", HintText: "ldapsync undelete " + id.String()}
	}
	return w.operate(id, dit.Operation{Op: changelog.OpModDN, NewRDN: shown.RDN, NewSuperior: superior}, "moved below "+superior.String())
}

// Undelete brings back a deleted entry, by UUID or by the DN it had, under a new
// name where one is given, and says in words what it did.
func (r *Replica) Undelete(name, rename string) (done string, err error) {
	err = r.administer(func(w *work) error {
		id, err := w.deleted(name)
		if err != nil {
			return err
		}
		done, err = w.undelete(id, rename)
		return err
	})
	return done, err
}

// deleted returns the one deleted entry that is meant.
func (w *work) deleted(name string) (changelog.ID, error) {
	if id, err := changelog.ParseID(name); err == nil {
		return id, nil
	}
	d, err := parseName(name)
	if err != nil {
		return changelog.ID{}, err
	}
	dead, err := w.dit.FindDeleted(d)
	switch {
	case err != nil:
		return changelog.ID{}, err
	case len(dead) == 0:
		if id, found, err := w.dit.Find(d); err != nil || found {
			return id, err // glue, or one that is not deleted
		}
		return changelog.ID{}, &RequestError{Text: "no entry was deleted as " + name, HintText: "ldapsync undelete --list shows what was deleted"}
	case len(dead) > 1:
		slices.SortFunc(dead, func(a, b dit.Tombstone) int { return b.Deleted.Compare(a.Deleted) })
		var ids []string
		for _, t := range dead[:min(len(dead), 5)] {
			ids = append(ids, fmt.Sprintf("%s (deleted %s)", t.ID, t.Deleted.When().Format(time.RFC3339)))
		}
		return changelog.ID{}, &RequestError{Text: fmt.Sprintf("%d entries were deleted as %s", len(dead), name),
			HintText: "name one by its entryUUID: " + strings.Join(ids, ", ")}
	}
	return dead[0].ID, nil
}

func (w *work) undelete(id changelog.ID, rename string) (string, error) {
	life, err := w.dit.Life(id)
	if err != nil {
		return "", err
	}
	switch life {
	case dit.Unborn:
		return "", &RequestError{Text: "nothing is known of " + id.String(), HintText: "ldapsync undelete --list shows what was deleted"}
	case dit.Live:
		return "", &RequestError{Text: id.String() + " is not deleted"}
	}
	death, err := w.dit.Death(id)
	if err != nil {
		return "", err
	}
	if gone, err := w.mayBeForgotten(death); err != nil {
		return "", err
	} else if gone {
		return "", &RequestError{
			Text:     "the entry was deleted so long ago that other servers may have forgotten it",
			HintText: "add it anew",
		}
	}
	c, err := w.authorUndelete(id, rename)
	if err != nil {
		return "", err
	}
	if err := w.assert(c); err != nil {
		return "", err
	}
	return w.undeleted(id)
}

// authorUndelete returns the change that brings back an entry, under a new name where
// one is given.
func (w *work) authorUndelete(id changelog.ID, rename string) (*changelog.Change, error) {
	var rdn dn.RDN
	if rename != "" {
		var err error
		if rdn, err = dn.ParseRDN(rename); err != nil {
			return nil, &RequestError{Text: fmt.Sprintf("%q is not an RDN: %v", rename, err)}
		}
	}
	c, err := w.dit.AuthorUndelete(id, rdn)
	var refused *dit.ResultError
	if errors.As(err, &refused) {
		return nil, &RequestError{Text: refused.Text, HintText: "give the one that comes back another name with --rename RDN"}
	}
	return c, err
}

// undeleted says where an entry that was brought back is now.
func (w *work) undeleted(id changelog.ID) (string, error) {
	name, shown, err := w.dit.NameOf(id)
	if err != nil {
		return "", err
	}
	done := name + " is back"
	if view, err := w.dit.View(id); err == nil && shown && view != nil && !view.Parent.IsZero() {
		if life, err := w.dit.Life(view.Parent); err == nil && life == dit.Deleted {
			done += "; what is above it is deleted and shown as glue: ldapsync undelete " + view.Parent.String()
		}
	}
	return done, nil
}

// restoreDenied makes a change that was denied to its author.
func (w *work) restoreDenied(key string) (string, error) {
	d, err := w.denied(key)
	if err != nil {
		return "", err
	}
	if !d.Op.Alters() {
		return "", &RequestError{Text: "the change alters no entry"}
	}
	c := *d.Change
	if err := w.isKnown(&c); err != nil {
		return "", err
	}
	if err := w.assert(&c); err != nil {
		return "", err
	}
	if !d.Own {
		return c.DN + ": " + c.Op.String() + " made; that of the other server stays denied", nil
	}
	return c.DN + ": " + c.Op.String() + " made", w.DropDenied(d)
}

func (w *work) denied(key string) (found store.DeniedChange, err error) {
	err = w.EachDenied(func(d store.DeniedChange) bool {
		if d.Key() == key {
			found = d
		}
		return found.Change == nil
	})
	if err == nil && found.Change == nil {
		err = &RequestError{Text: "no conflict denied:" + key, HintText: "ldapsync conflicts list shows them"}
	}
	return found, err
}

// isKnown refuses a change of an entry, or below one, that is not known, or that others
// may have forgotten: they would wait for ever to understand it.
func (w *work) isKnown(c *changelog.Change) error {
	var needed []changelog.ID
	if c.Op != changelog.OpAdd {
		needed = append(needed, c.ID)
	}
	if c.Op == changelog.OpAdd || c.Moved {
		needed = append(needed, c.Superior)
	}
	for _, id := range needed {
		if id.IsZero() {
			continue
		}
		life, err := w.dit.Life(id)
		if err != nil {
			return err
		}
		gone := false
		if life == dit.Deleted {
			gone, err = w.forgottenByOthers(id, true)
		}
		switch {
		case err != nil:
			return err
		case life == dit.Unborn:
			return &RequestError{Text: "nothing is known of " + id.String() + ", which the change needs", HintText: "if it was denied, too, restore its addition first"}
		case gone:
			return &RequestError{Text: id.String() + ", which the change needs, was deleted so long ago that other servers may have forgotten it"}
		}
	}
	return nil
}
