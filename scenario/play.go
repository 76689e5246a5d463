package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// baseID is what the entry of the base is called inside.
const baseID = "base"

// played is what the clients of a scenario have done.
type played struct {
	rules    dit.Rules
	replicas []*replica
	// changes are in the order of their times; the first are those that make
	// the base and the initial entries.
	changes []*changelog.Change
	initial int
	names   Names
	refused []Refused
	byState bool
	// idle are the operations that change nothing.
	idle map[string]bool
}

// Refused is an operation that a directory does not make; the client gets the
// result code.
type Refused struct {
	Op     Op
	Reason *dit.ResultError
}

func (r Refused) String() string {
	return fmt.Sprintf("%s at time %d: %s of %s is refused, %v", r.Op.Replica, r.Op.Time, r.Op.Operation.Op, r.Op.Operation.DN, r.Reason)
}

// play lets the clients do what they do, each at its replica.
func (s *Scenario) play(ctx context.Context, byState bool) (*played, error) {
	p := &played{rules: dit.DefaultRules(s.File.Schema, s.File.Base), names: Names{}, byState: byState, idle: map[string]bool{}}
	p.rules.Unique = s.File.Unique
	for _, letter := range s.Replicas() {
		p.replicas = append(p.replicas, newReplica(SID(letter), p.rules))
	}
	if err := p.prepare(ctx, s); err != nil {
		return nil, err
	}
	for _, o := range s.Ops {
		if err := p.step(ctx, o); err != nil {
			return nil, fmt.Errorf("scenario %s, time %d: %w", s.ID, o.Time, err)
		}
	}
	return p, p.sync(ctx)
}

// prepare gives every replica the base and the initial entries.
func (p *played) prepare(ctx context.Context, s *Scenario) error {
	base := dit.Operation{
		Op: changelog.OpAdd, DN: s.File.Base,
		Attrs: []dit.Attribute{{Name: "objectClass", Values: []string{"organizationalUnit"}}},
	}
	if _, err := p.do(0, base, baseID, 0); err != nil {
		return fmt.Errorf("scenario %s: base: %w", s.ID, err)
	}
	for i, e := range s.Initial {
		add := dit.Operation{Op: changelog.OpAdd, DN: e.DN, Attrs: e.Attrs}
		if _, err := p.do(0, add, InitialID(i), 0); err != nil {
			return fmt.Errorf("scenario %s: initial entry %s: %w", s.ID, e.DN, err)
		}
	}
	p.initial = len(p.changes)
	return p.sync(ctx)
}

// step makes one operation; what a directory refuses is noted.
func (p *played) step(ctx context.Context, o Op) error {
	if o.Sync {
		return p.sync(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	op := o.Operation
	id := func(name string) (dit.ID, bool) { return idOf(name), true }
	op.DN = Named(op.DN, id)
	if op.NewSuperior != nil {
		op.NewSuperior = Named(op.NewSuperior, id)
	}
	c, err := p.do(int(SID(o.Replica))-1, op, o.ID(), o.Time)
	var reason *dit.ResultError
	if errors.As(err, &reason) {
		p.refused = append(p.refused, Refused{o, reason})
		return nil
	}
	p.idle[o.ID()] = c == nil
	return err
}

func (p *played) do(at int, op dit.Operation, name string, time int64) (*changelog.Change, error) {
	c, err := p.replicas[at].do(op, idOf(name), time, p.recorded)
	if c == nil || err != nil {
		return nil, err
	}
	p.names[c.ID] = cmp.Or(p.names[c.ID], name)
	p.changes = append(p.changes, c)
	return c, nil
}

// recorded is what becomes of a change between its client and its log.
func (p *played) recorded(r *replica, c *changelog.Change) error {
	if !p.byState || c.Op != changelog.OpModify {
		return nil
	}
	before, err := r.dit.View(c.ID)
	if err != nil || before == nil {
		return err
	}
	copied := &replica{sid: r.sid, kv: r.kv.Clone(), seen: maps.Clone(r.seen)}
	copied.dit = dit.Open(copied.kv, p.rules)
	if err := copied.merge(c); err != nil {
		return err
	}
	after, err := copied.dit.View(c.ID)
	if err != nil || after == nil {
		return err
	}
	c.Mods = p.rules.Diff(before.Attrs, after.Attrs)
	return nil
}

// sync lets all replicas exchange everything.
func (p *played) sync(ctx context.Context) error {
	for _, r := range p.replicas {
		for _, c := range p.changes {
			if c.Seq <= r.seen[c.SID()] {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := r.merge(c); err != nil {
				return err
			}
		}
	}
	return nil
}
