package simulate

import (
	"cmp"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
	"ldapsync/dn"
)

// fates holds what became of the changes of one entry, to show that none was
// lost in silence: what a client wrote is shown, or was overwritten by somebody
// who knew it, or there is a record of it. It asks neither dit nor its twin how
// they came to what they show.
type fates struct {
	id      changelog.ID
	changes []*changelog.Change // by CSN
	shown   *dit.Shown
	records []dit.Record
	death   *changelog.Change // the newest deletion, when nothing newer undid it
	rules   map[Rule]int      // to be counted
}

// judgeFates looks at what became of every change that was merged.
func (w *world) judgeFates(twin *naive.Model) {
	changes := w.merged()
	byEntry := map[changelog.ID]*fates{}
	byCSN := make(map[changelog.CSN]*changelog.Change, len(changes))
	for _, c := range changes {
		byCSN[c.CSN] = c
		f := byEntry[c.ID]
		if f == nil {
			f = &fates{id: c.ID, shown: twin.Shown[c.ID], records: twin.Records[c.ID], rules: w.stats.Rules}
			byEntry[c.ID] = f
		}
		f.changes = append(f.changes, c)
	}
	for _, f := range byEntry {
		w.goOn()
		if !f.id.IsZero() {
			f.judge()
		}
	}
	for id, records := range twin.Records {
		for _, r := range records {
			w.stats.Journal[string(r.Kind)]++
			if w.cfg.Profile == Calm {
				fail("journal", "nothing was concurrent and there is a record: %+v", r)
			}
			judgeRecord(id, r, byCSN)
		}
	}
}

// merged returns the changes that count, in no order.
func (w *world) merged() []*changelog.Change {
	changes := make([]*changelog.Change, 0, len(w.made))
	for _, m := range w.made {
		if !m.lost {
			changes = append(changes, m.Change)
		}
	}
	return counted(changes)
}

// counted returns, in the place of changes, those that count: those of a deleted
// entry do not that somebody has forgotten who adds it again.
func counted(changes []*changelog.Change) []*changelog.Change {
	again := map[changelog.ID]*changelog.Change{}
	for _, c := range changes {
		if c.Op == changelog.OpDelete {
			if last := addedAgain(changes, c); last != nil {
				again[c.ID] = last
			}
		}
	}
	if len(again) == 0 {
		return changes
	}
	forgotten := lastMoves(changes, again)
	before := naive.New(standardRules, changes)
	for i, c := range changes {
		if c.Moved && !forgotten.Before(c.CSN) && before.Skipped(c) {
			still := *c
			still.Moved = false
			changes[i] = &still
		}
	}
	return slices.DeleteFunc(changes, func(c *changelog.Change) bool {
		last := again[c.ID]
		return last != nil && last != c && knew(last, c)
	})
}

// lastMoves returns the CSN of the last move of, or below, an entry before it was added
// again: an entry is forgotten only after all moves up to then are.
func lastMoves(changes []*changelog.Change, again map[changelog.ID]*changelog.Change) (at changelog.CSN) {
	for _, c := range changes {
		if !c.Moved {
			continue
		}
		for _, id := range []changelog.ID{c.ID, c.Superior} {
			if last := again[id]; last != nil && knew(last, c) && at.Before(c.CSN) {
				at = c.CSN
			}
		}
	}
	return at
}

// addedAgain returns the last addition of an entry by who knew of its deletion, nil
// for none.
func addedAgain(changes []*changelog.Change, deletion *changelog.Change) (last *changelog.Change) {
	for _, c := range changes {
		if c.ID != deletion.ID || c.Op != changelog.OpAdd || !knew(c, deletion) {
			continue
		}
		if last == nil || last.CSN.Before(c.CSN) {
			last = c
		}
	}
	return last
}

// judgeRecord checks that who won did not know who lost: then it would not have
// been a conflict.
func judgeRecord(id changelog.ID, r dit.Record, byCSN map[changelog.CSN]*changelog.Change) {
	lost, won := byCSN[r.Lost.CSN], byCSN[r.Won.CSN]
	if !r.Lost.CSN.IsZero() && (lost == nil || lost.ID != id) {
		fail("journal", "a record about %s is of no change to it: %+v", short(id), r)
	}
	switch r.Kind {
	case dit.ValueSuperseded, dit.RenameSuperseded, dit.MoveSuperseded, dit.ChangeOnDeleted, dit.DeleteSuperseded:
		if won == nil || knew(won, lost) {
			fail("journal", "who won knew what lost: %+v", r)
		}
	}
}

// knew reports whether the author of c had o when it made c.
func knew(c, o *changelog.Change) bool {
	if c.SID() == o.SID() {
		return o.Seq < c.Seq
	}
	return c.Seen.Covers(o.SID(), o.Seq)
}

