package dit

import (
	"maps"
	"slices"

	"ldapsync/changelog"
	"ldapsync/dn"
)

// Base is what a server is known to have had in its directory before it lost
// its state: every change within Seqs and, in an entry, whatever its own earlier
// selves had seen there when they changed it.
type Base struct {
	Seqs changelog.Seqs
	// Selves are the sids of its earlier selves.
	Selves []changelog.SID
	// Doubt says that the directory may have been restored from a backup that is
	// older than the base: what it lacks was not removed there by a client, and
	// what is known to be older not brought back.
	Doubt bool
}

// Held is one entry as a directory holds it.
type Held struct {
	Parent ID
	RDN    dn.RDN
	Attrs  []Attribute
}

// Past is what a directory held of an entry before its clients made of it what
// it holds now, as far as the facts can tell.
type Past struct {
	Held
	// Seen is the base of this entry: what its directory's state contains; nothing
	// in doubt.
	Seen changelog.Seqs
	// Newest is the newest CSN within it.
	Newest changelog.CSN
	// Buried says that the entry is deleted and that the base contains that.
	Buried bool
	// Lost says that the directory's clients and others replaced the same at the
	// same time, and that the others' is taken.
	Lost bool
}

// Entries returns up to max entries that exist, in the order of their ids,
// beginning after the given one.
func (s *State) Entries(after ID, max int) ([]ID, error) {
	var ids []ID
	s.kv.Scan([]byte{keyEntry}, idKey(keyEntry, after), func(k, record []byte) bool {
		n, err := readNode(record)
		if err != nil {
			s.fail(err)
			return false
		}
		if id := lastID(k); id != after && n.created && n.live {
			ids = append(ids, id)
		}
		return len(ids) < max
	})
	return ids, s.caught()
}

// Within reports whether every fact about an entry is within a base, and returns
// the newest that is.
func (s *State) Within(id ID, base Base) (all bool, newest changelog.CSN, err error) {
	e := s.load(id)
	if e == nil || !e.node.created {
		return false, newest, s.caught()
	}
	h := s.hindsight(e, base)
	return h.complete, h.newest, s.caught()
}

// Born reports whether the creation of an entry and of all its superiors is within
// a base, so that a server which had that could show it.
func (s *State) Born(id ID, base Base) (bool, error) {
	trail, steps := id, 0
	for !id.IsZero() {
		e := s.load(id)
		if e == nil || !base.Seqs.Covers(sidSeq(e.created)) {
			return false, s.caught()
		}
		if id = e.node.parent; id == trail {
			return false, s.caught()
		}
		if steps++; steps&(steps-1) == 0 {
			trail = id
		}
	}
	return true, s.caught()
}

// sidSeq returns whose change a stamp is of; none of the nil stamp is covered.
func sidSeq(st *stamp) (changelog.SID, uint64) {
	if st == nil {
		return 0, 1
	}
	return st.csn.SID, st.seq
}

// Past tells what the clients of a directory did to an entry while nobody
// watched from what they found there. What is there now, and was not when the
// base was reached, they added; what was there then and is not now, they
// removed; where a fact beyond the base explains a difference, it is news that
// has yet to be written to the directory. It returns nil when the entry was
// never created.
func (s *State) Past(id ID, base Base, now Held) (*Past, error) {
	e := s.load(id)
	if e == nil || !e.node.created {
		return nil, s.caught()
	}
	h := s.hindsight(e, base)
	p := &Past{Held: now, Seen: h.seen, Newest: h.newest, Buried: !e.node.live && h.covers(e.deleted)}
	if base.Doubt {
		p.Seen = changelog.Seqs{}
	}
	named, placed := h.name(p, now), h.place(p, now)
	h.attributes(p, now, named || placed)
	if err := s.caught(); err != nil {
		return nil, err
	}
	return p, nil
}

// hindsight is an entry seen from a base.
type hindsight struct {
	*State
	entry    *entry
	seen     changelog.Seqs
	newest   changelog.CSN
	complete bool
	doubt    bool
}

func (s *State) hindsight(e *entry, base Base) *hindsight {
	h := &hindsight{State: s, entry: e, seen: maps.Clone(base.Seqs), complete: true, doubt: base.Doubt}
	if h.seen == nil {
		h.seen = changelog.Seqs{}
	}
	h.eachStamp(func(st *stamp) {
		if slices.Contains(base.Selves, st.csn.SID) && base.Seqs.Covers(st.csn.SID, st.seq) {
			st.eachSeen(func(sid changelog.SID, seq uint64) { h.seen[sid] = max(h.seen[sid], seq) })
		}
	})
	h.eachStamp(func(st *stamp) {
		switch {
		case !h.covers(st):
			h.complete = false
		case h.newest.Before(st.csn):
			h.newest = st.csn
		}
	})
	return h
}

// eachStamp calls fn for the stamps of the entry's facts, those of spilled
// values too.
func (h *hindsight) eachStamp(fn func(*stamp)) {
	h.entry.eachStamp(fn)
	for _, a := range h.entry.attrs {
		if a.spill == nil {
			continue
		}
		for _, v := range h.spilledCandidates(nil, h.entry, a, h.canonical(a.name)) {
			for _, st := range []*stamp{v.add, v.del} {
				if st != nil {
					fn(st)
				}
			}
		}
	}
}

// eachSeen calls fn for what the author of s had.
func (s *stamp) eachSeen(fn func(changelog.SID, uint64)) {
	for rest := s.seen; rest != ""; {
		sid, n := uvarint(rest)
		seq, m := uvarint(rest[n:])
		if n == 0 || m == 0 {
			return
		}
		fn(changelog.SID(sid), seq)
		rest = rest[n+m:]
	}
}

