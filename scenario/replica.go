package scenario

import (
	"crypto/sha256"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// epoch is time 0 of every scenario, in microseconds; a unit of a scenario's
// time is a second.
const (
	epoch  = 1_700_000_000_000_000
	second = 1_000_000
)

// replica is one server without a network: it authors operations against what
// it has merged.
type replica struct {
	sid  changelog.SID
	kv   *dit.Memory
	dit  *dit.State
	seen changelog.Seqs
	last int64
}

func newReplica(sid changelog.SID, rules dit.Rules) *replica {
	kv := dit.NewMemory()
	return &replica{sid: sid, kv: kv, dit: dit.Open(kv, rules), seen: changelog.Seqs{}, last: epoch}
}

// merge delivers a change, in any order, any number of times.
func (r *replica) merge(c *changelog.Change) error {
	if _, err := r.dit.Merge(c); err != nil {
		return fmt.Errorf("merge %s of %s: %w", c.CSN, c.DN, err)
	}
	r.seen[c.SID()] = max(r.seen[c.SID()], c.Seq)
	r.last = max(r.last, c.CSN.Time)
	return nil
}

// do makes an operation at a time and returns the change, nil when it changes
// nothing. The error is a *dit.ResultError where a directory would refuse.
// Recorded may change it before it is stored.
func (r *replica) do(op dit.Operation, id dit.ID, at int64, recorded func(*replica, *changelog.Change) error) (*changelog.Change, error) {
	c, err := r.dit.Author(op, id)
	if c == nil || err != nil {
		return nil, err
	}
	c.Seen = changelog.Seqs{}
	for sid, seq := range r.seen {
		if sid != r.sid {
			c.Seen[sid] = seq
		}
	}
	c.Seq = r.seen[r.sid] + 1
	c.CSN = changelog.CSN{Time: max(r.last+1, epoch+at*second), SID: r.sid}
	if err := recorded(r, c); err != nil {
		return nil, err
	}
	return c, r.merge(c)
}

// digest is equal for replicas that hold the same, octet by octet.
func (r *replica) digest() [sha256.Size]byte {
	h := sha256.New()
	r.kv.Scan(nil, nil, func(k, v []byte) bool {
		fmt.Fprintf(h, "%d %d ", len(k), len(v))
		h.Write(k)
		h.Write(v)
		return true
	})
	return [sha256.Size]byte(h.Sum(nil))
}

// idOf returns the entryUUID that stands for a name of a file.
func idOf(name string) (id dit.ID) {
	sum := sha256.Sum256([]byte(name))
	copy(id[:], sum[:])
	return id
}
