package daemon

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ldapsync/changelog"
	"ldapsync/control"
	"ldapsync/dit"
	"ldapsync/replica"
)

// journalOf returns the replica of the suffix that a command names.
func (d *daemon) journalOf(suffix string) (*replica.Replica, error) {
	u, err := d.unitOf(suffix)
	if err != nil {
		return nil, err
	}
	return u.link.Load().replica, nil
}

// asked turns errors that are the command's fault into those that say so.
func asked(err error) error {
	var re *replica.RequestError
	switch {
	case errors.As(err, &re):
		return &control.Error{Text: re.Text, HintText: re.HintText, Code: control.CodeRequest}
	case errors.Is(err, dit.ErrPage):
		return &control.Error{Text: err.Error(), Code: control.CodeRequest}
	}
	return err
}

// entryOf returns the entry that a command names by its entryUUID.
func entryOf(id string) (changelog.ID, error) {
	entry, err := changelog.ParseID(id)
	if err != nil {
		return entry, &control.Error{Code: control.CodeRequest, Text: err.Error()}
	}
	return entry, nil
}

// kindsOf checks the kinds that a command names.
func kindsOf(names []string) (kinds []dit.Kind, err error) {
	all := replica.ConflictKinds()
	for _, name := range names {
		if !slices.Contains(all, dit.Kind(name)) {
			var known []string
			for _, k := range all {
				known = append(known, string(k))
			}
			return nil, &control.Error{Code: control.CodeRequest, Text: fmt.Sprintf("no kind of conflict %q", name), HintText: "one of " + strings.Join(known, ", ")}
		}
		kinds = append(kinds, dit.Kind(name))
	}
	return kinds, nil
}

// Conflicts implements control.Service.
func (d *daemon) Conflicts(_ context.Context, ask control.ConflictsRequest) (out control.ConflictsPage, err error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return out, err
	}
	kinds, err := kindsOf(ask.Kinds)
	if err != nil {
		return out, err
	}
	page, err := r.Conflicts(replica.ConflictQuery{
		Kinds: kinds, Name: ask.Name, Since: ask.Since, Limit: ask.Limit, After: ask.After, Secrets: ask.ShowSecrets,
	})
	if err != nil {
		return out, asked(err)
	}
	out.Next, out.Counts = page.Next, map[string]int{}
	for kind, n := range page.Counts {
		out.Counts[string(kind)] = n
	}
	for _, c := range page.Conflicts {
		out.Conflicts = append(out.Conflicts, d.conflict(ask.Suffix, c))
	}
	return out, nil
}

// Conflict implements control.Service.
func (d *daemon) Conflict(_ context.Context, ask control.ConflictRequest) (control.Conflict, error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return control.Conflict{}, err
	}
	c, err := r.Conflict(ask.ID, ask.ShowSecrets)
	if err != nil {
		return control.Conflict{}, asked(err)
	}
	return d.conflict(ask.Suffix, c), nil
}

// Restore implements control.Service.
func (d *daemon) Restore(_ context.Context, ask control.RestoreRequest) (string, error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return "", err
	}
	done, err := r.Restore(ask.ID, replica.RestoreOptions{Rename: ask.Rename, RemoveValue: ask.RemoveValue})
	return done, asked(err)
}

// Drop implements control.Service.
func (d *daemon) Drop(_ context.Context, ask control.DropRequest) (int, error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return 0, err
	}
	kinds, err := kindsOf(ask.Kinds)
	if err != nil {
		return 0, err
	}
	n := 0
	switch {
	case ask.All == (len(ask.IDs) > 0):
		err = &control.Error{Code: control.CodeRequest, Text: "name the conflicts to drop, or all of them"}
	case ask.All:
		n, err = r.DropAll(replica.ConflictQuery{Kinds: kinds, Name: ask.Name, Since: ask.Since})
	default:
		n, err = r.Drop(ask.IDs)
	}
	return n, asked(err)
}

// DropParked implements control.Service.
func (d *daemon) DropParked(_ context.Context, suffix, id string) error {
	r, err := d.journalOf(suffix)
	if err != nil {
		return err
	}
	entry, err := entryOf(id)
	if err != nil {
		return err
	}
	return asked(r.DropParked(entry))
}

