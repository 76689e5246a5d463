package plan

import (
	"fmt"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/schema"
	"ldapsync/store"
)

// place is where an entry stands in the directory.
type place struct {
	parent changelog.ID
	rdn    dn.RDN
	key    string
	exists bool
	// joined says that the plan has placed it there.
	joined bool
}

// maxDepth bounds walks up the tree.
const maxDepth = 1000

// layout is the tree of the directory as the writes placed so far leave it: the
// images, with what has changed on top.
type layout struct {
	Base
	// places are those that were asked for or changed.
	places map[changelog.ID]place
	// names overlays the index of names: the zero ID is a name set free.
	names map[nameKey]changelog.ID
	// joined counts the entries placed under each superior.
	joined map[changelog.ID]int
}

// nameKey is a name, in its normal form, below a superior.
type nameKey struct {
	parent changelog.ID
	key    string
}

// newLayout returns the layout before any of some units is made.
func newLayout(b Base, units []*Unit) *layout {
	l := &layout{
		Base: b, places: make(map[changelog.ID]place, 2*len(units)),
		names: map[nameKey]changelog.ID{}, joined: map[changelog.ID]int{},
	}
	for _, u := range units {
		l.places[u.ID] = u.stands()
	}
	return l
}

// stands returns where the entry of a unit stands before the unit is made.
func (u *Unit) stands() place {
	if u.Have == nil {
		return place{}
	}
	return place{parent: u.Have.Parent, rdn: u.OldRDN, key: u.Have.RDNKey, exists: true}
}

func (l *layout) placeOf(id changelog.ID) place {
	p, known := l.places[id]
	if known {
		return p
	}
	if m, err := l.ImageHead(id); err == nil && m != nil && !m.Gone {
		p = placeIn(m)
	}
	l.places[id] = p
	return p
}

// placeIn returns where an image stands.
func placeIn(m *store.Image) place {
	rdn, err := dn.ParseRDN(m.RDN)
	if err != nil {
		return place{}
	}
	return place{parent: m.Parent, rdn: rdn, key: m.RDNKey, exists: true}
}

func (l *layout) occupant(parent changelog.ID, key string) changelog.ID {
	if id, ok := l.names[nameKey{parent, key}]; ok {
		return id
	}
	return l.Named(parent, key)
}

// set moves an entry to a new place, or out of the directory.
func (l *layout) set(id changelog.ID, p place) {
	if old := l.placeOf(id); old.exists {
		if l.occupant(old.parent, old.key) == id {
			l.names[nameKey{old.parent, old.key}] = changelog.ID{}
		}
		if old.joined {
			l.joined[old.parent]--
		}
	}
	p.joined = p.exists
	l.places[id] = p
	if p.exists {
		l.names[nameKey{p.parent, p.key}] = id
		l.joined[p.parent]++
	}
}

// name returns the DN of an entry at this point.
func (l *layout) name(id changelog.ID) dn.DN {
	name := make(dn.DN, 0, 8) // as a rule
	for depth := 0; !id.IsZero() && depth < maxDepth; depth++ {
		p := l.placeOf(id)
		name = append(name, p.rdn)
		id = p.parent
	}
	return append(name, l.Suffix.Parent()...)
}

// below returns the DN of a name right below a superior.
func (l *layout) below(parent changelog.ID, rdn dn.RDN) dn.DN {
	return append(dn.DN{rdn}, l.name(parent)...)
}

// inside reports whether id is top or below it.
func (l *layout) inside(id, top changelog.ID) bool {
	for depth := 0; !id.IsZero() && depth < maxDepth; depth++ {
		if id == top {
			return true
		}
		id = l.placeOf(id).parent
	}
	return false
}

// stands reports whether an entry is in the directory with all that is above it, so
// that it has a name; the zero ID, above the suffix, does.
func (l *layout) stands(id changelog.ID) bool {
	for depth := 0; !id.IsZero() && depth < maxDepth; depth++ {
		p := l.placeOf(id)
		if !p.exists {
			return false
		}
		id = p.parent
	}
	return id.IsZero()
}

