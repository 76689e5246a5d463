package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/control"
)

// statusOptions is how status shows what it got.
type statusOptions struct {
	asJSON bool
	watch  bool
	every  time.Duration
}

func newStatusCommand(f *flags) *cobra.Command {
	var opts statusOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how far every server's copy reaches and what stands in the way",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.every < 100*time.Millisecond {
				return &usageError{text: "--interval is less than 100ms"}
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			return showStatus(cmd.Context(), client, opts, cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&opts.asJSON, "json", false, "print JSON, one document (with --watch one on each line)")
	c.Flags().BoolVar(&opts.watch, "watch", false, "show it again and again")
	c.Flags().DurationVar(&opts.every, "interval", 2*time.Second, "how often --watch asks")
	addSocketFlag(c, f)
	return c
}

func showStatus(ctx context.Context, client control.Service, opts statusOptions, out io.Writer) error {
	terminal := isTerminal(out)
	for {
		s, err := client.Status(ctx)
		if err != nil {
			return watchError(ctx, err)
		}
		if err := printStatus(out, s, opts, terminal); err != nil || !opts.watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(opts.every):
		}
	}
}

// watchError drops the error of a request that Ctrl-C interrupted.
func watchError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func printStatus(out io.Writer, s control.Status, opts statusOptions, terminal bool) error {
	switch {
	case opts.asJSON && opts.watch:
		return json.NewEncoder(out).Encode(s)
	case opts.asJSON:
		return printJSON(out, s)
	}
	if opts.watch && terminal {
		fmt.Fprint(out, clearScreen)
	}
	return renderStatus(out, s, terminal && os.Getenv("NO_COLOR") == "")
}