// History implements control.Service.
func (d *daemon) History(_ context.Context, ask control.HistoryRequest) (out control.History, err error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return out, err
	}
	page, err := r.History(ask.Name, ask.ShowSecrets, ask.Limit, ask.After)
	if err != nil {
		return out, asked(err)
	}
	out = control.History{Entry: page.ID.String(), DN: page.DN, Truncated: page.Truncated, Next: page.Next}
	for _, n := range page.Others {
		out.Others = append(out.Others, control.Namesake{Entry: n.ID.String(), DN: n.DN, Deleted: n.Deleted})
	}
	for _, c := range page.Changes {
		out.Changes = append(out.Changes, historyChange(c))
	}
	return out, nil
}

// Undelete implements control.Service.
func (d *daemon) Undelete(_ context.Context, ask control.UndeleteRequest) (string, error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return "", err
	}
	done, err := r.Undelete(ask.Name, ask.Rename)
	return done, asked(err)
}

// Deleted implements control.Service.
func (d *daemon) Deleted(_ context.Context, ask control.DeletedRequest) (out control.DeletedPage, err error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return out, err
	}
	page, next, err := r.Deleted(ask.Base, ask.Limit, ask.After)
	if err != nil {
		return out, asked(err)
	}
	out.Next = next
	for _, e := range page {
		out.Deleted = append(out.Deleted, control.Deleted{Entry: e.ID.String(), DN: e.DN, Time: e.Deleted, Server: e.Server})
	}
	return out, nil
}

// conflict tells of a conflict in the suffix of that name, "" for the only one.
func (d *daemon) conflict(suffix string, c replica.Conflict) control.Conflict {
	out := control.Conflict{
		ID: c.ID, Kind: string(c.Kind), Text: c.Text, Entry: c.Entry.String(), DN: c.DN, Attribute: c.Attribute,
		Lost: side(c.Lost), Won: side(c.Won), OtherDN: c.OtherDN, Restore: c.Restore, ByHand: c.ByHand, Command: c.Command,
	}
	if len(d.units) > 1 && c.Command != "" {
		out.Command += " --suffix '" + strings.ReplaceAll(suffix, "'", `'\''`) + "'"
	}
	if r := c.Refusal; r != nil {
		out.Refusal = &control.Refusal{Code: r.Code, Text: r.Text, Since: r.Since.UTC(), GivenUp: r.GivenUp}
	}
	if !c.Other.IsZero() {
		out.Other = c.Other.String()
	}
	return out
}

func side(s replica.ConflictSide) control.ConflictSide {
	out := control.ConflictSide{Server: s.Server, Value: octets(s.Value), Parent: s.Parent, Op: s.Op}
	out.Hidden = s.Hidden
	if s.Change != nil {
		change := historyChange(*s.Change)
		out.Change = &change
	}
	if !s.CSN.IsZero() {
		out.CSN, out.Time, out.SID = s.CSN.String(), s.CSN.When(), int(s.CSN.SID)
	}
	return out
}

// octets returns a value in the form that JSON can carry.
func octets(v string) control.Value {
	if utf8.ValidString(v) {
		return control.Value{Text: v}
	}
	return control.Value{Base64: base64.StdEncoding.EncodeToString([]byte(v))}
}

func historyChange(c replica.HistoryChange) control.HistoryChange {
	out := control.HistoryChange{
		CSN: c.CSN.String(), Time: c.CSN.When(), SID: int(c.CSN.SID), Seq: c.Seq, Server: c.Server, By: c.By, Op: c.Op.String(), DN: c.DN,
		RDN: c.RDN, DeleteOldRDN: c.DeleteOldRDN, Superior: c.Superior, Undelete: c.Undelete, Records: c.Records,
	}
	for _, m := range c.Mods {
		mod := control.HistoryMod{Op: m.Op.String(), Attr: m.Attr, More: m.More}
		for _, v := range m.Values {
			mod.Values = append(mod.Values, octets(v))
		}
		for range m.Hidden {
			mod.Values = append(mod.Values, control.Value{Hidden: true})
		}
		out.Mods = append(out.Mods, mod)
	}
	return out
}
