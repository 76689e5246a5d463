package simulate

import (
	"fmt"
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
)

// Profile is what the clients of a history mostly do.
type Profile string

// The profiles. Their alphabets are small, so that clients collide.
const (
	Tree       Profile = "tree"
	Attributes Profile = "attributes"
	Names      Profile = "names"
	Life       Profile = "life"
	Mixed      Profile = "mixed"
	// Classes is about object classes and what they demand and allow.
	Classes Profile = "classes"
	// Members is Mixed with servers that come and go and change their roles.
	Members Profile = "members"
	// Ages is about forgetting: weeks and months pass, and servers forget what all
	// have. Its clients take after those of the others in turn.
	Ages Profile = "ages"
	// Calm is one write after the other, each known everywhere before the next:
	// nothing is concurrent, so nothing may be recorded.
	Calm Profile = "calm"
)

// Profiles are all profiles.
var Profiles = []Profile{Tree, Attributes, Names, Life, Mixed, Classes, Members, Calm, Ages}

// deed is a kind of operation of a client.
type deed uint8

const (
	addPerson deed = iota
	addUnit
	addGroup
	remove
	rename
	move
	edit
	toggleClass
	deeds
)

// weights says how often a client does what.
var weights = map[Profile][deeds]int{
	Tree:       {addPerson: 1, addUnit: 4, remove: 3, rename: 2, move: 9, edit: 1},
	Attributes: {addPerson: 1, remove: 1, rename: 2, edit: 14, toggleClass: 2},
	Names:      {addPerson: 6, addUnit: 2, remove: 3, rename: 8, move: 2, edit: 2},
	Life:       {addPerson: 4, addUnit: 4, remove: 8, rename: 1, move: 2, edit: 5},
	Mixed:      {addPerson: 3, addUnit: 3, addGroup: 1, remove: 3, rename: 4, move: 4, edit: 6, toggleClass: 1},
	Members:    {addPerson: 3, addUnit: 3, addGroup: 1, remove: 3, rename: 4, move: 4, edit: 6, toggleClass: 1},
	Classes:    {addPerson: 1, rename: 3, edit: 12, toggleClass: 10},
	Calm:       {addPerson: 3, addUnit: 3, addGroup: 1, remove: 3, rename: 4, move: 4, edit: 6, toggleClass: 1},
}

// ParseProfile reads the name of a profile.
func ParseProfile(s string) (Profile, error) {
	if slices.Contains(Profiles, Profile(s)) {
		return Profile(s), nil
	}
	return "", fmt.Errorf("profile %q is none of %v", s, Profiles)
}

// theOne is the person among the initial entries.
var theOne = changelog.ID{0: 1, 2: 4}

// initial returns the entries that every replica has when a history begins.
func (p Profile) initial() []directory.Write {
	return []directory.Write{
		adding(suffixText, "objectClass", "organization", "objectClass", "dcObject", "o", "X", "dc", "x"),
		adding("ou=a,"+suffixText, "objectClass", "organizationalUnit"),
		adding("ou=b,"+suffixText, "objectClass", "organizationalUnit"),
		adding("cn=a,ou=a,"+suffixText, "objectClass", "inetOrgPerson", "sn", "1", "sn", "2", "description", "1"),
		adding("cn=g,"+suffixText, "objectClass", "groupOfNames", "member", "cn=a,ou=a,"+suffixText),
	}
}

// adding returns a write that adds an entry; pairs are names and values.
func adding(name string, pairs ...string) directory.Write {
	w := directory.Write{Op: directory.Add, DN: name}
	for i := 0; i < len(pairs); i += 2 {
		at := slices.IndexFunc(w.Attrs, func(a directory.Attribute) bool { return a.Name == pairs[i] })
		if at < 0 {
			at = len(w.Attrs)
			w.Attrs = append(w.Attrs, directory.Attribute{Name: pairs[i]})
		}
		w.Attrs[at].Values = append(w.Attrs[at].Values, pairs[i+1])
	}
	return w
}

// client makes a write as a client of nd's directory. The directory may refuse
// it.
func (nd *node) client(wr directory.Write) {
	if wr.Op == directory.Add {
		wr.ID = nd.newID()
	}
	before := nd.snapshot(wr.ID)
	err := nd.server.Do(wr)
	if err != nil {
		nd.w.tracef("%d client is refused: %v: %v", nd.i+1, shownWrite(wr), err)
		return
	}
	nd.w.tracef("%d client: %v", nd.i+1, shownWrite(wr))
	nd.w.stats.Writes++
	if wr.Op == directory.Add {
		nd.w.latest = wr.ID
	}
	nd.watched.written(wr.ID, before)
	nd.traces.written(nd, wr.ID, before)
	nd.sees(wr.ID)
}

