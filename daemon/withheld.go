package daemon

import (
	"context"

	"ldapsync/control"
)

// Withheld implements control.Service.
func (d *daemon) Withheld(_ context.Context, ask control.WithheldRequest) (out []control.Withheld, err error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return nil, err
	}
	list, err := r.Withheld()
	for _, e := range list {
		entry := control.Withheld{Entry: e.ID.String(), Missing: e.Missing.String(), RDN: e.RDN, Server: e.Server}
		if !e.Added.IsZero() {
			entry.Added = e.Added.When()
		}
		out = append(out, entry)
	}
	return out, err
}

// Release implements control.Service.
func (d *daemon) Release(_ context.Context, ask control.ReleaseRequest) (string, error) {
	r, err := d.journalOf(ask.Suffix)
	if err != nil {
		return "", err
	}
	entry, err := entryOf(ask.Entry)
	if err != nil {
		return "", err
	}
	done, err := r.Release(entry, ask.Below)
	return done, asked(err)
}
