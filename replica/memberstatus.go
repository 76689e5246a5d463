package replica

import (
	"time"

	"ldapsync/members"
)

// MemberStatus is a server whose copy counts, or did until it was removed.
type MemberStatus struct {
	members.Member
	// Beat is its newest heartbeat that counts, nil when there is none.
	Beat *members.Heartbeat
	// Silent says that there has been none for silentAfter.
	Silent bool
	// Removed is the operation that removed it, nil when there is none.
	Removed *members.Removal
}

// silentAfter is how long a member may say nothing before it is worth an alarm:
// an idle one makes two heartbeats a day.
const silentAfter = 7 * 24 * time.Hour

// memberStatus fills in what the log says about the members.
func (s *Status) memberStatus(w *work) error {
	var err error
	if s.Stable, err = w.Roster().Stable(s.Vector); err != nil {
		return err
	}
	list, err := w.Roster().Members()
	if err != nil {
		return err
	}
	now := w.r.cfg.Now()
	for _, m := range list {
		ms := MemberStatus{Member: m}
		if ms.Beat, err = w.Roster().Beat(m.SID, s.Vector); err != nil {
			return err
		}
		removal, removed, err := w.Roster().Removed(m.SID)
		if err != nil {
			return err
		}
		if removed {
			ms.Removed = &removal
		}
		last := s.Vector[m.SID].CSN.When()
		if ms.Beat != nil {
			last = ms.Beat.CSN.When()
		}
		ms.Silent = m.SID != s.Identity.SID && now.Sub(last) > silentAfter
		s.Members = append(s.Members, ms)
	}
	return nil
}
