package scenario

import (
	"fmt"
	"io"
	"strings"

	"ldapsync/ldif"
)

// Report prints results: those that differ with what differs, those without
// an expectation with everything that came out, and a line that counts.
type Report struct {
	Out io.Writer
	// Verbose prints a line for those that are as expected, too.
	Verbose bool
	// JSON prints a Document at the end, and nothing else.
	JSON bool

	scenarios, differ int
	document          Document
}

// Add prints one result.
func (p *Report) Add(r *Result) error {
	p.scenarios++
	if p.JSON {
		return p.collect(r)
	}
	var b strings.Builder
	head := strings.TrimSpace(r.Scenario.ID + " " + r.Scenario.Title)
	switch {
	case r.Differs():
		p.differ++
		fmt.Fprintf(&b, "%s: DIFFERS\n", head)
	case r.Scenario.Expect == nil:
		fmt.Fprintf(&b, "%s\n", head)
	case p.Verbose:
		fmt.Fprintf(&b, "%s: as expected in %d orders of delivery\n", head, r.Orders)
	}
	for _, line := range r.Differences {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	for _, refused := range r.Refused {
		if b.Len() == 0 {
			fmt.Fprintf(&b, "%s\n", head)
		}
		fmt.Fprintf(&b, "  %s\n", refused)
	}
	if r.Scenario.Expect == nil && !r.Differs() {
		if err := r.show(&b); err != nil {
			return err
		}
	}
	_, err := io.WriteString(p.Out, b.String())
	return err
}

// collect keeps a result for the document.
func (p *Report) collect(r *Result) error {
	v, err := r.verdict()
	if v.Differs {
		p.differ++
	}
	p.document.Scenarios = append(p.document.Scenarios, v)
	return err
}

// End prints the line that counts, or the document.
func (p *Report) End() error {
	if p.JSON {
		p.document.Differ = p.differ
		return p.document.print(p.Out)
	}
	_, err := fmt.Fprintf(p.Out, "%d scenarios, %d differ\n", p.scenarios, p.differ)
	return err
}

// Scenarios returns how many there were.
func (p *Report) Scenarios() int { return p.scenarios }

// Differ returns how many differed.
func (p *Report) Differ() int { return p.differ }

// show prints what every replica holds, as LDIF, and its journal in words.
func (r *Result) show(w io.Writer) error {
	servers := r.Scenario.Replicas()
	fmt.Fprintf(w, "# on %s alike, for each of %d orders of delivery\n", strings.Join(servers, ", "), r.Orders)
	if err := r.writeLDIF(w); err != nil {
		return err
	}
	if len(r.Outcome.Entries) == 0 {
		fmt.Fprintf(w, "# nothing is left below %s\n", r.Scenario.File.Base)
	}
	if len(r.Outcome.Records) == 0 {
		fmt.Fprintln(w, "# the conflict journal is empty")
	}
	for _, rec := range r.Outcome.Records {
		fmt.Fprintf(w, "# journal: %s\n", r.Scenario.words(rec))
	}
	return nil
}

func (r *Result) writeLDIF(w io.Writer) error {
	out := ldif.NewWriter(w)
	for _, e := range r.Outcome.Entries {
		rec := ldif.Record{DN: e.DN.String()}
		for _, a := range e.Attrs {
			rec.Attrs = append(rec.Attrs, ldif.Attribute{Name: a.Name, Values: a.Values})
		}
		if err := out.Write(&rec); err != nil {
			return err
		}
	}
	return nil
}

// words tells a record in words: what it is, what lost, and to what.
func (s *Scenario) words(r Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s", r.Kind, s.nameOf(r.Entry), kinds[r.Kind].words)
	switch {
	case r.RDN != "":
		fmt.Fprintf(&b, "; lost: %s", r.RDN)
	case r.Value != "":
		fmt.Fprintf(&b, "; lost: %s: %q", r.Attribute, r.Value)
	case r.Attribute != "":
		fmt.Fprintf(&b, "; attribute: %s", r.Attribute)
	}
	if r.Time != 0 {
		fmt.Fprintf(&b, "; made by %s", s.author(r.Time))
	}
	if r.Won != 0 {
		fmt.Fprintf(&b, "; gave way to %s", s.author(r.Won))
	}
	if r.Winner != "" {
		fmt.Fprintf(&b, "; the name is that of %s", s.nameOf(r.Winner))
	}
	return b.String()
}

// author says who did something at a time.
func (s *Scenario) author(time int64) string {
	var who []string
	for _, o := range s.Ops {
		if o.Time == time && !o.Sync {
			who = append(who, o.Replica)
		}
	}
	return fmt.Sprintf("%s at time %d", strings.Join(who, " or "), time)
}

// nameOf says which entry an id of the file stands for.
func (s *Scenario) nameOf(id string) string {
	for i, e := range s.Initial {
		if InitialID(i) == id {
			return fmt.Sprintf("%s (%s)", id, e.DN)
		}
	}
	for _, o := range s.Ops {
		if !o.Sync && o.ID() == id {
			return fmt.Sprintf("%s (added as %s)", id, o.Operation.DN)
		}
	}
	return id
}
