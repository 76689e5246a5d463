package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ldapsync/simulate"
	"ldapsync/simulate/series"
)

// randomOptions says which random histories to run.
type randomOptions struct {
	seed      uint64
	histories int
	profile   string
	steps     int
	every     int
	keep      []int
	trace     bool
}

func (o *randomOptions) addFlags(c *cobra.Command) {
	c.Flags().IntVar(&o.histories, "histories", 1, "random histories to run, of consecutive seeds")
	c.Flags().StringVar(&o.profile, "profile", "mixed", "what the clients of random histories mostly do: "+strings.Join(profileNames(), ", "))
	c.Flags().IntVar(&o.steps, "steps", 60, "steps of a random history")
	c.Flags().IntVar(&o.every, "every", 0, "steps after which every state that has changed is looked at; 0 for one, once in the middle")
	c.Flags().IntSliceVar(&o.keep, "keep", nil, "the only steps to make, as a shortened history names them")
	c.Flags().BoolVar(&o.trace, "trace", false, "print all that happens in a random history")
	if err := c.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(profileNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}

// allProfiles lets the profiles take turns.
const allProfiles = "all"

// check refuses what makes no sense; the profile is "" for all in turn.
func (o *randomOptions) check() (simulate.Profile, error) {
	var profile simulate.Profile
	var err error
	if o.profile != allProfiles {
		profile, err = simulate.ParseProfile(o.profile)
	}
	switch {
	case err != nil:
		return "", &usageError{text: fmt.Sprintf("%v, nor %q", err, allProfiles)}
	case o.steps < 1 || o.steps > 1_000_000:
		return "", &usageError{text: "--steps is not from 1 to 1000000"}
	case o.every < 0:
		return "", &usageError{text: "--every is less than 0"}
	case o.histories < 1:
		return "", &usageError{text: "--histories is less than 1"}
	case o.histories > 1 && (o.trace || o.keep != nil):
		return "", &usageError{text: "--trace and --keep are for a single history"}
	}
	slices.Sort(o.keep)
	o.keep = slices.Compact(o.keep)
	if n := len(o.keep); n > 0 && (o.keep[0] < 0 || o.keep[n-1] >= o.steps) {
		return "", &usageError{text: fmt.Sprintf("--keep names a step that is not from 0 to %d: there are %d (--steps)", o.steps-1, o.steps)}
	}
	return profile, nil
}

// runRandom runs histories up to the first that fails, which it shortens.
func runRandom(ctx context.Context, o randomOptions, out io.Writer) error {
	profile, err := o.check()
	if err != nil {
		return err
	}
	all, err := series.Series{First: o.seed, Steps: o.steps, Every: o.every}.Run(ctx, func(ctx context.Context, c simulate.Config) (simulate.Stats, error) {
		if c.Keep = o.keep; profile != "" {
			c.Profile = profile
		}
		if o.trace {
			c.Trace = out
		}
		return simulate.Run(ctx, c)
	}, 0, o.histories, runtime.GOMAXPROCS(0))
	if err != nil {
		return shortened(ctx, err, out)
	}
	fmt.Fprintf(out, "%d writes of clients, %d changes, %d crashes, agreed after %d rounds at most\n", all.Writes, all.Changes, all.Crashes, all.MaxRounds)
	for _, kind := range slices.Sorted(maps.Keys(all.Journal)) {
		fmt.Fprintf(out, "%8d %s\n", all.Journal[kind], kind)
	}
	fmt.Fprintf(out, "%d histories, 0 failed\n", all.Histories)
	return nil
}

// shortened prints the shortest history found that fails in the same way.
func shortened(ctx context.Context, err error, out io.Writer) error {
	var f *simulate.Failure
	if !errors.As(err, &f) {
		return err
	}
	short := simulate.Shrink(ctx, f)
	fmt.Fprintf(out, "found:     %s\nshortened: %s: %s\nreplay:    ldapsync simulate %s --trace\n", flagsOf(f.Config), short.Rule, short.What, flagsOf(short.Config))
	return fmt.Errorf("history %d of profile %s: %s", f.Config.Seed, f.Config.Profile, f.Rule)
}

// flagsOf returns the flags that run a history again.
func flagsOf(c simulate.Config) string {
	s := fmt.Sprintf("--seed %d --profile %s --steps %d", c.Seed, c.Profile, c.Steps)
	if c.Every > 0 {
		s += fmt.Sprintf(" --every %d", c.Every)
	}
	if c.Keep == nil {
		return s
	}
	keep := make([]string, len(c.Keep))
	for i, k := range c.Keep {
		keep[i] = fmt.Sprint(k)
	}
	return s + " --keep " + strings.Join(keep, ",")
}
