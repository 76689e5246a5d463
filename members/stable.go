package members

import (
	"slices"

	"ldapsync/changelog"
)

// Stable is how far everybody is. A change is stable when it is within Seqs and
// its CSN before CSN: then it is in the directory of every member, so that every
// change still to come to an entry has been made knowing the stable ones to
// that entry, and is later than every stable one to any.
type Stable struct {
	Seqs changelog.Seqs
	// CSN is the oldest of the heartbeats that count, zero as long as some
	// member has none.
	CSN changelog.CSN
	// Holding is the member whose heartbeat that is, or the first that has none;
	// 0 when there are no members.
	Holding changelog.SID
}

// Covers reports whether a change is stable.
func (s Stable) Covers(csn changelog.CSN, seq uint64) bool {
	return csn.Before(s.CSN) && s.Seqs.Covers(csn.SID, seq)
}

// Stable returns how far everybody is, as those know who have stored v.
func (t *Table) Stable(v changelog.Vector) (Stable, error) {
	all, err := t.present(v)
	if err != nil {
		return Stable{}, err
	}
	var s Stable
	for i, p := range all {
		if p.beat == nil {
			return Stable{Seqs: changelog.Seqs{}, Holding: p.sid}, nil
		}
		if i == 0 || p.beat.CSN.Before(s.CSN) {
			s.CSN, s.Holding = p.beat.CSN, p.sid
		}
	}
	s.Seqs = common(all, v)
	return s, nil
}

// common returns what every heartbeat contains.
func common(members []present, v changelog.Vector) changelog.Seqs {
	all := changelog.Seqs{}
	for sid := range v {
		least := v[sid].Seq
		for _, p := range members {
			has := p.beat.Seen[sid]
			if sid == p.sid {
				has = p.beat.Seq
			}
			least = min(least, has)
		}
		if least > 0 {
			all[sid] = least
		}
	}
	return all
}

// present is a member that counts, with its newest heartbeat that does, nil when
// none does.
type present struct {
	sid  changelog.SID
	beat *Heartbeat
}

// present returns the members that count for those who have stored v: all but
// those of whose removal all others know.
func (t *Table) present(v changelog.Vector) ([]present, error) {
	sids, err := t.sids()
	if err != nil {
		return nil, err
	}
	removals, err := t.Removals()
	if err != nil {
		return nil, err
	}
	all := make([]present, 0, len(sids))
	for _, sid := range sids {
		h, err := t.Beat(sid, v)
		if err != nil {
			return nil, err
		}
		all = append(all, present{sid, h})
	}
	return without(all, removals), nil
}

// without returns the members that remain. A removal counts when the heartbeats
// of all that remain contain it; until then its peer remains, and has to
// contain the others.
func without(all []present, removals []Removal) []present {
	if len(removals) == 0 {
		return all
	}
	gone := map[changelog.SID]bool{}
	for _, r := range removals {
		gone[r.Peer] = true
	}
	remaining := func() []present {
		return slices.DeleteFunc(slices.Clone(all), func(p present) bool { return gone[p.sid] })
	}
	for again := true; again; {
		again = false
		rest := remaining()
		for peer := range gone {
			if !slices.ContainsFunc(removals, func(r Removal) bool { return r.Peer == peer && r.knownTo(rest) }) {
				delete(gone, peer)
				again = true
			}
		}
	}
	return remaining()
}

// knownTo reports whether all of them know of the removal.
func (r Removal) knownTo(all []present) bool {
	for _, p := range all {
		if p.beat == nil || !p.beat.covers(p.sid, r.By, r.Seq) {
			return false
		}
	}
	return true
}
