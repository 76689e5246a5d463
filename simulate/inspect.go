package simulate

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/dit/naive"
	"ldapsync/store"
)

// readStore runs fn on what is stored for nd.
func (nd *node) readStore(fn func(*store.Tx) error) {
	if err := nd.store.View(fn); err != nil {
		fail("store", "%s: %v", nd.name, err)
	}
}

// readLog runs fn on the log of nd.
func (nd *node) readLog(fn func(*changelog.Log) error) {
	nd.readStore(func(t *store.Tx) error { return fn(t.Log) })
}

// inspect checks what must hold after every step: vectors never go back and
// cover only what is stored, and a change is the same everywhere. What has not
// changed since the last time is not looked at again.
func (w *world) inspect() {
	for _, nd := range w.nodes {
		nd.findFork()
	}
	for _, own := range []bool{true, false} {
		for _, nd := range w.nodes {
			if !nd.stale || nd.away || nd.forked || nd.unsure {
				continue
			}
			nd.readStore(func(t *store.Tx) (err error) {
				if own {
					nd.countAside(t)
					if nd.inspected, err = t.Log.Vector(); err != nil {
						return err
					}
					nd.inspectClock(t)
					nd.seesAliases(t)
				}
				return w.compare(nd, t.Log, nd.inspected, own)
			})
			if !own {
				nd.vector, nd.stale, nd.fresh, nd.firm = nd.inspected, false, true, nd.settled
			}
		}
	}
}

// inspectClock checks that the clock of nd is never stored behind what it issued:
// when it starts again it may not issue that once more.
func (nd *node) inspectClock(t *store.Tx) {
	own := nd.inspected[nd.sid()]
	clock, err := t.Clock()
	if err != nil || clock.Before(own.CSN) {
		fail("clock", "the clock of %s stands at %s and it has issued %s: %v", nd.name, clock, own.CSN, err)
	}
}

// compare looks at the changes of a log that are new in it: nd's own, or those
// of others.
func (w *world) compare(nd *node, l *changelog.Log, v changelog.Vector, own bool) error {
	for sid, old := range nd.vector {
		if v[sid].Seq < old.Seq && nd.firm {
			fail("vector", "%s went back from %s to %s", nd.name, nd.vector, v)
		}
	}
	for sid, m := range v {
		if own != (sid == nd.sid()) {
			continue
		}
		for seq := nd.vector[sid].Seq + 1; seq <= m.Seq; seq++ {
			if known := w.made[changeKey{sid, seq}]; known != nil && known.raw == string(l.Stored(sid, seq)) {
				w.heard(known.Change, v)
				continue
			}
			c, err := l.Get(sid, seq)
			if err != nil {
				return err
			}
			if first := l.First(sid); c == nil && (first == 0 || seq < first) {
				continue // trimmed, or the log began behind it
			}
			if c == nil {
				fail("vector", "%s covers change %d/%d, which it does not hold", nd.name, sid, seq)
			}
			w.register(nd, c, v)
		}
	}
	return nil
}

// register notes a change, or compares it with what another log holds.
func (w *world) register(nd *node, c *changelog.Change, v changelog.Vector) {
	raw, err := c.AppendBinary(nil)
	if err != nil {
		fail("change", "%v", err)
	}
	key := changeKey{c.SID(), c.Seq}
	known := w.made[key]
	if known == nil {
		if c.SID() == nd.sid() {
			nd.checkRemovals(c)
		} else if !w.isUnsureAuthors(key, raw) {
			fail("change", "%s holds a change that its author does not: %s", nd.name, showChange(c))
		}
		w.made[key] = &made{Change: c, raw: string(raw)}
		if c.Op == changelog.OpAdd {
			w.births[c.ID] = key
		}
		if w.cfg.Trace != nil {
			w.tracef("%d makes %s", nd.i+1, showChange(c))
		}
		w.stats.Changes++
		return
	}
	w.heard(c, v)
	if known.raw != string(raw) && !w.alsoHello(known, c, string(raw)) {
		fail("change", "%s holds %s, its author %s", nd.name, showChange(c), showChange(known.Change))
	}
}

// isUnsureAuthors reports whether the author of a change holds it that is unsure, and so
// not looked at: its state was lost, and what nobody else had with it, and is back.
func (w *world) isUnsureAuthors(key changeKey, raw []byte) bool {
	return slices.ContainsFunc(w.nodes, func(o *node) (same bool) {
		if !o.isUnread() || o.sid() != key.sid {
			return false
		}
		o.readLog(func(l *changelog.Log) error {
			same = bytes.Equal(l.Stored(key.sid, key.seq), raw)
			return nil
		})
		return same
	})
}

