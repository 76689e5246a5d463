package simulate

import (
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/store"
)

// watched follows what the clients of a directory write until the replica has
// made changes of it, and checks that these say what the clients did: no more,
// since then the replica would echo what it wrote itself, and no less.
type watched struct {
	nd      *node
	pending map[changelog.ID]*pending
	// reported are the entries of which the present search has told.
	reported map[changelog.ID]bool
	// otherwise holds, for entries to which the replica does not know whether it
	// wrote, what they would be in the other case. Until it is told, it cannot
	// always tell what a client did there from what it may have done itself.
	otherwise map[changelog.ID]snapshot
	// doubted are the states that the intents were to leave which otherwise is about.
	doubted map[changelog.ID]snapshot
	// batch holds what the entries of the last batch were before it and after.
	batch map[changelog.ID]turn
	// denied are the entries of which the replica has seen what clients did
	// when the server was not allowed to write. Until it is undone, what others
	// do afterwards may need it: then it is recorded after all.
	denied map[changelog.ID]bool
	// same holds the entryCSNs of what clients wrote that left an entry as it was, but
	// perhaps for a mark in its name: to take that away gives the entry its name anew.
	// The replica may look at it only when it knows what the entry is below.
	same map[changelog.ID]changelog.CSN
}

// pending is an entry that clients wrote to and of which the replica has not
// yet recorded all.
type pending struct {
	// base is what the entry was before, or as last recorded.
	base   snapshot
	writes []write
	// known counts the writes that the directory has reported.
	known int
	// searched counts those that the present search began after.
	searched int
}

// turn is what the replica's writes of one batch made of an entry.
type turn struct{ before, after snapshot }

// write is what a client's write left.
type write struct {
	csn   changelog.CSN // zero for a delete
	state snapshot
}

// last returns the state reported last.
func (p *pending) last() snapshot { return p.writes[p.known-1].state }

func newWatched(nd *node) watched {
	return watched{
		nd: nd, pending: map[changelog.ID]*pending{}, reported: map[changelog.ID]bool{}, otherwise: map[changelog.ID]snapshot{},
		doubted: map[changelog.ID]snapshot{}, batch: map[changelog.ID]turn{}, denied: map[changelog.ID]bool{},
		same: map[changelog.ID]changelog.CSN{},
	}
}

// beginSearch notes what a search that begins now will tell of.
func (v *watched) beginSearch() {
	clear(v.reported)
	for _, p := range v.pending {
		p.searched, p.known = len(p.writes), 0
	}
}

func (v *watched) endSearch() { clear(v.reported) }

// written notes a client's write.
func (v *watched) written(id changelog.ID, before snapshot) {
	if v.nd.lost {
		return
	}
	p := v.pending[id]
	if p == nil {
		p = &pending{base: before}
		v.pending[id] = p
	}
	wr := write{state: v.nd.snapshot(id)}
	if e := v.nd.server.Entry(id); e != nil {
		wr.csn = e.CSN
	}
	p.writes = append(p.writes, wr)
}

// applied checks a transaction of the replica that the directory made.
func (v *watched) applied(writes []directory.Write) {
	if v.nd.lost {
		return
	}
	for _, w := range writes {
		if v.mayNeverHaveBeen(w.ID) { // it is there anew: what clients do now goes on from that
			v.nd.w.stats.Ambiguous++
			delete(v.pending, w.ID)
			delete(v.otherwise, w.ID)
			continue
		}
		if p := v.pending[w.ID]; p != nil {
			p.known = len(p.writes)
			if p.onlyStamped() || v.leads(w.ID, p, nil) == "" {
				v.settle(w.ID, p)
			}
		}
		delete(v.otherwise, w.ID)
		if p := v.pending[w.ID]; p != nil {
			fail("overwritten", "%s wrote to %s without knowing what a client did there: %s", v.nd.name, w.ID, show(w))
		}
	}
}

