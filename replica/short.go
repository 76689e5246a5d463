package replica

import (
	"slices"

	"ldapsync/changelog"
)

// noteShort notes that the log of a server does not reach back to v.
func (r *Replica) noteShort(p Peer, v changelog.Vector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for install := range r.short {
		if !slices.ContainsFunc(r.peers, func(p Peer) bool { return p.Install == install }) {
			delete(r.short, install)
		}
	}
	r.short[p.Install] = v.Clone()
}

// isShort reports whether the log of a server did not reach back to v; what this
// server made since has nothing to do with it.
func (r *Replica) isShort(p Peer, v changelog.Vector) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	had, ok := r.short[p.Install]
	if !ok || len(had) != len(v) {
		return false
	}
	for sid, m := range v {
		if sid != r.identity.SID && had[sid].Seq != m.Seq {
			return false
		}
	}
	return true
}

// mayReachBack reports whether some member may have what follows on v: one that
// is away, or has not been found short. What it shows of itself may be old.
func (r *Replica) mayReachBack(v changelog.Vector) (bool, error) {
	present, err := r.present(v)
	if err != nil {
		return false, err
	}
	for _, m := range present {
		if m == r.Identity().SID {
			continue
		}
		p, here := r.peerBySID(m)
		if !here || !p.outside() && !r.isShort(p, v) {
			return true, nil
		}
	}
	return false, nil
}

// present returns the members that have not been removed, as far as v tells.
func (r *Replica) present(v changelog.Vector) (sids []changelog.SID, err error) {
	err = r.view(func(w *work) error {
		list, err := w.Roster().Present(v)
		for _, m := range list {
			sids = append(sids, m.SID)
		}
		return err
	})
	return sids, err
}
