// Package plan says what has to be written, and in which order, so that a directory
// comes to hold what the views of its entries ask for. It writes nothing: neither to
// the directory nor to the store.
package plan

import (
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/image"
	"ldapsync/store"
)

// Base is what a plan is made from: the marks and images of one transaction, which
// it only reads, and what they are to come to.
type Base struct {
	*store.Tx
	image.Terms
	Suffix dn.DN
	// Wanted returns the image that the view of an entry asks for, and its name as
	// it is to be written; nil for an entry that is not to be held.
	Wanted func(changelog.ID) (*store.Image, dn.RDN, error)
}

// Unit is what brings one entry of the directory nearer to its view: one write,
// so that it is made or not made.
type Unit struct {
	ID changelog.ID
	// Gen is the number of the mark.
	Gen uint64
	// Seen is what Have contains of the changes of others.
	Seen changelog.Seqs
	// Have is the entry's image, nil where the directory does not hold it;
	// Want is what its view asks for, nil where it is not to be held.
	Have, Want *store.Image
	// RDN is the name of Want, OldRDN that of Have.
	RDN, OldRDN dn.RDN
	// Write is what the unit came to in a plan, Leaves the image it leaves, nil
	// for none.
	Write  directory.Write
	Leaves *store.Image
	// Below is the DN of the superior that the write names, "" where that stays.
	Below string
	// name is the DN that the write gives the entry, "" where it keeps its own.
	name string
	// places are those that the plan leaves the entries in.
	places map[changelog.ID]place
	// leaving says that our own delete of the entry has not been reported.
	leaving bool
}

// Kind tells which operation the unit needs first.
func (u *Unit) Kind() directory.WriteOp {
	switch {
	case u.Have == nil:
		return directory.Add
	case u.Want == nil:
		return directory.Delete
	case u.Have.Parent != u.Want.Parent || u.Have.RDN != u.Want.RDN:
		return directory.ModDN
	}
	return directory.Modify
}

// CountsOn reports whether a unit can only be right when f, of the same plan, was
// done before: its entry stands below the name that f gives, under which another may
// stand, or gets one that f sets free.
func (u *Unit) CountsOn(f *Unit) bool {
	if frees := f.Write.Op == directory.ModDN || f.Write.Op == directory.Delete; frees && u.name != "" && u.Leaves.Parent == f.Have.Parent && u.Leaves.RDNKey == f.Have.RDNKey {
		return true
	}
	if f.name == "" {
		return false
	}
	return strings.HasSuffix(u.Write.DN, ","+f.name) || u.Write.NewSuperior == f.name || strings.HasSuffix(u.Write.NewSuperior, ","+f.name) ||
		u.endsBelow(f.ID)
}

// endsBelow reports whether the plan leaves the entry of a unit below another's: by
// then the names of both may be others than when the one below was written.
func (u *Unit) endsBelow(top changelog.ID) bool {
	id := u.places[u.ID].parent
	for depth := 0; !id.IsZero() && id != top && depth < maxDepth; depth++ {
		id = u.places[id].parent
	}
	return id == top
}

// Plan is a batch of units in an order in which the directory can take them.
type Plan struct {
	Units []*Unit
	// Blocked are units that cannot be placed for now.
	Blocked []Blocked
	// Unconfirmed are entries whose last write the directory has not reported
	// yet; they wait for it.
	Unconfirmed []changelog.ID
	// Done are marked entries that have nothing to write.
	Done []changelog.ID
}

// Blocked is a unit with what stands in its way, for people.
type Blocked struct {
	*Unit
	Why string
}

// BatchSize is the number of marks that one batch begins with.
const BatchSize = 500

// planner builds a plan.
type planner struct {
	Base
	// units holds those of the entries looked at, nil where nothing is to be
	// written now.
	units map[changelog.ID]*Unit
	order []*Unit
	plan  Plan
}

// Make plans the oldest marks. Held entries are left out.
func (b Base) Make(held map[changelog.ID]bool) (*Plan, error) {
	p := &planner{Base: b, units: map[changelog.ID]*Unit{}}
	if err := p.gather(held); err != nil {
		return nil, err
	}
	if err := p.complete(held); err != nil {
		return nil, err
	}
	if err := p.schedule(newLayout(b, p.order)); err != nil {
		return nil, err
	}
	return &p.plan, nil
}

