package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"ldapsync/config"
	"ldapsync/control"
)

// renderStatus prints s for people.
func renderStatus(w io.Writer, s control.Status, colour bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "ldapsync %s  %s  pid %d  up %s\n", printable(s.Version), printable(s.JID), s.PID, lasted(s.Started, s.Time))
	for _, x := range s.Suffixes {
		b.WriteByte('\n')
		renderSuffix(&b, x, s.Time, colour)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func renderSuffix(b *strings.Builder, x control.SuffixStatus, now time.Time, colour bool) {
	fmt.Fprintf(b, "%s  %s%s\n", printable(x.DN), painted(x.State, colour), because(x.Reason))
	sid := "no sid yet"
	if x.SID != 0 {
		sid = fmt.Sprintf("sid %d", x.SID)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-10s "+format+"\n", append([]any{name}, args...)...)
	}
	line("server", "%s, %s, install %.8s, %d entries", sid, printable(x.Role), printable(cmp.Or(x.Install, "-")), x.Entries)
	line("session", "%s%s%s", printable(x.Session.State), since(x.Session.Since, now), because(x.Session.Reason))
	line("directory", "%s%s", printable(x.Directory.State), because(x.Directory.Reason))
	line("room", "%s", printable(cmp.Or(x.Room, "-")))
	line("node", "%s", printable(cmp.Or(x.Node, "-")))
	q, n := x.Queues, x.Counters
	line("waiting", "publish %d, apply %d, withheld %d, future %d", q.Publish, q.Apply, q.Withheld, q.Future)
	line("changes", "captured %d, published %d, received %d, duplicates %d, denied %d, rejected %d, applied %d",
		n.Captured, n.Published, n.Received, n.Duplicates, n.Denied, n.Rejected, n.Applied)
	line("set aside", "parked %d, given up %d, denied %d, conflicts %d", x.ParkedCount, x.GivenUp, x.Denied, x.Conflicts)
	renderVector(b, x.Vector)
	renderPeers(b, x.Peers)
	renderMembers(b, x, now)
	renderParked(b, x, now)
}

// table prints rows of tab-separated cells under an empty line.
func table(b *strings.Builder, rows []string) {
	if len(rows) < 2 {
		return
	}
	b.WriteByte('\n')
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tw, "  "+row)
	}
	// A Builder takes everything.
	_ = tw.Flush()
}

func renderVector(b *strings.Builder, vector []control.MarkStatus) {
	rows := []string{"SID\tCHANGES\tCONTEXTCSN"}
	for _, m := range vector {
		rows = append(rows, fmt.Sprintf("%d\t%d\t%s", m.SID, m.Seq, printable(cmp.Or(m.CSN, "-"))))
	}
	table(b, rows)
}

func renderPeers(b *strings.Builder, peers []control.Peer) {
	rows := []string{"PEER\tSID\tROLE\tSTATE\tIT LACKS\tWE LACK\tLAG\tSCHEMA"}
	for _, p := range peers {
		state, schema := "offline", "same"
		if p.Online {
			state = cmp.Or(printable(p.State), "online")
		}
		if p.SchemaDiffers {
			schema = "differs"
		} else if p.Schema == "" {
			schema = "-"
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s\t%d\t%d\t%s\t%s",
			printable(p.JID), p.SID, printable(p.Role), state, p.Behind, p.Ahead, printable(cmp.Or(p.Lag, "-")), schema))
	}
	table(b, rows)
}

func renderParked(b *strings.Builder, x control.SuffixStatus, now time.Time) {
	const shown = 5
	rows := []string{"PARKED\tFOR\tTRIES\tCODE\tREASON"}
	for _, p := range x.Parked[:min(len(x.Parked), shown)] {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%d\t%s", printable(p.DN), lasted(p.Since, now), p.Tries, p.Code, printable(p.Text)))
	}
	table(b, rows)
	if more := x.ParkedCount - (len(rows) - 1); more > 0 {
		fmt.Fprintf(b, "  and %d more: ldapsync parked list\n", more)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + printable(reason)
}

func since(start, now time.Time) string {
	if start.IsZero() {
		return ""
	}
	return " for " + lasted(start, now)
}

// lasted prints the time from start to now in two units at most.
func lasted(start, now time.Time) string {
	d := max(now.Sub(start), 0)
	switch {
	case start.IsZero():
		return "-"
	case d < time.Hour:
		d = d.Truncate(time.Second)
	case d < 24*time.Hour:
		d = d.Truncate(time.Minute)
	default:
		d = d.Truncate(time.Hour)
	}
	return config.Duration(d).String()
}
