package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ldapsync/control"
)

func newHistoryCommand(f *flags) *cobra.Command {
	var suffix string
	var asJSON, secrets bool
	c := &cobra.Command{
		Use:   "history DN|ENTRYUUID",
		Short: "Who changed which attribute of an entry, on which server, when",
		Long: `History prints the changes of an entry from the change log, oldest first, whatever
name it had at the time, also of an entry that is deleted. DN is the name that the
entry has, else one that the log knows it to have had; who else had it is said. It
says so when the log does not reach back to the entry's creation.`,
		Example: "  ldapsync history uid=ann,ou=people,dc=example,dc=org",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.dial()
			if err != nil {
				return err
			}
			h, err := wholeHistory(cmd.Context(), client, control.HistoryRequest{Suffix: suffix, Name: args[0], ShowSecrets: secrets})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), h)
			}
			return renderHistory(cmd.OutOrStdout(), h)
		},
	}
	c.Flags().BoolVar(&secrets, "show-secrets", false, "show passwords too")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: entry, dn, others, changes and truncated")
	addSuffixFlag(c, &suffix)
	addSocketFlag(c, f)
	return c
}

func wholeHistory(ctx context.Context, client control.Service, ask control.HistoryRequest) (control.History, error) {
	all, err := client.History(ctx, ask)
	for err == nil && all.Next != "" {
		var page control.History
		ask.Name, ask.After = all.Entry, all.Next
		if page, err = client.History(ctx, ask); err == nil {
			all.Changes, all.Next = append(all.Changes, page.Changes...), page.Next
		}
	}
	return all, err
}

// renderHistory prints a history for people, one line per change and one per
// attribute.
func renderHistory(w io.Writer, h control.History) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", printable(h.DN), printable(h.Entry))
	for _, o := range h.Others {
		if o.Deleted.IsZero() {
			fmt.Fprintf(&b, "the name was also that of %s, now %s\n", printable(o.Entry), printable(o.DN))
		} else {
			fmt.Fprintf(&b, "the name was also that of %s, deleted %s as %s\n", printable(o.Entry), moment(o.Deleted), printable(o.DN))
		}
	}
	if h.Truncated {
		b.WriteString("the log no longer reaches back to the creation of the entry\n")
	}
	for _, c := range h.Changes {
		fmt.Fprintf(&b, "\n%s  %s", moment(c.Time), printable(c.Op))
		if c.Server != "" {
			fmt.Fprintf(&b, "  on %s", printable(c.Server))
		} else {
			fmt.Fprintf(&b, "  on server %d", c.SID)
		}
		if c.By != "" {
			fmt.Fprintf(&b, "  by %s", printable(c.By))
		}
		b.WriteByte('\n')
		for _, line := range historyLines(c) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func historyLines(c control.HistoryChange) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if c.Undelete {
		add("brought back from deletion")
	}
	switch {
	case c.Op == "add":
		add("as %s", printable(c.DN))
	case c.RDN != "" && c.DeleteOldRDN:
		add("renamed to %s, the old naming values removed", printable(c.RDN))
	case c.RDN != "":
		add("renamed to %s", printable(c.RDN))
	}
	if c.Superior != "" && c.Op != "add" {
		add("moved below %s", printable(c.Superior))
	}
	for _, id := range c.Records {
		add("conflict %s dropped", printable(id))
	}
	for _, m := range c.Mods {
		if len(m.Values)+m.More == 0 {
			add("%s %s: all values removed", printable(m.Op), printable(m.Attr))
		}
		for _, v := range m.Values {
			add("%s %s: %s", printable(m.Op), printable(m.Attr), valueText(v))
		}
		if m.More > 0 {
			add("%s %s: %d more", printable(m.Op), printable(m.Attr), m.More)
		}
	}
	return lines
}