// gather takes marks until the batch is full.
func (p *planner) gather(held map[changelog.ID]bool) error {
	var gen uint64
	for len(p.order) < BatchSize {
		marks, err := p.DirtyAfter(gen, BatchSize)
		if err != nil || len(marks) == 0 {
			return err
		}
		for _, d := range marks {
			gen = d.Gen
			if held[d.ID] {
				continue
			}
			if err := p.take(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// take adds the unit of a marked entry, if there is anything to write for it.
func (p *planner) take(d store.Dirty) error {
	if _, taken := p.units[d.ID]; taken {
		return nil
	}
	u, err := p.Unit(d)
	if err != nil {
		return err
	}
	p.units[d.ID] = nil
	switch {
	case p.Same(u.Have, u.Want) && !u.unstamped():
		p.plan.Done = append(p.plan.Done, d.ID)
	case u.leaving || u.Have != nil && !u.Have.Confirmed:
		p.plan.Unconfirmed = append(p.plan.Unconfirmed, d.ID)
	default:
		p.units[d.ID] = u
		p.order = append(p.order, u)
	}
	return nil
}

// unstamped reports whether a move has left the directory's own stamps in the
// entry and nothing stands in the way of writing over them.
func (u *Unit) unstamped() bool {
	return u.Have != nil && u.Have.Loose && u.Have.Confirmed && u.Want != nil &&
		slices.ContainsFunc(u.Want.Attrs, func(a directory.Attribute) bool { return strings.EqualFold(a.Name, image.ModifiersName) })
}

// Unit returns what a marked entry needs, without a place in a plan.
func (b Base) Unit(d store.Dirty) (*Unit, error) {
	u := &Unit{ID: d.ID, Gen: d.Gen, Seen: d.Seen}
	have, err := b.Image(d.ID)
	if err != nil {
		return nil, err
	}
	u.leaving = have != nil && have.Gone && have.Told != nil
	if have != nil && !have.Gone {
		u.Have = have
		if u.OldRDN, err = dn.ParseRDN(have.RDN); err != nil {
			return nil, err
		}
	}
	u.Want, u.RDN, err = b.Wanted(d.ID)
	return u, err
}

// complete adds the marked entries that the units of the batch depend on:
// superiors that are to be added, children that are to leave, and entries that
// hold a name that is to be given to another.
func (p *planner) complete(held map[changelog.ID]bool) error {
	for i := 0; i < len(p.order) && i < 4*BatchSize; i++ {
		u := p.order[i]
		var needs []changelog.ID
		if u.Want != nil {
			needs = append(needs, u.Want.Parent, p.Named(u.Want.Parent, u.Want.RDNKey))
		} else {
			needs = p.Children(u.ID, BatchSize)
		}
		for _, id := range needs {
			if id.IsZero() || held[id] || p.units[id] != nil {
				continue
			}
			if err := p.takeIfMarked(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *planner) takeIfMarked(id changelog.ID) error {
	if _, parked, err := p.Parked(id); err != nil || parked {
		return err
	}
	d, err := p.Dirty(id)
	if err != nil || d == nil {
		return err
	}
	return p.take(*d)
}

// place fills in the write of a unit as the directory will be when the writes
// before it are done.
func (u *Unit) place(l *layout) error {
	u.Leaves = u.Want
	switch u.Kind() {
	case directory.Add:
		above := l.name(u.Want.Parent)
		u.name, u.Below = append(dn.DN{u.RDN}, above...).String(), above.String()
		u.Write = directory.Write{Op: directory.Add, DN: u.name, Attrs: u.Want.Attrs}
	case directory.Delete:
		u.Write = directory.Write{Op: directory.Delete, DN: l.name(u.ID).String()}
	case directory.ModDN:
		replaces := l.replaces(u.OldRDN, u.RDN)
		if replaces && l.share(u.OldRDN, u.RDN) {
			if apart, ok := l.apart(u.OldRDN, u.ID); ok {
				return u.rename(l, l.placeOf(u.ID).parent, apart, false)
			}
			replaces = false
		}
		return u.rename(l, u.Want.Parent, u.RDN, replaces)
	case directory.Modify:
		u.Write = directory.Write{Op: directory.Modify, DN: l.name(u.ID).String(), Mods: l.Mods(u.Have.Attrs, u.Want.Attrs)}
	}
	u.guard()
	return nil
}

// guard makes the write depend on the state the unit starts from.
func (u *Unit) guard() {
	u.Write.ID = u.ID
	if u.Have != nil {
		u.Write.IfCSN = u.Have.CSN
	}
}