// captured checks what the replica made of reports; own changes up to before
// it had made earlier.
func (v *watched) captured(events []directory.Event, before uint64) {
	if v.nd.lost {
		return
	}
	for _, e := range events {
		v.event(e)
	}
	authored := map[changelog.ID][]*changelog.Change{}
	var order []changelog.ID
	for _, c := range v.nd.ownAfter(before) {
		if authored[c.ID] == nil {
			order = append(order, c.ID)
		}
		authored[c.ID] = append(authored[c.ID], c)
	}
	for _, id := range order {
		v.record(id, authored[id])
	}
	for id, p := range v.pending {
		if p.known == 0 || authored[id] != nil {
			continue
		}
		if n := v.deniedOf(id, p); n > 0 {
			later := p.known - n // reported, and not looked at yet
			p.known, v.denied[id] = n, true
			v.settle(id, p)
			p.known = later
		} else if !v.nd.dead && v.nothingToRecord(id, p) {
			// It is still there, though a client wrote it once more as it was: what
			// others do below it may need it.
			v.denied[id] = v.denied[id] && !p.last().gone
			v.same[id] = p.writes[p.known-1].csn
			v.settle(id, p)
		}
	}
}

// doubt notes of which entries the replica does not know whether it wrote.
func (v *watched) doubt() {
	if v.nd.lost {
		return
	}
	v.nd.readStore(func(t *store.Tx) error {
		for _, id := range t.IntentsAfter(changelog.ID{}, 1000) {
			in, err := t.Intent(id)
			if err != nil {
				return err
			}
			wanted := snapshotOfImage(&in.Image)
			made, inBatch := v.batch[id]
			_, known := v.otherwise[id]
			known = known && v.doubted[id].differs(wanted) == ""
			image, err := t.Image(id)
			if err != nil {
				return err
			}
			if !known && (image == nil || image.Gone) && v.mayNeverHaveBeen(id) { // it has decided that it never was
				v.nd.w.stats.Ambiguous++
				delete(v.pending, id)
			}
			switch {
			case known:
			case inBatch && made.after.unstamped().at(wanted.parent).differs(wanted.unstamped()) == "":
				v.otherwise[id] = made.before
			default: // a write that it had not made yet
				v.otherwise[id] = wanted
			}
			v.doubted[id] = wanted
		}
		return nil
	})
	clear(v.batch)
}

// mayNeverHaveBeen reports whether clients deleted an entry of which the replica
// does not know whether it had added it.
func (v *watched) mayNeverHaveBeen(id changelog.ID) bool {
	p := v.pending[id]
	return p != nil && v.otherwise[id].gone && p.writes[len(p.writes)-1].state.gone
}

// neverWas reports whether clients deleted an entry that they had not been allowed to
// add, and the replica knows: it may have died when it had stored that, of which there
// is no change, and is not told again.
func (v *watched) neverWas(id changelog.ID) (gone bool) {
	p := v.pending[id]
	if !v.denied[id] || !p.writes[len(p.writes)-1].state.gone {
		return false
	}
	v.nd.read(func(t *store.Tx, s *dit.State) error {
		life, err := s.Life(id)
		if err != nil {
			return err
		}
		m, err := t.Image(id)
		gone = life == dit.Unborn && (m == nil || m.Gone)
		return err
	})
	return gone
}

// onlyStamped reports whether clients changed no more than who wrote last and
// when, which is not recorded while the replica's own rename is unstamped.
func (p *pending) onlyStamped() bool {
	return p.base.unstamped().differs(p.last().unstamped()) == ""
}

// nothingToRecord reports whether the replica need not make a change of what
// clients did to an entry.
func (v *watched) nothingToRecord(id changelog.ID, p *pending) bool {
	if other, doubt := v.otherwise[id]; doubt && other.differs(p.last()) == "" && v.nd.knows(id, p.last()) {
		v.nd.w.stats.Ambiguous++
		return true // to the second what a write without an answer was to leave
	}
	return p.base.differs(p.last()) == "" || v.nd.denied(id, p.last()) || p.last().gone && (v.denied[id] || v.nd.isDead(id))
}

