package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/control"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/scenario"
)

// Row is what became of a scenario on the servers.
type Row struct {
	ID, Title string
	// Equal says that every directory holds the same below the base, Entries that it
	// is what is expected, and Journal that every daemon's journal is.
	Equal, Entries, Journal bool
	// NoJournal says that the file expects nothing of the journal.
	NoJournal bool
	// ByState are the lines in which the journal is not the expected one, but the one
	// that has to be where a directory reports states: a replace that keeps a
	// value is seen as the values that it added and deleted.
	ByState []string
	// Differences say in lines what is not as expected.
	Differences []string
	// Refused are operations that a server refused, in words.
	Refused []string
	Took    time.Duration
}

// Differs reports whether something is not as the file expects.
func (r *Row) Differs() bool { return len(r.Differences) > 0 }

// moment is the last CSN that a server had issued when an operation was captured.
type moment struct {
	time int64
	csn  changelog.CSN
}

// run is one scenario while it is played.
type run struct {
	*Site
	*stage
	s   *scenario.Scenario
	row *Row
	// foreseen is what the simulation of daemons that are shown states says.
	foreseen *scenario.Result
	// sound says that the simulation of the operations as asked for is as expected.
	sound bool
	// moments are, for every server, its operations in order.
	moments map[changelog.SID][]moment
}

// Play plays a scenario and compares what every server holds at the end. A file
// that expects nothing is held to what the simulation says. The error is of
// servers that do not work, not of an outcome, or of ctx when that ends first.
func (s *Site) Play(ctx context.Context, sc *scenario.Scenario) (*Row, error) {
	began := time.Now()
	if n := len(sc.Replicas()); n > len(s.Servers) {
		return nil, fmt.Errorf("scenario %s has %d replicas, there are %d servers", sc.ID, n, len(s.Servers))
	}
	asked, err := sc.Run(ctx, scenario.Options{})
	if err != nil {
		return nil, err
	}
	foreseen, err := sc.Run(ctx, scenario.Options{ByState: true})
	if err != nil {
		return nil, err
	}
	if sc.Expect == nil {
		expected := *sc
		expected.Expect = &scenario.Expect{Entries: foreseen.Outcome.Entries, Journal: true, Records: foreseen.Outcome.Records}
		sc = &expected
	}
	s.played++
	g := &stage{file: sc.File, ids: map[string]dit.ID{}, names: scenario.Names{}}
	g.base = append(dn.DN{{{Attr: "ou", Value: fmt.Sprintf("%s-%d", sc.ID, s.played)}}}, s.suffix...)
	r := &run{
		Site: s, stage: g, s: sc, foreseen: foreseen, sound: !asked.Differs(), moments: map[changelog.SID][]moment{},
		row: &Row{ID: sc.ID, Title: sc.Title, NoJournal: !sc.Expect.Journal},
	}
	if err := r.play(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("scenario %s: %w", sc.ID, err)
	}
	r.row.Took = time.Since(began)
	return r.row, nil
}

func (r *run) play(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	r.part()
	for _, o := range r.s.Ops {
		err := r.step(ctx, o)
		if err != nil {
			return fmt.Errorf("time %d: %w", o.Time, err)
		}
	}
	if err := r.agree(ctx); err != nil {
		if ctx.Err() != nil {
			return err
		}
		r.differ("the servers do not agree: %v", err)
	}
	return r.compare(ctx)
}

func (r *run) differ(format string, args ...any) {
	r.row.Differences = append(r.row.Differences, fmt.Sprintf(format, args...))
}

// prepare makes the base and the initial entries and waits until all have them.
func (r *run) prepare(ctx context.Context) error {
	c := r.clients[0]
	base := []dit.Attribute{{Name: "objectClass", Values: []string{"organizationalUnit"}}}
	if err := c.Add(r.addRequest(r.base, base)); err != nil {
		return err
	}
	for i, e := range r.s.Initial {
		if err := r.do(c, dit.Operation{Op: changelog.OpAdd, DN: e.DN, Attrs: e.Attrs}); err != nil {
			return fmt.Errorf("initial entry %s: %w", e.DN, err)
		}
		if err := r.remember(c, scenario.InitialID(i), e.DN); err != nil {
			return err
		}
	}
	captured := func() string { return r.lacks(len(r.s.Initial) + 1) }
	if err := r.until(ctx, captured); err != nil {
		return err
	}
	if err := r.agree(ctx); err != nil {
		return err
	}
	return r.note(0, 0)
}

