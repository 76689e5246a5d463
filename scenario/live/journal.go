package live

import (
	"context"
	"encoding/base64"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/control"
	"ldapsync/dit"
	"ldapsync/scenario"
)

// journal asks a daemon for the records about the entries of the scenario.
func (r *run) journal(ctx context.Context, at int) ([]scenario.Record, error) {
	client, err := control.Dial(r.Servers[at].Socket())
	if err != nil {
		return nil, err
	}
	var out []scenario.Record
	for ask := (control.ConflictsRequest{ShowSecrets: true}); ; {
		page, err := client.Conflicts(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, c := range page.Conflicts {
			rec, err := recordOf(c)
			if err != nil {
				return nil, fmt.Errorf("conflict %s: %w", c.ID, err)
			}
			if _, ours := r.names[rec.Entry]; ours {
				rec.Lost.Value = r.values(rec.Attribute, []string{rec.Lost.Value}, r.back)[0]
				out = append(out, r.names.Record(rec, r.timeOf))
			}
		}
		if page.Next == "" {
			return out, nil
		}
		ask.After = page.Next
	}
}

// recordOf reads what came over the socket.
func recordOf(c control.Conflict) (rec dit.Record, err error) {
	rec = dit.Record{Kind: dit.Kind(c.Kind), Attribute: c.Attribute}
	if rec.Entry, err = idOf(c.Entry); err != nil {
		return rec, err
	}
	if rec.Winner, err = idOf(c.Other); err != nil {
		return rec, err
	}
	if rec.Lost, err = sideOf(c.Lost); err != nil {
		return rec, err
	}
	rec.Won, err = sideOf(c.Won)
	return rec, err
}

// idOf reads an entryUUID, "" for none.
func idOf(text string) (dit.ID, error) {
	if text == "" {
		return dit.ID{}, nil
	}
	return changelog.ParseID(text)
}

func sideOf(s control.ConflictSide) (out dit.Side, err error) {
	out.Value = s.Text
	if s.Base64 != "" {
		b, err := base64.StdEncoding.DecodeString(s.Base64)
		if err != nil {
			return out, err
		}
		out.Value = string(b)
	}
	if s.CSN != "" {
		out.CSN, err = changelog.ParseCSN(s.CSN)
	}
	return out, err
}