// clientAtRandom makes some operation.
func (nd *node) clientAtRandom() {
	w := nd.w
	ids := nd.server.IDs()
	if len(ids) == 0 || nd.gone {
		return
	}
	w.stats.Operations++
	list := weights[w.deeds()]
	wr, ok := nd.invent(w.weighted(list[:]), ids)
	if ok && (wr.Op != directory.Delete || nd.settled || !slices.Contains(nd.lastToTell, wr.ID)) {
		nd.client(wr)
	}
}

// weighted returns an index, each as often as its weight says.
func (w *world) weighted(list []int) int {
	sum := 0
	for _, n := range list {
		sum += n
	}
	at := w.rng.IntN(sum)
	for i, n := range list {
		if at -= n; at < 0 {
			return i
		}
	}
	return len(list) - 1
}

var (
	names     = []string{"cn=a", "cn=a", "cn=b", "cn=A", "cn=c", "cn=a+sn=1", "cn=b+sn=2", "uid=a"}
	unitNames = []string{"ou=a", "ou=b", "ou=c", "ou=C"}
	alphabet  = map[string][]string{
		"description":         {"1", "2", "3", "One", "one", "a  b"},
		"description;lang-en": {"1", "2"},
		"sn":                  {"1", "2", "3"},
		"cn":                  {"a", "b", "A", "z"},
		"mail":                {"a@x", "A@x", "b@x"},
		"employeeNumber":      {"1", "2", "3"},
		"preferredLanguage":   {"en", "EN", "de"},
		"userPassword":        {"s1", "s2", "\x00\xff"},
		"jpegPhoto":           {"p1", "p2", "p3"},
		"uid":                 {"a", "b"},
		"associatedDomain":    {"a.x", "b.x", "c.x", "d.x", "e.x"},
		"member":              {"cn=a,ou=a,dc=x", "CN=A,ou=a,dc=x", "cn=b,ou=a,dc=x", "cn=c,dc=x"},
		"ou":                  {"a", "b", "c"},
	}
	// classNames and classAttrs are what the profile Classes is about: naming
	// values of which there may be one, and what a class demands or allows.
	classNames  = []string{"cn=a", "cn=b", "employeeNumber=1", "employeeNumber=2"}
	classAttrs  = []string{"sn", "sn", "sn", "employeeNumber", "associatedDomain", "associatedDomain", "associatedDomain", "associatedDomain"}
	personAttrs = []string{
		"description", "description", "description;lang-en", "sn", "sn", "cn", "mail", "employeeNumber",
		"preferredLanguage", "userPassword", "jpegPhoto", "uid", "associatedDomain",
	}
	unitAttrs  = []string{"description", "ou", "userPassword"}
	groupAttrs = []string{"member", "member", "member", "description", "cn"}
)

// invent returns an operation; false when there is nothing to do it to.
func (nd *node) invent(kind int, ids []changelog.ID) (directory.Write, bool) {
	w := nd.w
	id := pick(w, ids)
	if w.deeds() == Classes && w.rng.IntN(4) > 0 {
		id = theOne
	}
	if (deed(kind) == addPerson || deed(kind) == addUnit) && w.oneIn(3) && nd.server.Entry(w.latest) != nil {
		id = w.latest
	}
	e := nd.server.Entry(id)
	if e == nil {
		return directory.Write{}, false
	}
	top := nd.server.Parent(id).IsZero()
	switch deed(kind) {
	case addPerson:
		a := adding(pick(w, names)+","+e.DN, "objectClass", "inetOrgPerson", "sn", pick(w, alphabet["sn"]))
		a.Attrs = append(a.Attrs, directory.Attribute{Name: "description", Values: []string{nd.valueOf("description")}})
		a = withCN(a)
		if w.oneIn(3) {
			a = withSpare(a)
		}
		return a, true
	case addUnit:
		return adding(pick(w, unitNames)+","+e.DN, "objectClass", "organizationalUnit"), true
	case addGroup:
		a := adding(pick(w, names[:5])+","+e.DN, "objectClass", "groupOfNames", "member", pick(w, alphabet["member"]))
		return a, true
	case remove:
		return directory.Write{Op: directory.Delete, ID: id, DN: e.DN}, !top
	case rename:
		return directory.Write{Op: directory.ModDN, ID: id, DN: e.DN, NewRDN: nd.nameFor(e), DeleteOldRDN: w.oneIn(2)}, !top
	case move:
		to := nd.server.Entry(pick(w, ids))
		wr := directory.Write{Op: directory.ModDN, ID: id, DN: e.DN, NewRDN: rdnOf(e).String(), NewSuperior: to.DN}
		if w.oneIn(4) {
			wr.NewRDN, wr.DeleteOldRDN = nd.nameFor(e), w.oneIn(2)
		}
		return wr, !top
	case edit:
		return directory.Write{Op: directory.Modify, ID: id, DN: e.DN, Mods: nd.edits(e)}, true
	case toggleClass:
		return directory.Write{Op: directory.Modify, ID: id, DN: e.DN, Mods: nd.toggle(e)}, !top
	}
	return directory.Write{}, false
}

