package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ldapsync/control"
)

func newConflictsCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "conflicts",
		Short: "What was decided where changes met, and how to undo it",
		Long: `Where changes of two servers contradict each other, every server decides alike,
and every decision that cost somebody's change its effect is listed. The list and
its ids are the same on all servers, but for what is set aside on one of them:
entries its directory refuses (parked), changes that were denied, and changes
from a clock that is ahead.`,
	}
	addSocketFlag(c, f)
	var suffix string
	addSuffixFlag(c, &suffix)
	c.AddCommand(newConflictsListCommand(f, &suffix), newConflictsShowCommand(f, &suffix),
		newConflictsRestoreCommand(f, &suffix), newConflictsDropCommand(f, &suffix))
	return c
}

// addSuffixFlag gives a command and those below it the flag --suffix.
func addSuffixFlag(c *cobra.Command, suffix *string) {
	c.PersistentFlags().StringVar(suffix, "suffix", "", "`DN` of the suffix (not needed when there is one)")
}

// filters are the flags by which conflicts are chosen.
type filters struct {
	kinds []string
	name  string
	since sinceFlag
}

func (x *filters) add(c *cobra.Command) {
	c.Flags().StringSliceVar(&x.kinds, "kind", nil, "only of this `kind` (may be given several times)")
	c.Flags().StringVar(&x.name, "dn", "", "only of this entry and what is below it: a `DN` or an entryUUID")
	c.Flags().Var(&x.since, "since", "only from this `time` on: 2026-11-20, 2026-11-20T09:00:00Z, or 24h or 7d ago")
}

func newConflictsListCommand(f *flags, suffix *string) *cobra.Command {
	var (
		x       filters
		asJSON  bool
		secrets bool
		limit   int
		after   string
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List the conflicts, newest first; exit code 4 when there are any",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return &usageError{text: "--limit is less than 1"}
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			page, err := allConflicts(cmd.Context(), client, control.ConflictsRequest{
				Suffix: *suffix, Kinds: x.kinds, Name: x.name, Since: x.since.Time, Limit: limit, After: after, ShowSecrets: secrets,
			})
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), page)
			} else {
				err = renderConflicts(cmd.OutOrStdout(), page)
			}
			if err == nil && len(page.Conflicts) > 0 {
				err = openConflicts{}
			}
			return err
		},
	}
	x.add(c)
	c.Flags().IntVar(&limit, "limit", 100, "list no more than this `number`")
	c.Flags().StringVar(&after, "after", "", "go on where an earlier list `ended`")
	c.Flags().BoolVar(&secrets, "show-secrets", false, "show passwords too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: conflicts, next (for --after) and counts by kind")
	return c
}

// allConflicts asks for pages until there are as many as ask wants.
func allConflicts(ctx context.Context, client control.Service, ask control.ConflictsRequest) (all control.ConflictsPage, err error) {
	limit := ask.Limit
	for {
		ask.Limit = limit - len(all.Conflicts)
		page, err := client.Conflicts(ctx, ask)
		if err != nil {
			return all, err
		}
		page.Conflicts = append(all.Conflicts, page.Conflicts...)
		all = page
		if ask.After = page.Next; page.Next == "" || len(all.Conflicts) >= limit {
			return all, nil
		}
	}
}

func newConflictsShowCommand(f *flags, suffix *string) *cobra.Command {
	var asJSON, secrets bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one conflict: what lost to what, whose both were, and what can be done",
		Long:  "ID is as conflicts list shows it, or its first digits.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.dial()
			if err != nil {
				return err
			}
			found, err := client.Conflict(cmd.Context(), control.ConflictRequest{Suffix: *suffix, ID: args[0], ShowSecrets: secrets})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), found)
			}
			return renderConflict(cmd.OutOrStdout(), found)
		},
	}
	c.Flags().BoolVar(&secrets, "show-secrets", false, "show passwords too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, as an element of conflicts list --json")
	return c
}

func newConflictsRestoreCommand(f *flags, suffix *string) *cobra.Command {
	var rename string
	var remove bool
	c := &cobra.Command{
		Use:   "restore ID",
		Short: "Give the side that lost its effect again, everywhere",
		Long: `Restore makes a new change that does again what was lost: it adds the value,
renames, moves or undeletes. It is a change of this server, which must be a
master, made in knowledge of everything this server has; the conflict goes with
it. conflicts show ID says what it would do.`,
		Example: "  ldapsync conflicts restore 3f9c\n  ldapsync conflicts restore 77d0 --rename uid=ann2",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkRename(cmd, rename); err != nil {
				return err
			}
			if rename != "" && remove {
				return &usageError{text: "--rename and --remove-value do not go together"}
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			done, err := client.Restore(cmd.Context(), control.RestoreRequest{Suffix: *suffix, ID: args[0], Rename: rename, RemoveValue: remove})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), printable(done))
			return nil
		},
	}
	c.Flags().StringVar(&rename, "rename", "", "give the entry this `RDN` (for a name conflict, or an undelete whose name is taken)")
	c.Flags().BoolVar(&remove, "remove-value", false, "remove the value that points nowhere, or that another entry has")
	return c
}

// checkRename refuses a --rename that is given and empty, as an unset variable of a
// script leaves it: it is not the same as none.
func checkRename(cmd *cobra.Command, rename string) error {
	if cmd.Flags().Changed("rename") && rename == "" {
		return &usageError{text: "--rename is empty", hint: "name an RDN, such as uid=ann2"}
	}
	return nil
}

func newConflictsDropCommand(f *flags, suffix *string) *cobra.Command {
	var x filters
	var all bool
	c := &cobra.Command{
		Use:   "drop ID... | --all",
		Short: "Take conflicts off the list, on every server",
		Long: `Drop says that what was decided may stay. The conflicts go from the list of every
server, and come back only as other conflicts. Nothing else changes. With --all,
--kind, --dn and --since say which.

What clients of this server were denied is thrown away by its id, or by --all
--kind denied-by-role. Parked entries are given up by
"ldapsync parked drop".`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all == (len(args) > 0):
				return &usageError{text: "name the conflicts to drop, or --all", hint: "ldapsync conflicts list shows their ids"}
			case !all && (len(x.kinds) > 0 || x.name != "" || !x.since.IsZero()):
				return &usageError{text: "--kind, --dn and --since go with --all"}
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			n, err := client.Drop(cmd.Context(), control.DropRequest{
				Suffix: *suffix, IDs: args, All: all, Kinds: x.kinds, Name: x.name, Since: x.since.Time,
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d dropped\n", n)
			return nil
		},
	}
	x.add(c)
	c.Flags().BoolVar(&all, "all", false, "drop all, or those that the other flags leave")
	return c
}