// heard counts a change that arrived before its superior had, at a server whose log
// reaches to v.
func (w *world) heard(c *changelog.Change, v changelog.Vector) {
	if birth, ok := w.births[c.Superior]; ok && birth.seq > v[birth.sid].Seq {
		w.stats.Rules[Withheld]++
	}
}

// judge checks what must hold when everybody has settled. Views follow from
// the state alone, so those of one replica are those of all, unless some have
// forgotten what others have not.
func (w *world) judge() {
	w.inspect()
	w.losses()
	members := w.members()
	for _, nd := range members {
		w.judgeNode(nd)
	}
	if w.forgot {
		w.judgeFates(w.judgeViews(members))
		return
	}
	want := members[0].dump()
	for _, nd := range members[1:] {
		if !nd.holds(want) {
			fail("diverged", "the states of %s and %s differ", members[0].name, nd.name)
		}
	}
	twin := w.judgeViews(members[:1])
	w.judgeNaive(want)
	w.judgeFates(twin)
}

// judgeViews compares the views of the states of some with the obvious
// computation, and every directory with them. It returns that computation.
func (w *world) judgeViews(states []*node) *naive.Model {
	ids, twin := w.everyID(), naive.New(standardRules, w.merged())
	members := w.members()
	lost := slices.DeleteFunc(slices.Clone(members), func(nd *node) bool { return !nd.lost })
	named := map[string][]value{}
	for _, of := range states {
		of.read(func(_ *store.Tx, s *dit.State) error {
			clear(named)
			for _, id := range ids {
				w.goOn()
				shown, err := compareView(s, twin, id, members)
				if err != nil {
					return err
				}
				if len(lost) == 0 || shown == nil {
					continue
				}
				if name, ok, err := s.DN(id); err != nil {
					return err
				} else if ok {
					named[name.Key(standard)] = flat(shown.Attrs)
				}
			}
			return w.compareJournal(twin, s)
		})
	}
	for _, nd := range lost {
		nd.compareNames(named)
	}
	checkDIT(twin.Shown)
	return twin
}

// compareView compares the view of an entry with the twin, and the entry in the
// directory of every member with it. It returns the view.
func compareView(s *dit.State, twin *naive.Model, id changelog.ID, members []*node) (*dit.Shown, error) {
	shown, err := s.View(id)
	if err != nil {
		return nil, err
	}
	compareTwin(twin, id, shown)
	for _, nd := range members {
		if !nd.lost {
			nd.compareEntry(id, shown)
		}
	}
	return shown, nil
}

// everyID returns every entry there was.
func (w *world) everyID() []changelog.ID {
	all := map[changelog.ID]bool{}
	for _, c := range w.made {
		all[c.ID] = true
	}
	for _, nd := range w.members() {
		for _, id := range nd.server.IDs() {
			all[id] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), changelog.ID.Compare)
}

func (w *world) judgeNode(nd *node) {
	if nd.rep == nil || nd.rep.Fault() != "" || !nd.rep.Identity().Joined {
		fail("fault", "%s does not take part: %s", nd.name, w.unfinished())
	}
	for id, p := range nd.watched.pending {
		if nd.watched.mayNeverHaveBeen(id) || nd.watched.neverWas(id) || p.base.differs(p.writes[len(p.writes)-1].state) == "" {
			continue
		}
		if p.known == len(p.writes) && (p.onlyStamped() || nd.watched.nothingToRecord(id, p) || nd.watched.leads(id, p, nil) == "") {
			continue
		}
		fail("lost", "%s has not recorded what a client did to %s: %s; last change %s", nd.name, short(id),
			p.base.differs(p.writes[len(p.writes)-1].state), p.writes[len(p.writes)-1].csn)
	}
	for key, m := range w.made {
		if !m.lost && key.seq > nd.vector[key.sid].Seq {
			fail("diverged", "%s lacks change %d/%d: %s", nd.name, key.sid, key.seq, w.unfinished())
		}
	}
	st, err := nd.rep.Status()
	if err != nil {
		fail("store", "%v", err)
	}
	if st.ParkedCount+st.Apply+st.Publish+st.Withheld > 0 {
		fail("unfinished", "%s", w.unfinished())
	}
	w.judgeMembers(nd, st)
	nd.readStore(func(t *store.Tx) error {
		if t.IntentCount() > 0 || t.DelayedCount() > 0 {
			fail("unfinished", "%s has %d intents and %d delayed entries left", nd.name, t.IntentCount(), t.DelayedCount())
		}
		return nil
	})
}