func (f *fates) judge() {
	slices.SortFunc(f.changes, func(a, b *changelog.Change) int { return a.CSN.Compare(b.CSN) })
	created := false
	for i, c := range f.changes {
		f.inOrder(i, c)
		created = created || c.Op == changelog.OpAdd
		switch {
		case c.Op == changelog.OpDelete:
			f.death = c
		case c.Undelete:
			if f.death != nil {
				f.rules[Restored]++
			}
			f.death = nil
		}
	}
	if created && f.death == nil && f.shown == nil {
		fail("lost", "entry %s lives and is not shown", short(f.id))
	}
	values := done{map[element]string{}, map[string]bool{}}
	named := false
	var place *changelog.ID // in force
	for i, c := range slices.Backward(f.changes) {
		f.life(i, c)
		if c.RDN != "" {
			f.register(i, c, "name", !named && f.isCalled(c), isNaming, dit.RenameSuperseded)
			named = true
		}
		if c.Op == changelog.OpAdd || c.Moved {
			skipped := f.recorded(c, dit.MoveSkipped)
			if place == nil && !skipped {
				place = &c.Superior
			}
			f.register(i, c, "place", place != nil && *place == c.Superior, isMove, dit.MoveSuperseded, dit.MoveSkipped)
		}
		f.values(i, c, values)
	}
	if f.shown != nil && place != nil && f.shown.Parent != *place {
		f.rules[Merged]++
	}
}

// recorded reports whether there is a record that c lost.
func (f *fates) recorded(c *changelog.Change, kinds ...dit.Kind) bool {
	return slices.ContainsFunc(f.records, func(r dit.Record) bool { return r.Lost.CSN == c.CSN && slices.Contains(kinds, r.Kind) })
}

// dead reports whether c is part of an entry that was deleted by somebody who
// knew it, or with a record.
func (f *fates) dead(c *changelog.Change) bool {
	return f.death != nil && f.death != c && (knew(f.death, c) || f.recorded(c, dit.ChangeOnDeleted))
}

// overwritten reports whether a later change that knew change i did what does
// says.
func (f *fates) overwritten(i int, does func(*changelog.Change) bool) bool {
	return slices.ContainsFunc(f.changes[i+1:], func(c *changelog.Change) bool { return does(c) && knew(c, f.changes[i]) })
}

// inOrder checks that change i comes after all that its author knew of the entry. What
// was written in it may be gone there, replaced by what the author did not know.
func (f *fates) inOrder(i int, c *changelog.Change) {
	replaced := false
	for _, o := range slices.Backward(f.changes[i+1:]) {
		if knew(c, o) && (!replaced || isNaming(o) || isMove(o)) {
			fail("order", "%s comes before what its author knew: %s", showChange(c), showChange(o))
		}
		replaced = replaced || o.SID() != c.SID() && !knew(c, o)
	}
}

func isNaming(c *changelog.Change) bool { return c.RDN != "" }

// isMove includes an addition: one that returns may add again what it knows and
// nobody shows yet, as its time has not come.
func isMove(c *changelog.Change) bool { return c.Moved || c.Op == changelog.OpAdd }

func isDelete(c *changelog.Change) bool { return c.Op == changelog.OpDelete }

func isUndelete(c *changelog.Change) bool { return c.Undelete }

// life judges a deletion or a restoration. Of several deletions at the same time
// the newest speaks for all.
func (f *fates) life(i int, c *changelog.Change) {
	switch {
	case isDelete(c):
		later := slices.ContainsFunc(f.changes[i+1:], isDelete)
		if f.death == nil && !later && !f.overwritten(i, isUndelete) && !f.recorded(c, dit.DeleteSuperseded) {
			f.lost(c, "the deletion")
		}
	case c.Undelete && f.death != nil && !f.dead(c) && !slices.ContainsFunc(f.changes[i+1:], isUndelete):
		f.lost(c, "the restoration")
	}
}

// register judges a name or a place.
func (f *fates) register(i int, c *changelog.Change, what string, inForce bool, overwrites func(*changelog.Change) bool, kinds ...dit.Kind) {
	if !inForce && !f.dead(c) && !f.overwritten(i, overwrites) && !f.recorded(c, kinds...) {
		f.lost(c, "the "+what)
	}
}

// isCalled reports whether the entry is shown under the name that c gives.
func (f *fates) isCalled(c *changelog.Change) bool {
	if f.shown == nil {
		return f.death != nil
	}
	if f.shown.Parent.IsZero() {
		return true
	}
	return unmarked(f.shown.RDN).Equal(unmarked(mustRDN(c.RDN)), standard)
}

func (f *fates) lost(c *changelog.Change, what string) {
	var all strings.Builder
	for _, o := range f.changes {
		all.WriteString("\n  " + showChange(o))
	}
	fail("lost", "%s of %s is neither shown, nor knowingly overwritten, nor recorded: %s; all changes of the entry:%s\n  shown %s\n  records %+v",
		what, short(f.id), showChange(c), all.String(), showView(f.shown), f.records)
}

