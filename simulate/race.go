package simulate

import (
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// race lets clients of two servers do at the same time what cannot both be, of
// the kinds that clients who choose at random seldom hit upon.
func (w *world) race(nd *node) {
	others := slices.DeleteFunc(w.members(), func(o *node) bool { return o == nd })
	if nd.gone || len(others) == 0 {
		return
	}
	switch other := pick(w, others); w.rng.IntN(5) {
	case 0:
		nd.raceClass(other)
	case 1, 2:
		nd.raceName(other)
	case 3:
		nd.raceBelow(other)
	default:
		nd.raceUnique(other)
	}
}

// raceClass takes a class with its attribute from an entry, while another adds a
// value of that attribute.
func (nd *node) raceClass(other *node) {
	const class, attr = "domainRelatedObject", "associatedDomain"
	mine, theirs := nd.server.Entry(theOne), other.server.Entry(theOne)
	if mine == nil || theirs == nil {
		return
	}
	if hasValue(mine, "objectClass", class) && hasValue(theirs, "objectClass", class) {
		add := changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: []string{pick(nd.w, alphabet[attr])}}
		other.client(modifying(theOne, theirs, add))
	}
	nd.client(modifying(theOne, mine, nd.toggle(mine)...))
}

// raceName names an entry by a value that it has, while another removes that
// value.
func (nd *node) raceName(other *node) {
	const attr = "cn"
	ids := nd.server.IDs()
	nd.w.rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for _, id := range ids {
		mine, theirs := nd.server.Entry(id), other.server.Entry(id)
		if theirs == nil {
			continue
		}
		for _, v := range valuesOf(mine, attr) {
			if hasValue(theirs, attr, v) && !hasNaming(mine, attr, v) && !hasNaming(theirs, attr, v) {
				nd.client(directory.Write{Op: directory.ModDN, ID: id, DN: mine.DN, NewRDN: attr + "=" + v})
				other.client(modifying(id, theirs, changelog.Mod{Op: changelog.ModDelete, Attr: attr, Values: []string{v}}))
				return
			}
		}
	}
}

// raceBelow adds an entry of which one other server is told, and there another
// below it: the rest may hear of this one first.
func (nd *node) raceBelow(other *node) {
	w := nd.w
	for _, o := range w.nodes {
		w.cut[nd.i][o.i] = o != other
	}
	ids := nd.server.IDs()
	if len(ids) == 0 {
		return
	}
	nd.client(adding(pick(w, unitNames)+","+nd.server.Entry(pick(w, ids)).DN, "objectClass", "organizationalUnit"))
	some(func() bool { return nd.stepCapture(8) })
	some(nd.stepPublish)
	for len(w.wire) > 0 {
		w.deliverOne()
	}
	some(other.stepApply)
	if e := other.server.Entry(w.latest); e != nil {
		other.client(withCN(adding(pick(w, names)+","+e.DN, "objectClass", "inetOrgPerson", "sn", "1")))
		some(func() bool { return other.stepCapture(8) })
		some(other.stepPublish)
	}
}

// raceUnique gives two entries one value of an attribute whose values are to be
// unique.
func (nd *node) raceUnique(other *node) {
	attr := pick(nd.w, uniqueAttrs)
	m := changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: []string{pick(nd.w, alphabet[attr])}}
	for _, o := range []*node{nd, other} {
		ids := o.server.IDs()
		if len(ids) == 0 {
			continue
		}
		id := pick(nd.w, ids)
		o.client(modifying(id, o.server.Entry(id), m))
	}
}

// modifying returns a write that modifies an entry.
func modifying(id changelog.ID, e *directory.Entry, mods ...changelog.Mod) directory.Write {
	return directory.Write{Op: directory.Modify, ID: id, DN: e.DN, Mods: mods}
}

// hasNaming reports whether a value stands in the name of an entry.
func hasNaming(e *directory.Entry, attr, value string) bool {
	return hasAVA(rdnOf(e), element{standard.Canonical(attr), standard.Normalise(attr, value), value})
}
