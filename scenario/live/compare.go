package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ldapsync/scenario"
)

// compare reads every server.
func (r *run) compare(ctx context.Context) error {
	r.row.Equal, r.row.Entries, r.row.Journal = true, true, true
	var first scenario.Outcome
	for i, server := range r.Servers {
		got, err := r.outcome(ctx, i)
		if err != nil {
			return fmt.Errorf("%s: %w", server.Name, err)
		}
		if i == 0 {
			first = got
		} else if lines := r.compareWith(first, got, false); len(lines) > 0 {
			r.row.Equal = false
			r.say(server.Name+" is not equal to "+r.Servers[0].Name, lines)
		}
		if lines := r.compareWith(scenario.Outcome{Entries: r.s.Expect.Entries}, got, false); len(lines) > 0 {
			r.row.Entries = false
			r.say(server.Name, lines)
		}
		r.compareJournal(server.Name, got)
	}
	return nil
}

// say notes differences under a heading, once where several servers have the same.
func (r *run) say(head string, lines []string) {
	for _, line := range lines {
		if !slices.ContainsFunc(r.row.Differences, func(d string) bool { return strings.HasSuffix(d, ": "+line) }) {
			r.differ("%s: %s", head, line)
		}
	}
}

// compareWith compares entries, and records if wanted.
func (r *run) compareWith(want, got scenario.Outcome, journal bool) []string {
	s := *r.s
	s.Expect = &scenario.Expect{Entries: want.Entries, Journal: journal, Records: want.Records}
	return s.Compare(got)
}

// compareJournal compares the records with the expected ones, and where those are right
// but not there, with those that follow from the states that slapd reports.
func (r *run) compareJournal(name string, got scenario.Outcome) {
	if r.row.NoJournal {
		return
	}
	against := func(records []scenario.Record) []string {
		return r.compareWith(scenario.Outcome{Entries: got.Entries, Records: records}, got, true)
	}
	lines := against(r.s.Expect.Records)
	switch {
	case len(lines) == 0:
	case r.sound && len(against(r.foreseen.Outcome.Records)) == 0:
		r.row.ByState = lines
	default:
		r.row.Journal = false
		r.say(name, lines)
	}
}

// outcome reads a directory and the journal of the daemon beside it.
func (r *run) outcome(ctx context.Context, at int) (scenario.Outcome, error) {
	entries, err := r.read(r.clients[at])
	if err != nil {
		return scenario.Outcome{}, err
	}
	records, err := r.journal(ctx, at)
	return scenario.NewOutcome(entries, records), err
}
