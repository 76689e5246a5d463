package live

import (
	"fmt"
	"io"
	"strings"
)

// Table prints rows as they come, and at the end what differs and a line that
// counts.
type Table struct {
	Out io.Writer
	// Markdown draws the table as one.
	Markdown bool

	rows []*Row
}

// Begin prints the versions and the head of a table of that many servers.
func (t *Table) Begin(servers int) {
	fmt.Fprintf(t.Out, "%s, %d servers\n\n", Versions(), servers)
	t.line("id", "title", fmt.Sprintf("slapd 1..%d", servers), "entries", "journal", "verdict", "s")
	if t.Markdown {
		fmt.Fprintln(t.Out, strings.Repeat("|---", 7)+"|")
	}
}

// Add prints a row.
func (t *Table) Add(r *Row) {
	t.rows = append(t.rows, r)
	journal := word(r.Journal, "as expected", "differs")
	switch {
	case r.NoJournal:
		journal = "-"
	case r.Journal && len(r.ByState) > 0:
		journal = "by state"
	}
	t.line(r.ID, r.Title, word(r.Equal, "equal", "differ"), word(r.Entries, "as expected", "differ"), journal,
		word(r.Differs(), "DIFFERS", "ok"), fmt.Sprintf("%.1f", r.Took.Seconds()))
}

func word(yes bool, is, isNot string) string {
	if yes {
		return is
	}
	return isNot
}

func (t *Table) line(cells ...string) {
	if t.Markdown {
		fmt.Fprintf(t.Out, "| %s |\n", strings.Join(cells, " | "))
		return
	}
	title := []rune(cells[1])
	if len(title) > 50 {
		cells[1] = string(title[:47]) + "..."
	}
	fmt.Fprintf(t.Out, "%-5s %-51s %-11s %-12s %-12s %-8s %5s\n", cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6])
}

// End prints what differs and the line that counts.
func (t *Table) End() {
	t.finish()
	fmt.Fprintf(t.Out, "%d scenarios, %d differ\n", len(t.rows), t.Differ())
}

// Stop is End before all scenarios were played: it says of how many that can be said.
func (t *Table) Stop(of int) {
	t.finish()
	fmt.Fprintf(t.Out, "stopped: %d of %d scenarios were played, %d of them differ\n", len(t.rows), of, t.Differ())
}

// finish prints what comes between the table and the line that counts.
func (t *Table) finish() {
	fmt.Fprintln(t.Out)
	if t.Markdown {
		fmt.Fprintln(t.Out, "```")
	}
	t.details()
	if t.Markdown {
		fmt.Fprint(t.Out, "```\n\n")
	}
}

// details prints what is to be said of single scenarios.
func (t *Table) details() {
	for _, r := range t.rows {
		if len(r.Differences)+len(r.Refused)+len(r.ByState) == 0 {
			continue
		}
		fmt.Fprintf(t.Out, "%s %s\n", r.ID, r.Title)
		for _, line := range append(r.Differences, r.Refused...) {
			fmt.Fprintf(t.Out, "  %s\n", line)
		}
		for _, line := range r.ByState {
			fmt.Fprintf(t.Out, "  by state: %s\n", line)
		}
	}
}

// Differ returns how many differ.
func (t *Table) Differ() (n int) {
	for _, r := range t.rows {
		if r.Differs() {
			n++
		}
	}
	return n
}

// Scenarios returns how many there are.
func (t *Table) Scenarios() int { return len(t.rows) }
