package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ldapsync/scenario"
	"ldapsync/scenario/live"
)

// realOptions says how scenarios are played on real servers.
type realOptions struct {
	real, markdown bool
	dir            string
}

// simulateReal plays files on real servers.
func simulateReal(ctx context.Context, files []*scenario.File, definitions *scenario.Definitions, opts realOptions, out io.Writer) (err error) {
	servers := 2
	for _, f := range files {
		for _, s := range f.Scenarios {
			servers = max(servers, len(s.Replicas()))
		}
	}
	if servers > live.MaxServers {
		return &usageError{text: fmt.Sprintf("%d replicas are too many for --real: at most %d", servers, live.MaxServers)}
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	conf, err := definitions.Conf()
	if err != nil {
		return err
	}
	site, err := live.Start(ctx, live.Options{Exe: exe, Servers: servers, Dir: opts.dir, Schema: conf})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.Close()) }()
	table := live.Table{Out: printableWriter{out}, Markdown: opts.markdown}
	table.Begin(servers)
	for _, f := range files {
		for _, s := range f.Scenarios {
			row, err := site.Play(ctx, s)
			if err != nil {
				table.End()
				return err
			}
			table.Add(row)
		}
	}
	table.End()
	if table.Differ() > 0 {
		return &differError{table.Differ(), table.Scenarios()}
	}
	return nil
}