// lacks says that the first server's directory does not hold all of n entries, or its
// daemon does not; "" when every server's does.
func (r *run) lacks(n int) string {
	for i, c := range r.clients {
		found, err := c.Search(ldap.NewSearchRequest(r.base.String(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
			"(objectClass=*)", []string{"1.1"}, nil))
		if err != nil {
			return fmt.Sprintf("%s: %v", r.Servers[i].Name, err)
		}
		if len(found.Entries) != n {
			return fmt.Sprintf("%s holds %d of %d initial entries", r.Servers[i].Name, len(found.Entries)-1, n-1)
		}
	}
	return ""
}

func (r *run) remember(c *ldap.Conn, name string, at dn.DN) error {
	id, err := r.idAt(c, r.there(at))
	if err == nil {
		r.call(name, id)
	}
	return err
}

// step lets a client do something and waits until the daemon beside its server has
// captured it and has nothing to write, so that the next client comes later and
// meets what it is to meet.
func (r *run) step(ctx context.Context, o scenario.Op) error {
	if o.Sync {
		if err := r.agree(ctx); err != nil {
			return err
		}
		r.part()
		return nil
	}
	at := int(scenario.SID(o.Replica)) - 1
	before, err := r.Servers[at].Status()
	if err != nil {
		return err
	}
	err = r.do(r.clients[at], o.Operation)
	var refused *ldap.Error
	if errors.As(err, &refused) && refused.ResultCode < ldap.ErrorNetwork {
		r.refused(o, refused)
		return nil
	}
	if err != nil {
		return err
	}
	if r.refusal(o) {
		r.differ("%s at time %d: slapd makes what the simulation refuses", o.Replica, o.Time)
	}
	if o.Operation.Op == changelog.OpAdd {
		if err := r.remember(r.clients[at], o.ID(), o.Operation.DN); err != nil {
			return err
		}
	}
	if err := r.until(ctx, func() string { return r.unsettled(at, before, r.foreseen.Idle[o.ID()]) }); err != nil {
		return err
	}
	return r.note(at, o.Time)
}

// refusal reports whether the simulation refuses an operation.
func (r *run) refusal(o scenario.Op) bool {
	return slices.ContainsFunc(r.foreseen.Refused, func(f scenario.Refused) bool { return f.Op.ID() == o.ID() })
}

// refused notes what a client was told; it differs where the simulation has nothing
// against the operation.
func (r *run) refused(o scenario.Op, why *ldap.Error) {
	line := fmt.Sprintf("%s at time %d: %s of %s is refused by slapd, result %d: %s", o.Replica, o.Time, o.Operation.Op, o.Operation.DN,
		why.ResultCode, ldap.LDAPResultCodeMap[why.ResultCode])
	if r.refusal(o) {
		r.row.Refused = append(r.row.Refused, line)
	} else {
		r.differ("%s", line)
	}
}

// unsettled says that the daemon has not captured an operation, or has to write to
// the directory on account of it.
func (r *run) unsettled(at int, before control.SuffixStatus, idle bool) string {
	now, err := r.Servers[at].Status()
	switch {
	case err != nil:
		return err.Error()
	case !idle && now.Counters.Captured == before.Counters.Captured:
		return r.Servers[at].Name + " has not captured the operation"
	case now.Queues.Apply > 0:
		return r.Servers[at].Name + " is writing to its directory"
	}
	return ""
}

// note remembers the CSN up to which a server's changes belong to a time.
func (r *run) note(at int, time int64) error {
	st, err := r.Servers[at].Status()
	if err != nil {
		return err
	}
	for _, m := range st.Vector {
		if m.SID != st.SID || m.CSN == "" {
			continue
		}
		csn, err := changelog.ParseCSN(m.CSN)
		if err != nil {
			return err
		}
		sid := changelog.SID(st.SID)
		r.moments[sid] = append(r.moments[sid], moment{time, csn})
	}
	return nil
}

// timeOf returns the time of the operation that a change was.
func (r *run) timeOf(c changelog.CSN) int64 {
	for _, m := range r.moments[c.SID] {
		if c.Compare(m.csn) <= 0 {
			return m.time
		}
	}
	return 0
}