// values judges what a change did to values, the newest change first: done is what
// newer changes did.
func (f *fates) values(i int, c *changelog.Change, done done) {
	adds, dels := effects(c)
	for _, v := range adds {
		if spelled, ok := done.to(v); ok { // a newer addition speaks for it
			if spelled != v.raw {
				f.rules[SpelledAlike]++
			}
			continue
		}
		if done.attrs[v.attr] && f.shown != nil && standard.SingleValue(v.attr) {
			f.rules[Single]++
		}
		done.note(v)
		if !f.has(v) && !f.dead(c) && !f.overwritten(i, func(o *changelog.Change) bool { return f.removes(o, v) }) && !f.valueRecorded(c, v) {
			f.lost(c, "the value "+v.attr+"="+v.norm)
		}
	}
	if f.shown == nil || f.death != nil {
		return
	}
	for _, v := range dels {
		if _, ok := done.to(v); ok || !f.has(v) {
			continue
		}
		if !f.forced(v) {
			f.lost(c, "the removal of "+v.attr+"="+v.norm)
		}
		f.rules[NameForced]++
	}
}

// element is one value of one attribute.
type element struct{ attr, norm, raw string }

// done is what changes added: how each value was spelled, without which it is the key,
// and of which attributes.
type done struct {
	spelled map[element]string
	attrs   map[string]bool
}

func (d done) note(v element) {
	d.spelled[element{attr: v.attr, norm: v.norm}], d.attrs[v.attr] = v.raw, true
}

// to returns how a value was spelled; false when it was not added.
func (d done) to(v element) (spelled string, ok bool) {
	spelled, ok = d.spelled[element{attr: v.attr, norm: v.norm}]
	return spelled, ok
}

func (v element) equal(o element) bool { return v.attr == o.attr && v.norm == o.norm }

// effects returns the values that c added and those that it removed and did not
// add.
func effects(c *changelog.Change) (adds, dels []element) {
	adds = make([]element, 0, len(c.Mods)+1)
	for _, m := range c.Mods {
		attr := standard.Canonical(m.Attr)
		if t := standard.Attribute(attr); isMark(m.Attr) || t != nil && t.Operational {
			continue
		}
		for _, raw := range m.Values {
			if attr == "objectclass" && strings.EqualFold(raw, "ldapsyncConflict") {
				continue
			}
			v := element{attr, standard.Normalise(attr, raw), raw}
			if m.Op == changelog.ModDelete {
				dels = append(dels, v)
			} else {
				adds = append(adds, v)
			}
		}
	}
	if c.Op == changelog.OpModDN && c.RDN != "" {
		adds = append(adds, naming(c)...)
	}
	return adds, slices.DeleteFunc(dels, func(v element) bool { return slices.ContainsFunc(adds, v.equal) })
}

// naming returns the values of the name that c gives.
func naming(c *changelog.Change) []element {
	var out []element
	for _, a := range unmarked(mustRDN(c.RDN)) {
		attr := standard.Canonical(a.Attr)
		out = append(out, element{attr, standard.Normalise(attr, a.Value), a.Value})
	}
	return out
}

// has reports whether a value is shown.
func (f *fates) has(v element) bool {
	return f.shown != nil && slices.ContainsFunc(shownValues(f.shown, v.attr), func(raw string) bool { return standard.Normalise(v.attr, raw) == v.norm })
}

// forced reports whether a value is shown though it was removed, as its entry
// cannot do without.
func (f *fates) forced(v element) bool {
	return hasAVA(f.shown.RDN, v) || slices.ContainsFunc(f.records, func(r dit.Record) bool { return r.Kind == dit.MustRepaired && r.Attribute == v.attr })
}

func hasAVA(rdn dn.RDN, v element) bool {
	return slices.ContainsFunc(rdn, func(a dn.AVA) bool {
		return standard.Canonical(a.Attr) == v.attr && standard.Normalise(v.attr, a.Value) == v.norm
	})
}

// removes reports whether c takes a value away.
func (f *fates) removes(c *changelog.Change, v element) bool {
	register := standard.SingleValue(v.attr) || !standard.HasEquality(v.attr)
	for _, m := range c.Mods {
		if standard.Canonical(m.Attr) != v.attr {
			continue
		}
		equal := slices.ContainsFunc(m.Values, func(raw string) bool { return standard.Normalise(v.attr, raw) == v.norm })
		switch m.Op {
		case changelog.ModReplace:
			return true
		case changelog.ModDelete:
			if equal {
				return true
			}
		default:
			if register {
				return true
			}
		}
	}
	if c.Op != changelog.OpModDN || c.RDN == "" {
		return false
	}
	if register && slices.ContainsFunc(naming(c), func(o element) bool { return o.attr == v.attr }) {
		return true
	}
	deleted := c.DeleteOldRDN && slices.ContainsFunc(f.changes, func(o *changelog.Change) bool {
		return o.RDN != "" && o.CSN.Before(c.CSN) && slices.ContainsFunc(naming(o), v.equal)
	})
	if deleted {
		f.rules[NameDeleted]++
	}
	return deleted
}

// valueRecorded reports whether there is a record about a value that c added.
func (f *fates) valueRecorded(c *changelog.Change, v element) bool {
	return slices.ContainsFunc(f.records, func(r dit.Record) bool {
		lost := r.Kind == dit.ValueSuperseded || r.Kind == dit.HiddenNoClass
		return lost && r.Attribute == v.attr && r.Lost.CSN == c.CSN && cmp.Or(standard.Normalise(v.attr, r.Lost.Value), v.norm) == v.norm
	})
}
