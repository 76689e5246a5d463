package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"ldapsync/scenario"
	"ldapsync/scenario/live"
)

// realOptions says how scenarios are played on real servers.
type realOptions struct {
	real, markdown bool
	dir            string
}

// simulateReal plays files on real servers.
func simulateReal(ctx context.Context, files []*scenario.File, definitions *scenario.Definitions, opts realOptions, out io.Writer) error {
	servers, scenarios := 2, 0
	for _, f := range files {
		scenarios += len(f.Scenarios)
		for _, s := range f.Scenarios {
			servers = max(servers, len(s.Replicas()))
		}
	}
	if servers > live.MaxServers {
		return &usageError{text: fmt.Sprintf("%d replicas are too many for --real: at most %d", servers, live.MaxServers)}
	}
	conf, err := definitions.Conf()
	if err != nil {
		return err
	}
	table := live.Table{Out: printableWriter{out}, Markdown: opts.markdown}
	table.Begin(servers)
	for n := 1; len(files) > 0; n++ {
		alike := 1
		for alike < len(files) && slices.Equal(files[alike].Unique, files[0].Unique) {
			alike++
		}
		site := live.Options{Servers: servers, Schema: conf, Unique: files[0].Unique}
		if opts.dir != "" {
			site.Dir = filepath.Join(opts.dir, fmt.Sprint("site", n))
		}
		if err := playReal(ctx, site, files[:alike], &table); err != nil {
			table.Stop(scenarios)
			return err
		}
		files = files[alike:]
	}
	table.End()
	if table.Differ() > 0 {
		return &differError{table.Differ(), table.Scenarios()}
	}
	return nil
}

// playReal plays files on servers of their own.
func playReal(ctx context.Context, opts live.Options, files []*scenario.File, table *live.Table) (err error) {
	if opts.Exe, err = os.Executable(); err != nil {
		return err
	}
	site, err := live.Start(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.Close()) }()
	for _, f := range files {
		for _, s := range f.Scenarios {
			row, err := site.Play(ctx, s)
			if err != nil {
				return err
			}
			table.Add(row)
		}
	}
	return nil
}