// hasChildren reports whether anything stands right below id.
func (l *layout) hasChildren(id changelog.ID) bool {
	if l.joined[id] > 0 {
		return true
	}
	for _, c := range l.Children(id, 4*BatchSize) {
		if p := l.placeOf(c); p.exists && p.parent == id {
			return true
		}
	}
	return false
}

// obstacle returns what keeps a unit from being placed now: "" for nothing. A
// name held by another entry is reported with that entry.
func (l *layout) obstacle(u *Unit) (why string, holder changelog.ID) {
	if u.Have != nil && !l.stands(u.ID) {
		return "what it stands below is not in the directory", holder
	}
	switch u.Kind() {
	case directory.Modify:
		return "", holder
	case directory.Delete:
		if l.hasChildren(u.ID) {
			return "entries below it are still there", holder
		}
		return "", holder
	}
	if !l.stands(u.Want.Parent) {
		return "its superior is not in the directory", holder
	}
	if u.Have != nil && l.inside(u.Want.Parent, u.ID) {
		return "its new superior is still below it", holder
	}
	if id := l.occupant(u.Want.Parent, u.Want.RDNKey); !id.IsZero() && id != u.ID {
		return fmt.Sprintf("its name is still held by entry %s", id), id
	}
	return "", holder
}

// schedule orders the units so that each finds its superior there, its name
// free and nothing below it when it goes. Where names go round in a circle, one
// entry is given a temporary name in this batch and its own in a later one.
func (p *planner) schedule(l *layout) error {
	pending := p.order
	for len(pending) > 0 {
		var rest []*Unit
		for _, u := range pending {
			if why, _ := l.obstacle(u); why != "" {
				rest = append(rest, u)
				continue
			}
			if err := u.place(l); err != nil {
				return err
			}
			p.put(u, l)
		}
		if len(rest) == len(pending) {
			h := l.holder(rest)
			if h == nil {
				break
			}
			if err := p.stepAside(h, l); err != nil {
				return err
			}
			rest = slices.DeleteFunc(rest, func(u *Unit) bool { return u == h })
		}
		pending = rest
	}
	for _, u := range pending {
		why, _ := l.obstacle(u)
		p.plan.Blocked = append(p.plan.Blocked, Blocked{u, why})
	}
	return nil
}

// put adds a unit to the batch and places its entry.
func (p *planner) put(u *Unit, l *layout) {
	p.plan.Units = append(p.plan.Units, u)
	u.places = l.places
	if u.Leaves == nil {
		l.set(u.ID, place{})
		return
	}
	l.set(u.ID, placeIn(u.Leaves))
}

// holder returns a unit that waits while its entry has the name that another
// one waits for, nil when there is none.
func (l *layout) holder(waiting []*Unit) *Unit {
	byID := map[changelog.ID]*Unit{}
	for _, u := range waiting {
		byID[u.ID] = u
	}
	for _, u := range waiting {
		_, id := l.obstacle(u)
		if h := byID[id]; h != nil && h.Have != nil {
			return h
		}
	}
	return nil
}

// stepAside gives the entry of h a temporary name.
func (p *planner) stepAside(h *Unit, l *layout) error {
	at := l.placeOf(h.ID)
	if err := h.rename(l, at.parent, l.aside(h.ID, at), false); err != nil {
		return err
	}
	p.put(h, l)
	return nil
}

// aside returns a name for an entry that stands at a place, which the conflict
// attribute makes unique and allows for every class of entry. Where that stands in
// the name already, with the id of what the entry was taken for, or another was
// taken for this entry and has that name, other values make way.
func (l *layout) aside(id changelog.ID, at place) dn.RDN {
	apart, differs := l.apart(at.rdn, id)
	if differs && slices.ContainsFunc(at.rdn, func(ava dn.AVA) bool { return strings.EqualFold(ava.Attr, schema.ConflictID) }) {
		return apart
	}
	mark := dn.AVA{Attr: schema.ConflictID, Value: id.String()}
	rdn := append(slices.Clone(at.rdn), mark)
	if holder := l.occupant(at.parent, rdn.Key(l.Schema)); differs && !holder.IsZero() && holder != id {
		return append(apart, mark)
	}
	return rdn
}