// read runs fn on the state of nd.
func (nd *node) read(fn func(*store.Tx, *dit.State) error) {
	nd.readStore(func(t *store.Tx) error { return fn(t, dit.Open(t.KV(), nd.rules)) })
}

// compareEntry compares an entry of the directory with its view.
func (nd *node) compareEntry(id changelog.ID, shown *dit.Shown) {
	e := nd.server.Entry(id)
	switch {
	case e == nil && shown == nil:
		return
	case e == nil || shown == nil:
		fail("view", "%s: entry %s: shown %v, in the directory %v", nd.name, short(id), shown != nil, e != nil)
	}
	if parent := nd.server.Parent(id); parent != shown.Parent || !bears(e, shown.RDN.String()) {
		fail("view", "%s: entry %s is shown as %s below %s and stands in the directory as %s below %s", nd.name, short(id),
			shown.RDN, short(shown.Parent), rdnOf(e), short(parent))
	}
	if reordered(e.Attrs, shown.Attrs) {
		return
	}
	if have, want := flat(e.Attrs), flat(shown.Attrs); !slices.Equal(have, want) {
		fail("view", "%s: entry %s: view and directory:\n  %q\n  %q", nd.name, short(id), want, have)
	}
}

// reordered reports whether the attributes of an entry, each of which stands there
// once, are some others, to the octet, in any order.
func reordered(entry, others []directory.Attribute) bool {
	return len(entry) == len(others) &&
		!slices.ContainsFunc(entry, func(a directory.Attribute) bool { return !slices.ContainsFunc(others, a.Equal) })
}

// bears reports whether an entry has a name, as that is printed.
func bears(e *directory.Entry, rdn string) bool {
	rest, begins := strings.CutPrefix(e.DN, rdn)
	return begins && (rest == "" || rest[0] == ',') || rdnOf(e).String() == rdn
}

// value is one value of an attribute with that one's canonical name.
type value struct{ attr, text string }

func (v value) compare(o value) int {
	if c := strings.Compare(v.attr, o.attr); c != 0 {
		return c
	}
	return strings.Compare(v.text, o.text)
}

// flat returns the values of attributes, sorted.
func flat(attrs []directory.Attribute) []value {
	out := make([]value, 0, 2*len(attrs))
	for _, a := range attrs {
		name := standard.Canonical(a.Name)
		for _, v := range a.Values {
			out = append(out, value{name, v})
		}
	}
	slices.SortFunc(out, value.compare)
	return out
}

// dump is a replicated state, octet for octet: its keys, each with its value.
type dump [][2][]byte

// dump returns the replicated state of nd.
func (nd *node) dump() (d dump) {
	nd.readStore(func(t *store.Tx) error {
		d = dumpKV(t.KV())
		return nil
	})
	return d
}

// holds reports whether the replicated state of nd is d.
func (nd *node) holds(d dump) (same bool) {
	nd.readStore(func(t *store.Tx) error {
		same = d.is(t.KV())
		return nil
	})
	return same
}

func dumpKV(kv dit.KV) dump {
	d := make(dump, 0, 128)
	kv.Scan(nil, nil, func(k, v []byte) bool {
		if !dit.Bookkeeping(k) {
			d = append(d, [2][]byte{k, v})
		}
		return true
	})
	return d
}

// is reports whether d is what dumpKV returns of kv.
func (d dump) is(kv dit.KV) bool {
	rest, same := d, true
	kv.Scan(nil, nil, func(k, v []byte) bool {
		if !dit.Bookkeeping(k) {
			if same = len(rest) > 0 && bytes.Equal(rest[0][0], k) && bytes.Equal(rest[0][1], v); same {
				rest = rest[1:]
			}
		}
		return same
	})
	return same && len(rest) == 0
}

// size returns how many octets there are.
func (d dump) size() (n int) {
	for _, pair := range d {
		n += len(pair[0]) + len(pair[1])
	}
	return n
}

// judgeNaive merges all changes into an empty state, in another order, and
// expects the same.
func (w *world) judgeNaive(want dump) {
	kv := dit.NewMemory()
	s := dit.Open(kv, standardRules.Apart())
	keys := slices.SortedFunc(maps.Keys(w.made), func(a, b changeKey) int {
		return int(a.sid)<<32 + int(a.seq) - int(b.sid)<<32 - int(b.seq)
	})
	w.rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, key := range keys {
		w.goOn()
		if w.made[key].lost {
			continue
		}
		if _, err := s.Merge(w.made[key].Change); err != nil {
			fail("merge", "%v", err)
		}
	}
	if !want.is(kv) {
		fail("diverged", "the changes in another order give another state")
	}
}
