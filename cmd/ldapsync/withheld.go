package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ldapsync/changelog"
	"ldapsync/control"
)

func newWithheldCommand(f *flags) *cobra.Command {
	c := &cobra.Command{
		Use:   "withheld",
		Short: "Entries that wait for their superior",
		Long: `An entry is withheld, and shown by no directory, before the addition of the entry
above it has arrived. As a rule that comes a moment later. It never comes when all
servers that had it are gone for good: release then shows the entry elsewhere.`,
	}
	addSocketFlag(c, f)
	c.AddCommand(newWithheldListCommand(f), newWithheldReleaseCommand(f))
	return c
}

func newWithheldListCommand(f *flags) *cobra.Command {
	var (
		ask    control.WithheldRequest
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List the withheld entries, and what they wait for",
		Long: `List prints the withheld entries, but not what is below them and waits with them:
1,000 at most. Of one without a name only changes have arrived, not its addition.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := f.dial()
			if err != nil {
				return err
			}
			list, err := client.Withheld(cmd.Context(), ask)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), list)
			}
			return printWithheld(cmd.OutOrStdout(), list)
		},
	}
	addSuffixFlag(c, &ask.Suffix)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: a list of entry, missing, rdn, added and server")
	return c
}

func newWithheldReleaseCommand(f *flags) *cobra.Command {
	var ask control.ReleaseRequest
	c := &cobra.Command{
		Use:   "release ENTRYUUID",
		Short: "Show a withheld entry below another",
		Long: `Release moves a withheld entry, on every server, below the entry that --below names,
or else below the suffix, where it is shown with what is below it. Should its
superior come after all, it stays where it is. This server must be a master.`,
		Example: "  ldapsync withheld release 6d61df00-0000-4000-8000-000000000001 --below ou=people,dc=example,dc=org",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := changelog.ParseID(args[0])
			if err != nil {
				return &usageError{text: err.Error(), hint: "ldapsync withheld list shows the entryUUIDs"}
			}
			ask.Entry = id.String()
			client, err := f.dial()
			if err != nil {
				return err
			}
			done, err := client.Release(cmd.Context(), ask)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), printable(done))
			return nil
		},
	}
	addSuffixFlag(c, &ask.Suffix)
	c.Flags().StringVar(&ask.Below, "below", "", "`DN` of the entry to put it below (the suffix when it is not given)")
	return c
}

func printWithheld(w io.Writer, list []control.Withheld) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "nothing is withheld")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ENTRYUUID\tADDED\tON\tRDN\tWAITS FOR")
	for _, e := range list {
		if e.RDN == "" {
			fmt.Fprintf(tw, "%s\t-\t-\t-\tits own addition\n", printable(e.Entry))
			continue
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", printable(e.Entry), moment(e.Added), printable(e.Server), printable(e.RDN), printable(e.Missing))
	}
	return tw.Flush()
}
