package members

import "ldapsync/changelog"

// Changes returns changes that a table has to Note to know what this one does,
// beside members that never said anything: for a server whose log begins behind
// them.
func (t *Table) Changes() (list []changelog.Change, err error) {
	members, err := t.Members()
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		beats, err := t.beats(m.SID)
		if err != nil {
			return nil, err
		}
		for _, h := range beats {
			list = append(list, changelog.Change{
				Op: changelog.OpHeartbeat, Seq: h.Seq, CSN: h.CSN, Seen: h.Seen, Except: h.Except, JID: m.JID, Install: m.Install,
			})
		}
	}
	removals, err := t.Removals()
	for _, r := range removals {
		c := changelog.Change{Op: changelog.OpForget, Seq: r.Seq, CSN: r.CSN, Peer: r.Peer}
		if r.Had > 0 {
			c.Seen = changelog.Seqs{r.Peer: r.Had}
		}
		list = append(list, c)
	}
	return list, err
}

// Know makes a server a member of which nothing else is known.
func (t *Table) Know(sid changelog.SID) error { return t.known(sid) }
