package replica

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/members"
	"ldapsync/roles"
	"ldapsync/store"
)

// Status is what a replica knows of itself.
type Status struct {
	Identity store.Identity
	Role     roles.Role
	// State is the word for presence: waiting, joining, catching-up, ready,
	// read-only or refused.
	State string
	// Fault is why the replica takes no part, Directory why its directory cannot
	// be reached; "" for neither.
	Fault, Directory string
	Vector           changelog.Vector
	// Publish counts own changes not acknowledged yet, Apply entries to be
	// written, Withheld entries that wait for their superior's change, Future
	// changes from the future.
	Publish, Apply, Withheld, Future int
	// Entries counts the entries that are not deleted.
	Entries     int
	Parked      []Parked
	ParkedCount int
	// Short says that the logs of those here do not reach back to what this server
	// has, and that it waits for others.
	Short bool
	// GivenUp counts the entries that an administrator let differ.
	GivenUp   int
	Denied    int
	Conflicts int
	Peers     []PeerStatus
	// Members are the servers whose copies count, Stable is how far they all are.
	Members []MemberStatus
	Stable  members.Stable
}

// PeerStatus is another server and how far it is apart from us.
type PeerStatus struct {
	Peer
	Online bool
	// Behind counts the changes it lacks of what we hold, Ahead those we lack
	// of what it holds.
	Behind, Ahead uint64
	// Lag is how long the oldest change that it lacks has been waiting, by our
	// clock; zero when it lacks none.
	Lag time.Duration
}

// shownParked bounds the parked entries that a status lists.
const shownParked = 100

// Status returns the state of the replica.
func (r *Replica) Status() (Status, error) {
	s := Status{Identity: r.Identity(), Role: r.Role(), Fault: r.Fault(), State: r.State()}
	r.mu.Lock()
	if r.dirErr != nil {
		s.Directory = r.dirErr.Error()
	}
	r.mu.Unlock()
	var known map[changelog.SID]store.Member
	err := r.view(func(w *work) (err error) {
		if s.Vector, err = w.Log.Vector(); err != nil {
			return err
		}
		if known, err = w.Members(); err != nil {
			return err
		}
		s.Publish = int(s.Vector[s.Identity.SID].Seq - min(w.Published(), s.Vector[s.Identity.SID].Seq))
		s.ParkedCount, s.GivenUp = w.ParkedCount(), w.GivenUpCount()
		s.Apply = max(w.DirtyCount()-s.ParkedCount, 0)
		s.Future, s.Denied = w.FutureCount(), w.DeniedCount()
		if s.Withheld, err = w.dit.Withheld(); err != nil {
			return err
		}
		counts, err := w.dit.Counts()
		if err != nil {
			return err
		}
		s.Conflicts, s.Entries = int(counts.Conflicts()), int(counts.Live)
		if s.Parked, err = w.parkedList(shownParked); err != nil {
			return err
		}
		if s.Peers, err = r.peerStatus(w, s.Vector, known); err != nil {
			return err
		}
		return s.memberStatus(w)
	})
	if err != nil {
		return s, fmt.Errorf("read status: %w", err)
	}
	if s.Identity.Joined {
		_, _, s.Short = r.shortFor(s.Vector)
	}
	return s, nil
}

func (r *Replica) peerStatus(w *work, v changelog.Vector, known map[changelog.SID]store.Member) ([]PeerStatus, error) {
	var out []PeerStatus
	online := map[changelog.SID]bool{}
	for _, p := range r.Peers() {
		online[p.SID] = true
		ps := PeerStatus{Peer: p, Online: true}
		for sid, m := range v {
			ps.Behind += m.Seq - min(m.Seq, p.Vector[sid].Seq)
			if m.Seq <= p.Vector[sid].Seq {
				continue
			}
			first, err := w.Log.Time(sid, p.Vector[sid].Seq+1)
			if err != nil {
				return nil, err
			}
			if !first.IsZero() {
				ps.Lag = max(ps.Lag, r.cfg.Now().Sub(first.When()))
			}
		}
		for sid, m := range p.Vector {
			ps.Ahead += m.Seq - min(m.Seq, v[sid].Seq)
		}
		out = append(out, ps)
	}
	for sid, m := range known {
		if online[sid] || sid == r.sid() {
			continue
		}
		out = append(out, PeerStatus{Peer: remembered(sid, m)})
	}
	slices.SortFunc(out, func(a, b PeerStatus) int { return cmp.Compare(a.SID, b.SID) })
	return out, nil
}

// State returns the word by which presence says what this server is doing.
func (r *Replica) State() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch joined := r.identity.Joined; {
	case r.fault != "":
		return stateRefused
	case !joined && r.catching:
		return stateJoining
	case !joined:
		return stateWaiting
	case r.catching || !r.followed || r.role.Writes() && r.acked.Load() < r.owes.Load():
		return stateCatching
	case !r.role.Writes():
		return stateReadOnly
	}
	return stateReady
}

// Counts returns what the pumps have done since the start, by name.
func (r *Replica) Counts() map[string]uint64 {
	c := &r.counters
	return map[string]uint64{
		"captured": c.Captured.Load(), "published": c.Published.Load(), "received": c.Received.Load(),
		"applied": c.Applied.Load(), "denied": c.Denied.Load(), "duplicates": c.Duplicates.Load(), "rejected": c.Rejected.Load(),
	}
}

// Reject counts something that arrived and was not fit to be looked at.
func (r *Replica) Reject() { r.counters.Rejected.Add(1) }

// SchemaDigest returns the digest of the schema in use.
func (r *Replica) SchemaDigest() string { return r.Identity().SchemaDigest }

// mergeDueIfAny merges what has come due, without a transaction when nothing
// was postponed.
func (r *Replica) mergeDueIfAny() error {
	idle := true
	err := r.cfg.Store.View(func(t *store.Tx) error {
		idle = t.FutureCount() == 0
		return nil
	})
	if err != nil || idle {
		return err
	}
	return r.mergeDue()
}
