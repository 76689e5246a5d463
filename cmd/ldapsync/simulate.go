package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ldapsync/scenario"
	"ldapsync/schema"
	"ldapsync/simulate"
)

// simulateOptions is what a person can ask of simulate.
type simulateOptions struct {
	shuffles int
	verbose  bool
	random   randomOptions
}

func newSimulateCommand() *cobra.Command {
	var opts simulateOptions
	c := &cobra.Command{
		Use:   "simulate FILE...",
		Short: "Tell what servers that write at the same time will agree on",
		Long: `Simulate reads scenarios: what clients do at several servers while these are
apart. It plays them with the code that a server runs, delivers the changes in
many orders, and compares what every server holds in the end with what the file
expects. Where a file expects nothing, it prints the result: what would happen if.
docs/scenarios.md describes the files; "-" reads one from standard input.

With --seed and without a file it runs random histories of whole replicas, with
lost messages, wrong clocks and crashes, and checks that they agree.

Exit codes: 0 all as expected, 1 failed, 2 a file or flag is wrong, 3 something differs.`,
		Example: `  ldapsync simulate both-rename.yaml
  ldapsync simulate --seed 1 --histories 1000 --profile tree`,
		RunE: func(cmd *cobra.Command, files []string) error {
			given := cmd.Flags().Changed
			switch {
			case len(files) > 0:
				if flag := firstGiven(given, "histories", "profile", "steps", "keep", "trace"); flag != "" {
					return &usageError{text: "--" + flag + " is for random histories, without a file", hint: cmd.CommandPath() + " --help"}
				}
				return simulateFiles(cmd.Context(), files, opts, cmd.InOrStdin(), cmd.OutOrStdout())
			case given("seed"):
				return runRandom(cmd.Context(), opts.random, cmd.OutOrStdout())
			}
			return &usageError{text: "name a file of scenarios, or --seed for random histories", hint: cmd.CommandPath() + " --help"}
		},
	}
	c.Flags().Uint64Var(&opts.random.seed, "seed", 1, "what chance goes by: of the orders of delivery, or of the first random history")
	c.Flags().IntVar(&opts.shuffles, "shuffles", 200, "random orders to try where all would be too many")
	c.Flags().BoolVarP(&opts.verbose, "verbose", "v", false, "name the scenarios that are as expected, too")
	opts.random.addFlags(c)
	return c
}

func firstGiven(given func(string) bool, flags ...string) string {
	for _, f := range flags {
		if given(f) {
			return f
		}
	}
	return ""
}

// differError says that not everything is as expected.
type differError struct{ differ, of int }

func (e *differError) Error() string { return fmt.Sprintf("%d of %d scenarios differ", e.differ, e.of) }

// ExitCode is that of differences.
func (e *differError) ExitCode() int { return exitDiffer }

// simulateFiles reads all files before it plays any.
func simulateFiles(ctx context.Context, names []string, opts simulateOptions, in io.Reader, out io.Writer) error {
	files, err := readScenarios(names, in)
	if err != nil {
		return err
	}
	if opts.shuffles < 1 {
		return &usageError{text: "--shuffles is less than 1"}
	}
	report := scenario.Report{Out: printableWriter{out}, Verbose: opts.verbose}
	for _, f := range files {
		for _, s := range f.Scenarios {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := s.Run(scenario.Options{Shuffles: opts.shuffles, Seed: opts.random.seed})
			if err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
			if err := report.Add(r); err != nil {
				return err
			}
		}
	}
	if err := report.End(); err != nil {
		return err
	}
	if report.Differ() > 0 {
		return &differError{report.Differ(), report.Scenarios()}
	}
	return nil
}

// badFiles says what is wrong with files of scenarios.
type badFiles []*scenario.Error

func (b badFiles) Error() string {
	texts := make([]string, len(b))
	for i, e := range b {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "\n")
}

func readScenarios(names []string, in io.Reader) (files []*scenario.File, err error) {
	var bad badFiles
	for _, name := range names {
		f, err := readScenario(name, in)
		var wrong *scenario.Error
		switch {
		case errors.As(err, &wrong):
			bad = append(bad, wrong)
		case err != nil:
			return nil, err
		}
		files = append(files, f)
	}
	if bad != nil {
		return nil, bad
	}
	return files, nil
}

func readScenario(name string, in io.Reader) (*scenario.File, error) {
	if name == "-" {
		return scenario.Parse("standard input", in, schema.Standard())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return scenario.Parse(name, f, schema.Standard())
}

// profileNames are the profiles of random histories, for help and completion.
func profileNames() []string {
	var names []string
	for _, p := range simulate.Profiles {
		names = append(names, string(p))
	}
	return names
}