// leads says in what the result of changes differs from what clients left.
func (v *watched) leads(id changelog.ID, p *pending, changes []*changelog.Change) string {
	after := func(s snapshot) snapshot { return s.afterAll(changes) }
	d := after(p.base).differs(p.last())
	if base, ok := v.otherwise[id]; ok && d != "" && after(base).unstamped().differs(p.last().unstamped()) == "" {
		v.nd.w.stats.Ambiguous++
		return ""
	}
	if _, doubt := v.otherwise[id]; doubt && d != "" && after(v.doubted[id]).unstamped().differs(p.last().unstamped()) == "" {
		v.nd.w.stats.Ambiguous++
		return "" // it stands where a write without an answer was to put it, and had led elsewhere
	}
	if d != "" && slices.ContainsFunc(p.writes[:p.known-1], func(wr write) bool {
		return p.base.unstamped().differs(wr.state.unstamped()) == "" && after(wr.state).differs(p.last()) == ""
	}) {
		v.nd.w.stats.Ambiguous++
		return "" // up to there clients changed only stamps, see onlyStamped
	}
	return d
}

func (v *watched) event(e directory.Event) {
	switch e.Kind {
	case directory.State:
		v.reported[e.Entry.ID] = true
		if p := v.pending[e.Entry.ID]; p != nil {
			p.report(e.Entry.CSN)
		}
	case directory.Present:
		for _, id := range e.IDs {
			v.reported[id] = true
		}
	case directory.Gone:
		for _, id := range e.IDs {
			v.gone(id)
		}
	case directory.RefreshEnd:
		for id, p := range v.pending {
			if e.Complete && !v.reported[id] && p.searched > 0 && p.writes[p.searched-1].state.gone {
				p.known = max(p.known, p.searched)
			}
		}
	}
}

func (v *watched) gone(id changelog.ID) {
	if p := v.pending[id]; p != nil {
		p.report(changelog.CSN{})
	}
}

// report notes that the directory told of the write that left csn.
func (p *pending) report(csn changelog.CSN) {
	for i, wr := range p.writes {
		if wr.csn == csn {
			p.known = max(p.known, i+1)
		}
	}
}

// record checks the changes of one entry.
func (v *watched) record(id changelog.ID, changes []*changelog.Change) {
	p := v.pending[id]
	told, d := p != nil && p.known > 0, ""
	if told {
		if d = v.reach(id, p, changes); d == "" {
			v.settle(id, p)
			return
		}
	}
	switch {
	case v.recordsDenied(id, p, changes):
		delete(v.denied, id)
	case !told && v.namedAgain(id, changes):
	case !told && (v.ledElsewhere(id, changes) || v.isOldNews()):
		v.nd.w.stats.Ambiguous++
	case !told:
		fail("invented", "%s made a change though no client did anything: %s", v.nd.name, showChange(changes[0]))
	default:
		list := ""
		for _, c := range changes {
			list += "\n  " + showChange(c)
		}
		fail("recorded", "%s: the changes lead elsewhere than the client did (changes and directory): %s%s", v.nd.name, d, list)
	}
}

// namedAgain reports whether changes say no more than the name that a client gave an
// entry which had it already, with a mark, or where it is: a client that moved it there
// may have left the same.
func (v *watched) namedAgain(id changelog.ID, changes []*changelog.Change) bool {
	e, now := v.nd.server.Entry(id), v.nd.snapshot(id)
	return e != nil && e.CSN == v.same[id] && len(changes) == 1 && changes[0].Op == changelog.OpModDN &&
		now.after(changes[0]).differs(now) == ""
}

// ledElsewhere reports whether changes say no more than where an entry is which a write
// of the replica's, without an answer, has put below another's name than it meant. One
// that is answered without its entryCSN is a doubt only where it stands as a client
// might have left it at that moment.
func (v *watched) ledElsewhere(id changelog.ID, changes []*changelog.Change) bool {
	if len(changes) != 1 || !changes[0].Moved {
		return false
	}
	now := v.nd.snapshot(id)
	leads := func(s snapshot) bool { return !s.gone && s.after(changes[0]).differs(now) == "" }
	if _, doubt := v.otherwise[id]; doubt {
		return leads(v.doubted[id])
	}
	return !v.nd.w.tells() && v.nd.stampedThen(id) && leads(now)
}

