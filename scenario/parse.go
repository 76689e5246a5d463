package scenario

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"ldapsync/schema"
)

// Limits of a file. The largest scenario worth reading is far below them.
const (
	// MaxSize is in octets.
	MaxSize = 4 << 20
	// MaxOps is the greatest number of operations of a scenario, and of its
	// initial entries.
	MaxOps = 10_000
	// MaxTime is the latest time of an operation.
	MaxTime = 1_000_000_000
	// maxProblems is how many are told of.
	maxProblems = 100
)

// Parse reads a file of scenarios. Name is what errors call it. Attribute types
// and object classes have to be those of s. The error is an *Error unless
// reading failed.
func Parse(name string, r io.Reader, s *schema.Schema) (*File, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	p := &parser{file: &File{Name: name, Schema: s}}
	if len(b) > MaxSize {
		p.refuse(0, "the file is larger than %d bytes", MaxSize)
	} else {
		p.parse(b)
	}
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, &Error{File: name, Problems: p.problems}
	}
	return p.file, nil
}

type parser struct {
	file     *File
	problems []Problem
}

func (p *parser) refuse(line int, format string, args ...any) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, Problem{line, fmt.Sprintf(format, args...)})
	}
}

func (p *parser) parse(b []byte) {
	root, err := document(b)
	if err != nil {
		line, text := yamlError(b, err)
		p.refuse(line, "%s", text)
		return
	}
	f := p.fields(root, "version", "base", "unique", "scenarios")
	if v := f.optional("version"); v != nil && v.Value != "1" {
		p.refuse(v.Line, "version %.40q: only 1 is known", v.Value)
	}
	if n := f.need("base"); n != nil {
		p.file.Base = p.name(n)
		if len(p.file.Base) == 0 {
			p.refuse(n.Line, "base: want the name of an entry")
		}
	}
	if list := f.optional("unique"); list != nil {
		for _, n := range p.list(list, "unique") {
			attr, ok := p.scalar(n)
			if ok && p.file.Schema.Attribute(attr) == nil {
				p.refuse(n.Line, "unique: the schema has no attribute %.60q", attr)
			}
			p.file.Unique = append(p.file.Unique, attr)
		}
	}
	if list := f.need("scenarios"); list != nil {
		p.scenarios(list)
	}
}

func (p *parser) scenarios(list *yaml.Node) {
	seen := map[string]int{}
	for _, n := range p.list(list, "scenarios") {
		s := p.scenario(n)
		if s == nil {
			continue
		}
		if first, twice := seen[s.ID]; twice {
			p.refuse(n.Line, "scenario %s: the id is taken, in line %d", s.ID, first)
			continue
		}
		seen[s.ID] = n.Line
		p.file.Scenarios = append(p.file.Scenarios, s)
	}
	if len(list.Content) == 0 {
		p.refuse(list.Line, "scenarios: there is none")
	}
}

func (p *parser) scenario(n *yaml.Node) *Scenario {
	f := p.fields(n, "id", "title", "source", "initial", "ops", "expect")
	if f == nil {
		return nil
	}
	s := &Scenario{File: p.file, ID: f.text("id"), Title: f.optionalText("title"), Source: f.optionalText("source")}
	c := &checker{parser: p, scenario: s, ids: map[string]int{}}
	if l := f.optional("initial"); l != nil {
		c.initial(p.list(l, "initial"))
	}
	if l := f.need("ops"); l != nil {
		c.ops(p.list(l, "ops"))
	}
	if e := f.optional("expect"); e != nil {
		s.Expect = c.expect(e)
	}
	return s
}
