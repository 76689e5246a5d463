package dit

// Opponent returns what a record lost to where the record itself does not say it: of a
// skipped move the other move, without which it would not have put the entry below itself,
// and the entry which that moved; of glue a living entry below it, and what put that
// there. The id is zero where there is none, and for records of other kinds.
func (s *State) Opponent(r Record) (id ID, won Side, err error) {
	switch r.Kind {
	case MoveSkipped:
		id, won = s.otherMove(r)
	case GlueShown:
		if e := s.livingBelow(r.Entry); e != nil {
			id, won = e.id, Side{CSN: s.nameSince(e), Value: e.name().rdn}
			if e.undeleted != nil && won.CSN.Before(e.undeleted.csn) {
				won.CSN = e.undeleted.csn
			}
		}
	}
	return id, won, s.caught()
}

// otherMove looks at the way that led from where a skipped move would have gone up to its
// entry, as it was before that move. The newest part of it that the author of the
// move did not know closed the circle.
func (s *State) otherMove(r Record) (id ID, won Side) {
	e := s.peek(r.Entry)
	if e == nil {
		return id, won
	}
	var mine *stamp
	for _, g := range e.edges {
		if g.at.csn == r.Lost.CSN {
			mine = g.at
		}
	}
	seen := map[ID]bool{r.Entry: true}
	for at := r.Lost.Parent; mine != nil && !at.IsZero() && !seen[at]; {
		seen[at] = true
		above := s.peek(at)
		if above == nil || !above.node.edged {
			break
		}
		g := s.edgeBefore(above, r.Lost.CSN)
		if !mine.covers(g.at) && won.CSN.Before(g.at.csn) {
			id, won = at, Side{CSN: g.at.csn, Parent: g.parent}
		}
		at = g.parent
	}
	return id, won
}

// livingBelow returns the first living entry on the way down from id along the first
// entries below it; nil when nothing is.
func (s *State) livingBelow(id ID) *entry {
	for range maxGlue {
		var child ID
		s.kv.Scan(s.keyAt(keyName, id), nil, func(k, _ []byte) bool {
			child = lastID(k)
			return false
		})
		e := s.peek(child)
		if e == nil || e.node.live {
			return e
		}
		id = child
	}
	return nil
}

// maxGlue bounds walks down the tree.
const maxGlue = 1000
