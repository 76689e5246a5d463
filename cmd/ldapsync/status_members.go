package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"ldapsync/control"
)

// renderMembers prints who the members are, and what holds forgetting back.
func renderMembers(b *strings.Builder, x control.SuffixStatus, now time.Time) {
	rows := []string{"MEMBER\tSID\tINSTALL\tHEARTBEAT"}
	for _, m := range x.Members {
		beat := "never"
		switch {
		case m.Removed != "":
			beat = "removed at " + printable(m.Removed)
		case m.Heartbeat != nil:
			beat = lasted(*m.Heartbeat, now) + " ago"
		}
		if m.Silent && m.Removed == "" {
			beat += ", silent"
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%.8s\t%s", printable(cmp.Or(m.JID, "-")), m.SID, printable(cmp.Or(m.Install, "-")), beat))
	}
	table(b, rows)
	f := x.Forgetting
	if len(x.Members) == 0 {
		return
	}
	upTo := "nothing yet"
	if f.Before != nil {
		upTo = "up to " + f.Before.UTC().Format(time.DateTime)
	}
	fmt.Fprintf(b, "  every member has %s, held back by sid %d\n", upTo, f.Holding)
	if f.Alarm != "" {
		fmt.Fprintf(b, "  alarm: %s\n", printable(f.Alarm))
	}
}
