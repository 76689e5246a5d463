package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	schemas  []string
	verbose  bool
	asJSON   bool
	real     realOptions
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

Exit codes: 0 all as expected, 1 failed or interrupted, 2 a file or flag is wrong,
3 something differs.`,
		Example: `  ldapsync simulate both-rename.yaml
  ldapsync simulate --seed 1 --histories 1000 --profile tree`,
		RunE: func(cmd *cobra.Command, files []string) error {
			given := cmd.Flags().Changed
			if why := misfit(len(files) > 0, opts.real.real, given); why != "" {
				return &usageError{text: why, hint: cmd.CommandPath() + " --help"}
			}
			if len(files) > 0 {
				return simulateFiles(cmd.Context(), files, opts, cmd.InOrStdin(), cmd.OutOrStdout())
			}
			return runRandom(cmd.Context(), opts.random, cmd.OutOrStdout())
		},
	}
	c.Flags().Uint64Var(&opts.random.seed, "seed", 1, "what chance goes by: of the orders of delivery, or of the first random history")
	c.Flags().IntVar(&opts.shuffles, "shuffles", 200, "random orders to try where all would be too many")
	c.Flags().BoolVarP(&opts.verbose, "verbose", "v", false, "name the scenarios that are as expected, too")
	c.Flags().BoolVar(&opts.asJSON, "json", false, "print the outcome of every scenario as one JSON document")
	c.Flags().StringArrayVar(&opts.schemas, "schema", nil, "LDIF `file` with more attribute types and object classes; may be given again")
	c.Flags().BoolVar(&opts.real.real, "real", false, "play the files on real slapds with a daemon beside each, and a real Prosody whose links are cut")
	c.Flags().BoolVar(&opts.real.markdown, "markdown", false, "with --real: print the table as Markdown")
	c.Flags().StringVar(&opts.real.dir, "dir", "", "with --real: keep everything in this `folder` (default: a temporary one)")
	opts.random.addFlags(c)
	return c
}

// misfit says which of the flags given does not go with files of scenarios, or with
// their absence; "" when all do.
func misfit(files, real bool, given func(string) bool) string {
	if files {
		if flag := firstGiven(given, "histories", "profile", "steps", "every", "keep", "trace"); flag != "" {
			return "--" + flag + " is for random histories, without a file"
		}
		if flag := firstGiven(given, "dir", "markdown"); flag != "" && !real {
			return "--" + flag + " is for real servers, with --real"
		}
		if flag := firstGiven(given, "seed", "shuffles", "json"); flag != "" && real {
			return "--" + flag + " is not for --real, which plays every scenario once and prints a table"
		}
		return ""
	}
	if flag := firstGiven(given, "real", "dir", "markdown", "json", "schema", "shuffles", "verbose"); flag != "" {
		return "--" + flag + " is for scenarios: name a file of them"
	}
	if !given("seed") {
		return "name a file of scenarios, or --seed for random histories"
	}
	return ""
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
	definitions, err := readSchemas(opts.schemas)
	if err != nil {
		return err
	}
	known, err := definitions.Schema()
	if err != nil {
		return &usageError{text: err.Error()}
	}
	files, err := readScenarios(names, in, known)
	if err != nil {
		return err
	}
	if opts.shuffles < 1 {
		return &usageError{text: "--shuffles is less than 1"}
	}
	if opts.real.real {
		return simulateReal(ctx, files, definitions, opts.real, out)
	}
	report := scenario.Report{Out: printableWriter{out}, Verbose: opts.verbose, JSON: opts.asJSON}
	for _, f := range files {
		for _, s := range f.Scenarios {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := s.Run(ctx, scenario.Options{Shuffles: opts.shuffles, Seed: opts.random.seed})
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

func readScenarios(names []string, in io.Reader, known *schema.Schema) (files []*scenario.File, err error) {
	var bad badFiles
	for _, name := range names {
		f, err := readScenario(name, in, known)
		var wrong *scenario.Error
		switch {
		case errors.As(err, &wrong):
			bad = append(bad, wrong)
		case err != nil:
			bad = append(bad, unreadable(name, err))
		}
		files = append(files, f)
	}
	if bad != nil {
		return nil, bad
	}
	return files, nil
}

// unreadable says of a file as a whole why it cannot be read.
func unreadable(name string, err error) *scenario.Error {
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	return &scenario.Error{File: name, Problems: []scenario.Problem{{Text: err.Error()}}}
}

func readScenario(name string, in io.Reader, known *schema.Schema) (*scenario.File, error) {
	if name == "-" {
		return scenario.Parse("standard input", in, known)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return scenario.Parse(name, f, known)
}

// readSchemas reads files of definitions.
func readSchemas(names []string) (*scenario.Definitions, error) {
	d := &scenario.Definitions{}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, badFiles{unreadable(name, err)}
		}
		err = d.Read(name, f)
		f.Close()
		if err != nil {
			return nil, &usageError{text: err.Error()}
		}
	}
	return d, nil
}

// profileNames are the profiles of random histories, for help and completion.
func profileNames() []string {
	names := []string{allProfiles}
	for _, p := range simulate.Profiles {
		names = append(names, string(p))
	}
	return names
}