// withCN gives an entry that is named otherwise the cn that its class demands.
func withCN(a directory.Write) directory.Write {
	if name, err := dn.Parse(a.DN); err == nil && name[0][0].Attr != "cn" {
		a.Attrs = append(a.Attrs, directory.Attribute{Name: "cn", Values: []string{"z"}})
	}
	return a
}

// withSpare gives an entry another cn, by which it can be renamed.
func withSpare(a directory.Write) directory.Write {
	i := slices.IndexFunc(a.Attrs, func(attr directory.Attribute) bool { return attr.Name == "cn" })
	if i < 0 {
		i = len(a.Attrs)
		a.Attrs = append(a.Attrs, directory.Attribute{Name: "cn"})
	}
	a.Attrs[i].Values = append(a.Attrs[i].Values, "y")
	return a
}

func rdnOf(e *directory.Entry) dn.RDN { return mustDN(e.DN)[0] }

func (nd *node) nameFor(e *directory.Entry) string {
	if hasValue(e, "objectClass", "organizationalUnit") {
		return pick(nd.w, unitNames)
	}
	if hasValue(e, "objectClass", "groupOfNames") {
		return pick(nd.w, names[:5])
	}
	if nd.w.deeds() == Classes {
		return pick(nd.w, classNames)
	}
	return pick(nd.w, names)
}

func valuesOf(e *directory.Entry, attr string) []string {
	for _, a := range e.Attrs {
		if a.Name == attr {
			return a.Values
		}
	}
	return nil
}

func hasValue(e *directory.Entry, attr, value string) bool {
	return slices.Contains(valuesOf(e, attr), value)
}

// edits returns one or two modifications of an entry.
func (nd *node) edits(e *directory.Entry) []changelog.Mod {
	attrs := personAttrs
	switch {
	case hasValue(e, "objectClass", "organizationalUnit"), hasValue(e, "objectClass", "organization"):
		attrs = unitAttrs
	case hasValue(e, "objectClass", "groupOfNames"):
		attrs = groupAttrs
	case nd.w.deeds() == Classes && hasValue(e, "objectClass", "domainRelatedObject"):
		attrs = classAttrs
	case nd.w.deeds() == Classes:
		attrs = classAttrs[:4]
	}
	mods := []changelog.Mod{nd.editOf(e, pick(nd.w, attrs))}
	if nd.w.oneIn(4) {
		mods = append(mods, nd.editOf(e, pick(nd.w, attrs)))
	}
	return mods
}

func (nd *node) editOf(e *directory.Entry, attr string) changelog.Mod {
	w := nd.w
	have := valuesOf(e, attr)
	switch n := w.rng.IntN(6); {
	case n < 2 && len(have) > 0 && attr != "jpegPhoto":
		return changelog.Mod{Op: changelog.ModDelete, Attr: attr, Values: []string{pick(w, have)}}
	case n < 4:
		return changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: []string{nd.valueOf(attr)}}
	}
	m := changelog.Mod{Op: changelog.ModReplace, Attr: attr}
	for range w.rng.IntN(3) {
		if v := nd.valueOf(attr); !slices.Contains(m.Values, v) {
			m.Values = append(m.Values, v)
		}
	}
	return m
}

// valueOf returns a value of an attribute, one that stands nowhere else where
// what becomes of it has to be known.
func (nd *node) valueOf(attr string) string {
	v := pick(nd.w, alphabet[attr])
	if nd.lost && traced(attr) && nd.w.oneIn(2) {
		nd.w.tokens++
		v = fmt.Sprintf("%s%d.%d", tokenMark, nd.i+1, nd.w.tokens)
	}
	return v
}

// toggle adds an auxiliary class with the attribute it demands, or removes both.
func (nd *node) toggle(e *directory.Entry) []changelog.Mod {
	const class, attr = "domainRelatedObject", "associatedDomain"
	if hasValue(e, "objectClass", class) {
		return []changelog.Mod{
			{Op: changelog.ModDelete, Attr: "objectClass", Values: []string{class}}, {Op: changelog.ModReplace, Attr: attr},
		}
	}
	return []changelog.Mod{
		{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{class}},
		{Op: changelog.ModAdd, Attr: attr, Values: []string{pick(nd.w, alphabet[attr])}},
	}
}
