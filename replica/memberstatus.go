package replica

import (
	"time"

	"ldapsync/changelog"
	"ldapsync/members"
)

// MemberStatus is a server whose copy counts, or did until it was removed.
type MemberStatus struct {
	members.Member
	// Beat is its newest heartbeat that counts, nil when there is none.
	Beat *members.Heartbeat
	// Silent says that there has been none for silentAfter.
	Silent bool
	// Lacks is the oldest change of another member that this heartbeat says its
	// directory does not contain, zero for none. Nothing younger is forgotten.
	Lacks changelog.CSN
	// Stuck says that it had lacked it for stuckAfter by then.
	Stuck bool
	// Removed is the operation that removed it, nil when there is none.
	Removed *members.Removal
}

// silentAfter is how long a member may say nothing before it is worth an alarm:
// an idle one makes two heartbeats a day.
const silentAfter = 7 * 24 * time.Hour

// stuckAfter is how long a change may take to get into a directory before it is
// worth an alarm.
const stuckAfter = 24 * time.Hour

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
		if ms.Beat != nil && !removed {
			if ms.Lacks, err = w.lacking(m.SID, ms.Beat, s.Vector); err != nil {
				return err
			}
			ms.Stuck = !ms.Lacks.IsZero() && ms.Beat.CSN.When().Sub(ms.Lacks.When()) > stuckAfter
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

// lacking returns the oldest of the changes stored that the directory of a member
// does not contain by its heartbeat, zero for none.
func (w *work) lacking(member changelog.SID, beat *members.Heartbeat, v changelog.Vector) (oldest changelog.CSN, err error) {
	for sid, m := range v {
		has := beat.Seen[sid]
		if sid == member || has >= m.Seq {
			continue
		}
		first, err := w.Log.Time(sid, has+1)
		if err != nil {
			return oldest, err
		}
		if !first.IsZero() && (oldest.IsZero() || first.Before(oldest)) {
			oldest = first
		}
	}
	return oldest, nil
}

// Held returns the time before which every member has everything, zero while that
// is not known of some, and the member that holds it back, 0 when there are none.
func (s Status) Held() (before changelog.CSN, by changelog.SID) {
	before, by = s.Stable.CSN, s.Stable.Holding
	for _, m := range s.Members {
		if !before.IsZero() && !m.Lacks.IsZero() && m.Lacks.Before(before) {
			before, by = m.Lacks, m.SID
		}
	}
	return before, by
}
