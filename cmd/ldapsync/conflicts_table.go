package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"ldapsync/control"
)

// renderConflicts prints a list for people.
func renderConflicts(w io.Writer, page control.ConflictsPage) error {
	if len(page.Conflicts) == 0 {
		_, err := fmt.Fprintln(w, "no conflicts")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tTIME\tKIND\tDN\tATTRIBUTE\tLOST\tWON")
	for _, c := range page.Conflicts {
		won := brief(c.Won)
		if c.Refusal != nil {
			won = cut(refusalText(*c.Refusal), 100)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(c.ID), moment(later(c.Lost.Time, c.Won.Time)), printable(c.Kind),
			printable(cmp.Or(c.DN, c.Entry)), printable(cmp.Or(c.Attribute, "-")), brief(c.Lost), won)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	total := 0
	var counts []string
	for _, kind := range slices.Sorted(maps.Keys(page.Counts)) {
		total += page.Counts[kind]
		counts = append(counts, fmt.Sprintf("%s %d", kind, page.Counts[kind]))
	}
	fmt.Fprintf(w, "\n%d in all: %s\n", total, printable(strings.Join(counts, ", ")))
	if page.Next != "" {
		fmt.Fprintf(w, "more with --after %s\n", printable(page.Next))
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// brief prints a side in a cell: the value, where a move went, or what was done, and
// whose it is.
func brief(s control.ConflictSide) string {
	text := cut(sideText(s), 40)
	server, _, _ := strings.Cut(s.Server, "@")
	switch {
	case text == "" && server == "":
		return "-"
	case server == "":
		return text
	case text == "":
		return "(" + printable(server) + ")"
	}
	return fmt.Sprintf("%s (%s)", text, printable(server))
}

// cut shortens what is printed in a cell to so many characters.
func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-3]) + "..."
	}
	return text
}

// refusalText says what a directory objects to.
func refusalText(r control.Refusal) string {
	text := fmt.Sprintf("refused: %d %s", r.Code, printable(r.Text))
	if !r.GivenUp.IsZero() {
		return "given up, " + text
	}
	return text
}

func valueText(v control.Value) string {
	switch {
	case v.Hidden:
		return "(hidden)"
	case v.Base64 != "":
		return "base64 " + v.Base64
	}
	return printable(v.Text)
}

// sideText says what one side is about, "" where only its change could.
func sideText(s control.ConflictSide) string {
	return cmp.Or(valueText(s.Value), printable(s.Parent), printable(s.Op))
}

// renderConflict prints one conflict for people.
func renderConflict(w io.Writer, c control.Conflict) error {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name, text)
		}
	}
	line("id", printable(c.ID))
	line("kind", printable(c.Kind))
	line("", printable(c.Text))
	line("entry", printable(c.DN))
	line("", printable(c.Entry))
	line("attribute", printable(c.Attribute))
	lines := func(name string, lines []string) {
		for _, text := range lines {
			line(name, text)
			name = ""
		}
	}
	lines("lost", sideLines(c.Lost))
	if c.Refusal != nil {
		lines("won", refusalLines(*c.Refusal))
	} else {
		lines("won", sideLines(c.Won))
	}
	line("other", printable(c.OtherDN))
	line("", printable(c.Other))
	line("restore", printable(c.Restore))
	line("", printable(c.Command))
	line("by hand", printable(c.ByHand))
	_, err := io.WriteString(w, b.String())
	return err
}

// sideLines tells of one side: what it is about, what its change did where that says
// more, and when and by whom it was made.
func sideLines(s control.ConflictSide) []string {
	lines := []string{cmp.Or(sideText(s), "-")}
	if s.Op != "" {
		lines[0] = printable(s.Op)
		if s.Change != nil {
			lines = append(lines, historyLines(*s.Change)...)
		}
	}
	if s.CSN == "" {
		return lines
	}
	from := moment(s.Time)
	if s.Server != "" {
		from += " on " + printable(s.Server)
	}
	from += fmt.Sprintf(", sid %d, %s", s.SID, printable(s.CSN))
	if s.Change != nil && s.Change.By != "" {
		from += ", by " + printable(s.Change.By)
	}
	return append(lines, from)
}

// refusalLines tells what a directory objects to and since when.
func refusalLines(r control.Refusal) []string {
	lines := []string{refusalText(r), "since " + moment(r.Since)}
	if !r.GivenUp.IsZero() {
		lines[1] += ", given up on " + moment(r.GivenUp)
	}
	return lines
}
