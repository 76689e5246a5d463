package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ldapsync/changelog"
	"ldapsync/control"
)

func newParkedCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "parked",
		Short: "Entries that the directory refuses",
		Long: `An entry that the directory refuses to write is set aside and tried again when
the schema or the entry changes; everything else goes on.`,
	}
	addSocketFlag(c, f)
	c.AddCommand(newParkedListCommand(f), newParkedRetryCommand(f), newParkedDropCommand(f))
	return c
}

func newParkedListCommand(f *flags) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the parked entries with the directory's reasons",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := f.dial()
			if err != nil {
				return err
			}
			s, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printParkedJSON(cmd.OutOrStdout(), s)
			}
			return printParked(cmd.OutOrStdout(), s)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: for each suffix dn, parked_count and parked as in status --json")
	return c
}

func newParkedRetryCommand(f *flags) *cobra.Command {
	var suffix string
	c := &cobra.Command{
		Use:   "retry [ENTRYUUID]",
		Short: "Try a parked entry again, or all of them",
		Long: `Retry lets the directory be asked again now. With an entryUUID it also takes up an
entry that was given up; without one it is all that are parked.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				parsed, err := changelog.ParseID(args[0])
				if err != nil {
					return &usageError{text: err.Error(), hint: "ldapsync parked list shows the entryUUIDs"}
				}
				id = parsed.String()
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			n, err := client.RetryParked(cmd.Context(), suffix, id)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d tried again; ldapsync parked list shows what is still refused\n", n)
			return nil
		},
	}
	c.Flags().StringVar(&suffix, "suffix", "", "`DN` of the suffix (not needed when there is one)")
	return c
}

func newParkedDropCommand(f *flags) *cobra.Command {
	var suffix string
	c := &cobra.Command{
		Use:   "drop ENTRYUUID",
		Short: "Give up on a parked entry until it changes",
		Long: `Drop lets this server's directory differ from the others in one entry: what it
refused is not tried again until somebody changes the entry, or the schema, or
"ldapsync parked retry" names it. The other servers keep theirs. What was given up
stays in "ldapsync conflicts list --kind parked-rejected".`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := changelog.ParseID(args[0])
			if err != nil {
				return &usageError{text: err.Error(), hint: "ldapsync parked list shows the entryUUIDs"}
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			if err := client.DropParked(cmd.Context(), suffix, id.String()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "given up until the entry or the schema changes")
			return nil
		},
	}
	c.Flags().StringVar(&suffix, "suffix", "", "`DN` of the suffix (not needed when there is one)")
	return c
}

func printParkedJSON(w io.Writer, s control.Status) error {
	type parked struct {
		DN          string           `json:"dn"`
		ParkedCount int              `json:"parked_count"`
		Parked      []control.Parked `json:"parked"`
	}
	list := make([]parked, 0, len(s.Suffixes))
	for _, x := range s.Suffixes {
		list = append(list, parked{x.DN, x.ParkedCount, x.Parked})
	}
	return json.NewEncoder(w).Encode(list)
}

func printParked(w io.Writer, s control.Status) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	total, listed := 0, 0
	for _, x := range s.Suffixes {
		total += x.ParkedCount
		for _, p := range x.Parked {
			if listed == 0 {
				fmt.Fprintln(tw, "ENTRYUUID\tSINCE\tTRIES\tCODE\tCSN\tON\tDN\tREASON")
			}
			listed++
			fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", printable(p.ID), p.Since.Format(time.RFC3339), p.Tries, p.Code,
				printable(cmp.Or(p.CSN, "-")), printable(cmp.Or(p.Server, "-")), printable(p.DN), printable(p.Text))
		}
	}
	if total == 0 {
		fmt.Fprintln(tw, "nothing is parked")
	} else if total > listed {
		fmt.Fprintf(tw, "and %d more\n", total-listed)
	}
	return tw.Flush()
}