// covers reports whether a fact was in the directory; no fact always was.
func (h *hindsight) covers(st *stamp) bool { return st == nil || h.seen.Covers(st.csn.SID, st.seq) }

// name fills in the name, and reports whether a client gave it another.
func (h *hindsight) name(p *Past, now Held) (local bool) {
	plain := withoutMarks(now.RDN)
	current := h.names(h.entry).rdn
	if plain.Equal(current, h.rules.Schema) || h.isRoot(h.entry) {
		return false
	}
	if h.doubt && slices.ContainsFunc(h.entry.names, func(n naming) bool { return plain.Equal(h.parseRDN(n.rdn), h.rules.Schema) }) {
		return false
	}
	for _, n := range slices.Backward(h.entry.names) {
		if !h.covers(n.at) {
			continue
		}
		known := h.parseRDN(n.rdn)
		if plain.Equal(known, h.rules.Schema) {
			return false
		}
		if n.at != h.entry.name().at {
			p.Lost = true
			return false
		}
		p.RDN = known
		return true
	}
	return false
}

// place fills in the superior, and reports whether a client gave it another.
func (h *hindsight) place(p *Past, now Held) (local bool) {
	here := func(parent ID) bool {
		return now.Parent == parent || now.Parent == h.family(parent).display || h.wereOne(now.Parent, parent)
	}
	if here(h.entry.node.parent) || h.doubt && slices.ContainsFunc(h.entry.edges, func(g edge) bool { return here(g.parent) }) {
		return false
	}
	for i, g := range slices.Backward(h.entry.edges) {
		if !h.covers(g.at) || i > 0 && h.skipped(g, h.entry.id) {
			continue
		}
		display := h.family(g.parent).display
		switch {
		case here(g.parent) || display.IsZero():
			return false
		case g.parent != h.entry.node.parent:
			p.Lost = true
			return false
		}
		p.Parent = display
		return true
	}
	return false
}

// wereOne reports whether the children of one entry may have been shown below the
// other: containers that both were given one name at one place.
func (s *State) wereOne(a, b ID) bool {
	x, y := s.load(a), s.load(b)
	if x == nil || y == nil || !x.node.container || !y.node.container {
		return false
	}
	place := slices.ContainsFunc(x.edges, func(g edge) bool {
		return slices.ContainsFunc(y.edges, func(o edge) bool { return g.parent == o.parent })
	})
	return place && slices.ContainsFunc(x.names, func(n naming) bool {
		key := s.parseRDN(n.rdn).Key(s.rules.Schema)
		return slices.ContainsFunc(y.names, func(o naming) bool { return s.parseRDN(o.rdn).Key(s.rules.Schema) == key })
	})
}

// attributes fills in what the attributes were. Local says that a client has
// given the entry another name or place.
func (h *hindsight) attributes(p *Past, now Held, local bool) {
	p.Attrs = nil
	held := h.rules.byName(now.Attrs)
	var stamps []*aspect
	classes := h.ruleOf(raws(held[h.objectClass].list()))
	for _, a := range h.content(h.entry).aspects {
		if operationalName(a.name) != "" {
			stamps = append(stamps, a)
			continue
		}
		is := held[a.name].attribute(a.name)
		was, news := h.before(a, held[a.name])
		delete(held, a.name)
		mods := h.rules.Diff([]Attribute{was}, []Attribute{is})
		switch {
		case !a.naming && classes.forbids(a.rule):
			was = is // the classes that it has there do not let it show
		case len(mods) > 0 && mods[0].Op == changelog.ModReplace && news:
			p.Lost, was = true, is
		default:
			local = local || len(mods) > 0
		}
		p.Attrs = append(p.Attrs, was)
	}
	for name := range held {
		local = local || operationalName(name) == ""
	}
	// Who wrote last, and when, belongs to what was written.
	for _, a := range stamps {
		was := held[a.name].attribute(a.name)
		if local && a.name != h.canonical("createTimestamp") && a.name != h.canonical("creatorsName") {
			was.Values = a.shownValues()
		}
		p.Attrs = append(p.Attrs, was)
	}
}

// attribute returns the attribute that a state is of; one without values for
// none.
func (st *state) attribute(canonical string) Attribute {
	if st == nil {
		return Attribute{Name: canonical}
	}
	return Attribute{Name: st.spelt, Values: raws(st.values)}
}

func (st *state) list() []spelling {
	if st == nil {
		return nil
	}
	return st.values
}

func (a *aspect) shownValues() (out []string) {
	for _, f := range a.values {
		if f.shown {
			out = append(out, f.raw)
		}
	}
	return out
}

// before returns the values that the directory held of an attribute, of which it
// now holds those of is. News says that facts beyond the base are about it.
func (h *hindsight) before(a *aspect, is *state) (was Attribute, news bool) {
	now := map[string]string{}
	was.Name = a.name
	if is != nil {
		was.Name = is.spelt
		for _, v := range is.values {
			now[v.norm] = v.raw
		}
	}
	strange := len(now)
	var gone []string
	for _, f := range a.values {
		raw, here := now[f.norm]
		shown, ended := f.shown && !a.hidden, newest(f.killer, f.outdone)
		news = news || !h.covers(f.add) || !h.covers(ended)
		if here {
			strange--
		}
		switch {
		case here && h.doubt, here && shown && (a.repaired || !h.covers(f.add)), here && !shown && (ended == nil || !h.covers(ended)):
			was.Values = append(was.Values, raw)
		case h.doubt:
		case shown && !a.repaired && h.covers(f.add):
			was.Values = append(was.Values, f.raw)
		case !here && !shown && h.covers(f.add) && !h.covers(ended):
			gone = append(gone, f.raw)
		}
	}
	if strange > 0 && strange == len(now) {
		was.Values = append(was.Values, gone...) // all were replaced
	}
	return was, news
}
