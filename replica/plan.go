package replica

import (
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/image"
	"ldapsync/store"
)

// unit is what brings one entry of the directory nearer to its view: one write,
// so that it is made or not made.
type unit struct {
	id  changelog.ID
	gen uint64
	// seen is what have contains of the changes of others.
	seen changelog.Seqs
	// have is the entry's image, nil where the directory does not hold it;
	// want is what its view asks for, nil where it is not to be held.
	have, want *store.Image
	// rdn is the name of want, oldRDN that of have.
	rdn, oldRDN dn.RDN
	// leaving says that our own delete of the entry has not been reported.
	leaving bool
	// write is what the unit came to when it was placed, leaves the image it
	// leaves, nil for none.
	write  directory.Write
	leaves *store.Image
	// name is the DN that the write gives the entry, "" where it keeps its own;
	// below that of the superior, "" where that stays.
	name, below string
}

// kind tells which operation the unit needs first.
func (u *unit) kind() directory.WriteOp {
	switch {
	case u.have == nil:
		return directory.Add
	case u.want == nil:
		return directory.Delete
	case u.have.Parent != u.want.Parent || u.have.RDN != u.want.RDN:
		return directory.ModDN
	}
	return directory.Modify
}

// plan is a batch of units in an order in which the directory can take them.
type plan struct {
	units []*unit
	// blocked are units that cannot be placed for now, with what stands in the
	// way.
	blocked []blocked
	// unconfirmed are entries whose last write the directory has not reported
	// yet; they wait for it.
	unconfirmed []changelog.ID
}

type blocked struct {
	u   *unit
	why string
}

// batchSize is the number of marks that one batch begins with.
const batchSize = 500

// planner builds a plan within one transaction.
type planner struct {
	w     *work
	units map[changelog.ID]*unit
	order []*unit
	plan  plan
}

// makePlan plans the oldest marks, clears those that have nothing to write,
// and stores the intents of the rest. Held entries are left out.
func (w *work) makePlan(held map[changelog.ID]bool) (*plan, error) {
	p := &planner{w: w, units: map[changelog.ID]*unit{}}
	if err := p.gather(held); err != nil {
		return nil, err
	}
	if err := p.complete(held); err != nil {
		return nil, err
	}
	l := newLayout(w)
	if err := p.schedule(l); err != nil {
		return nil, err
	}
	for _, u := range p.plan.units {
		if err := w.intend(u); err != nil {
			return nil, err
		}
	}
	return &p.plan, nil
}

// gather takes marks until the batch is full.
func (p *planner) gather(held map[changelog.ID]bool) error {
	var gen uint64
	for len(p.order) < batchSize {
		marks, err := p.w.DirtyAfter(gen, batchSize)
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
	if p.units[d.ID] != nil {
		return nil
	}
	u, err := p.w.unit(d)
	if err != nil {
		return err
	}
	if p.w.Same(u.have, u.want) && !u.unstamped() {
		return p.w.ClearDirty(d.ID)
	}
	if u.leaving || u.have != nil && !u.have.Confirmed {
		p.plan.unconfirmed = append(p.plan.unconfirmed, d.ID)
		return nil
	}
	p.units[d.ID] = u
	p.order = append(p.order, u)
	return nil
}

// unstamped reports whether a move has left the directory's own stamps in the
// entry and nothing stands in the way of writing over them.
func (u *unit) unstamped() bool {
	return u.have != nil && u.have.Loose && u.have.Confirmed && u.want != nil &&
		slices.ContainsFunc(u.want.Attrs, func(a directory.Attribute) bool { return strings.EqualFold(a.Name, image.ModifiersName) })
}

func (w *work) unit(d store.Dirty) (*unit, error) {
	u := &unit{id: d.ID, gen: d.Gen, seen: d.Seen}
	have, err := w.Image(d.ID)
	if err != nil {
		return nil, err
	}
	u.leaving = have != nil && have.Gone && have.Told != nil
	if have != nil && !have.Gone {
		u.have = have
		if u.oldRDN, err = dn.ParseRDN(have.RDN); err != nil {
			return nil, err
		}
	}
	shown, err := w.dit.View(d.ID)
	if err != nil {
		return nil, err
	}
	if shown != nil {
		u.rdn = shown.RDN
	}
	u.want, err = w.wanted(shown)
	return u, err
}

// complete adds the marked entries that the units of the batch depend on:
// superiors that are to be added, children that are to leave, and entries that
// hold a name that is to be given to another.
func (p *planner) complete(held map[changelog.ID]bool) error {
	for i := 0; i < len(p.order) && i < 4*batchSize; i++ {
		u := p.order[i]
		var needs []changelog.ID
		if u.want != nil {
			needs = append(needs, u.want.Parent, p.w.Named(u.want.Parent, u.want.RDNKey))
		} else {
			needs = p.w.Children(u.id, batchSize)
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
	if _, parked, err := p.w.Parked(id); err != nil || parked {
		return err
	}
	d, err := p.w.Dirty(id)
	if err != nil || d == nil {
		return err
	}
	return p.take(*d)
}

// intend stores what a unit is about to make of its entry.
func (w *work) intend(u *unit) error {
	in := store.Intent{Gen: u.gen, Seen: w.seen, Image: store.Image{ID: u.id, Gone: true}}
	if u.leaves != nil {
		in.Image = *u.leaves
	}
	if u.leaves != u.want {
		in.Seen = u.seen // there is more to come before it contains the rest
	}
	in.Image.Below = u.below
	if u.have != nil {
		in.Image.CSN = u.have.CSN
		if u.below == "" {
			in.Image.Below = u.have.Below
		}
	}
	in.Image.Confirmed, in.Image.Unreported = false, false
	return w.PutIntent(&in)
}

// place fills in the write of a unit as the directory will be when the writes
// before it are done.
func (u *unit) place(w *work, l *layout) error {
	u.leaves = u.want
	switch u.kind() {
	case directory.Add:
		u.name, u.below = l.below(u.want.Parent, u.rdn).String(), l.name(u.want.Parent).String()
		u.write = directory.Write{Op: directory.Add, DN: u.name, Attrs: u.want.Attrs}
	case directory.Delete:
		u.write = directory.Write{Op: directory.Delete, DN: l.name(u.id).String()}
	case directory.ModDN:
		return u.rename(w, l, u.want.Parent, u.rdn, w.replaces(u.oldRDN, u.rdn) && !w.share(u.oldRDN, u.rdn))
	case directory.Modify:
		u.write = directory.Write{Op: directory.Modify, DN: l.name(u.id).String(), Mods: w.Mods(u.have.Attrs, u.want.Attrs)}
	}
	u.guard()
	return nil
}

// guard makes the write depend on the state the unit starts from.
func (u *unit) guard() {
	u.write.ID = u.id
	if u.have != nil {
		u.write.IfCSN = u.have.CSN
	}
}