// isOldNews reports whether a report may be of a state before the one that the replica has
// read, and be taken for newer: a directory that does not tell which entryCSNs its writes
// gave had its clock set back.
func (v *watched) isOldNews() bool { return v.nd.setBack && !v.nd.w.tells() }

// reach is leads, with the writes known up to which the changes lead: if the replica
// died on the way, there may be more of them.
func (v *watched) reach(id changelog.ID, p *pending, changes []*changelog.Change) string {
	bases := []snapshot{p.base}
	if other, ok := v.otherwise[id]; ok {
		bases = append(bases, other)
	}
	exactly := func() bool {
		return slices.ContainsFunc(bases, func(s snapshot) bool { return s.afterAll(changes).differs(p.last()) == "" })
	}
	if v.nd.dead && p.upTo(exactly) {
		return ""
	}
	d := v.leads(id, p, changes)
	if v.nd.dead && d != "" && p.upTo(func() bool { return v.leads(id, p, changes) == "" }) {
		return ""
	}
	return d
}

// upTo takes the last of the known writes for unknown until ok says yes; where it
// never does, all stay known.
func (p *pending) upTo(ok func() bool) bool {
	all := p.known
	for ; p.known > 0; p.known-- {
		if ok() {
			return true
		}
	}
	p.known = all
	return false
}

// recordsDenied reports whether the changes of an entry are no more than the
// addition, after all, of what clients added when the server was not allowed to
// write.
func (v *watched) recordsDenied(id changelog.ID, p *pending, changes []*changelog.Change) bool {
	if !v.denied[id] || len(changes) != 1 || changes[0].Op != changelog.OpAdd {
		return false
	}
	left := v.nd.snapshot(id)
	if p != nil {
		left = p.base
	}
	return snapshot{}.after(changes[0]).unstamped().differs(left.unstamped()) == ""
}

// settle takes the writes reported so far as recorded.
func (v *watched) settle(id changelog.ID, p *pending) {
	delete(v.otherwise, id)
	p.searched = max(p.searched-p.known, 0)
	p.base, p.writes, p.known = p.last(), p.writes[p.known:], 0
	if len(p.writes) == 0 {
		delete(v.pending, id)
	}
}

// ownAfter returns the changes of nd itself that its log holds beyond seq.
func (nd *node) ownAfter(seq uint64) (list []*changelog.Change) {
	if nd.logged() == seq {
		return nil
	}
	nd.readLog(func(l *changelog.Log) error {
		return l.After(nd.sid(), seq, func(c *changelog.Change) bool {
			list = append(list, c)
			return true
		})
	})
	return list
}

// isDead reports whether the state of nd holds an entry for deleted: then it may
// have taken a client's delete for one of its own whose outcome it did not know.
func (nd *node) isDead(id changelog.ID) (dead bool) {
	nd.read(func(_ *store.Tx, s *dit.State) error {
		life, err := s.Life(id)
		dead = life == dit.Deleted
		return err
	})
	return dead
}

// deniedOf returns how many of the writes that the directory has reported the
// replica has seen and will put back: it may have died before the last.
func (v *watched) deniedOf(id changelog.ID, p *pending) int {
	for n := p.known; n > 0; n-- {
		if v.nd.denied(id, p.writes[n-1].state) {
			return n
		}
	}
	return 0
}

// denied reports whether the replica has seen that clients left an entry like
// this, and will put it back, as the server may not write.
func (nd *node) denied(id changelog.ID, last snapshot) bool {
	return nd.denies() && nd.knows(id, last)
}

// knows reports whether the replica has seen that an entry is like this.
func (nd *node) knows(id changelog.ID, last snapshot) (seen bool) {
	nd.readStore(func(t *store.Tx) error {
		image, err := t.Image(id)
		if err != nil {
			return err
		}
		in, err := t.Intent(id)
		if err == nil {
			seen = image == nil && in == nil && last.gone || image != nil && snapshotOfImage(image).differs(last) == ""
		}
		return err
	})
	return seen
}

// denies reports whether what clients of nd write is put back.
func (nd *node) denies() bool { return nd.rep != nil && !nd.rep.Role().Writes() }
