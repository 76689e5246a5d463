package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ldapsync/control"
)

func newUndeleteCommand(f *flags) *cobra.Command {
	var (
		suffix, rename, after string
		list, asJSON          bool
		limit                 int
	)
	c := &cobra.Command{
		Use:   "undelete DN|ENTRYUUID | --list [BASE]",
		Short: "Bring back a deleted entry, or list what was deleted",
		Long: `Undelete brings an entry back on every server as it was when it was deleted, with
what other servers changed in it meanwhile. It takes the DN that the entry had;
where several were deleted under it, the entryUUID says which. This server must
be a master.

With --list it lists the deleted entries, newest first: all, or those that were at
or below BASE. Entries that were deleted long ago are forgotten.`,
		Example: "  ldapsync undelete uid=ann,ou=people,dc=example,dc=org\n  ldapsync undelete --list ou=people,dc=example,dc=org",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !list && len(args) == 0:
				return &usageError{text: "name an entry, or --list", hint: "ldapsync undelete --list shows what was deleted"}
			case !list && (asJSON || after != ""):
				return &usageError{text: "--json and --after go with --list"}
			case list && rename != "":
				return &usageError{text: "--rename does not go with --list"}
			case limit < 1:
				return &usageError{text: "--limit is less than 1"}
			}
			if err := checkRename(cmd, rename); err != nil {
				return err
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			if list {
				base := ""
				if len(args) > 0 {
					base = args[0]
				}
				page, err := client.Deleted(cmd.Context(), control.DeletedRequest{Suffix: suffix, Base: base, Limit: limit, After: after})
				if err != nil {
					return err
				}
				return printDeleted(cmd.OutOrStdout(), page, asJSON)
			}
			done, err := client.Undelete(cmd.Context(), control.UndeleteRequest{Suffix: suffix, Name: args[0], Rename: rename})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), printable(done))
			return nil
		},
	}
	c.Flags().BoolVar(&list, "list", false, "list what was deleted")
	c.Flags().IntVar(&limit, "limit", 100, "list no more than this `number`, 1000 at most")
	c.Flags().StringVar(&after, "after", "", "go on where an earlier list `ended`")
	c.Flags().StringVar(&rename, "rename", "", "bring it back under this `RDN`")
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON: deleted and next (for --after)")
	addSuffixFlag(c, &suffix)
	addSocketFlag(c, f)
	return c
}

func printDeleted(w io.Writer, page control.DeletedPage, asJSON bool) error {
	if asJSON {
		return printJSON(w, page)
	}
	if len(page.Deleted) == 0 {
		_, err := fmt.Fprintln(w, "nothing that was deleted is remembered")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "DELETED\tENTRYUUID\tON\tDN")
	for _, d := range page.Deleted {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", moment(d.Time), printable(d.Entry), printable(d.Server), printable(d.DN))
	}
	if page.Next != "" {
		fmt.Fprintf(tw, "more with --after %s\n", printable(page.Next))
	}
	return tw.Flush()
}
