package store

import (
	"encoding/json"
	"fmt"
	"time"

	"ldapsync/changelog"
)

// GivenUp is an entry that an administrator let differ from its view.
type GivenUp struct {
	Parked
	At time.Time `json:"at"`
}

// GiveUp takes a parked entry from the work to do: its mark goes, and what was
// refused is written down. The next mark begins anew. It is news for a heartbeat.
func (t *Tx) GiveUp(p Parked, at time.Time) error {
	raw, err := json.Marshal(GivenUp{p, at})
	if err != nil {
		return err
	}
	if err := t.Unpark(p.ID); err != nil {
		return err
	}
	if err := t.ClearDirty(p.ID); err != nil {
		return err
	}
	if err := t.bucket(bucketGivenUp).Put(p.ID[:], raw); err != nil {
		return err
	}
	return t.SetNews(true)
}

// resume forgets that an entry was given up.
func (t *Tx) resume(id changelog.ID) error {
	b := t.bucket(bucketGivenUp)
	if b.Get(id[:]) == nil {
		return nil
	}
	return b.Delete(id[:])
}

// GivenUp returns why an entry was given up; false when it was not.
func (t *Tx) GivenUp(id changelog.ID) (GivenUp, bool, error) {
	raw := t.bucket(bucketGivenUp).Get(id[:])
	if raw == nil {
		return GivenUp{}, false, nil
	}
	var g GivenUp
	if err := json.Unmarshal(raw, &g); err != nil {
		return GivenUp{}, false, fmt.Errorf("read given up %s: %w", id, err)
	}
	return g, true, nil
}

// GivenUpList returns up to max entries given up, in the order of their ids.
func (t *Tx) GivenUpList(max int) (out []GivenUp, err error) {
	t.bucket(bucketGivenUp).Scan(nil, nil, func(k, raw []byte) bool {
		if len(out) >= max {
			return false
		}
		var g GivenUp
		if e := json.Unmarshal(raw, &g); e != nil {
			err = fmt.Errorf("read given up %x: %w", k, e)
			return false
		}
		out = append(out, g)
		return true
	})
	return out, err
}

// GivenUpIDs returns the entries given up by ascending id, at most max; where there
// are more, the zero ID stands first for the others.
func (t *Tx) GivenUpIDs(max int) (ids []changelog.ID) {
	if t.GivenUpCount() > max {
		ids = append(ids, changelog.ID{})
	}
	t.bucket(bucketGivenUp).Scan(nil, nil, func(k, _ []byte) bool {
		if len(ids) >= max || len(k) != len(changelog.ID{}) {
			return false
		}
		ids = append(ids, changelog.ID(k))
		return true
	})
	return ids
}

// GivenUpCount returns the number of entries given up.
func (t *Tx) GivenUpCount() int { return t.count(bucketGivenUp) }

// DeniedChange is a change that is kept and not merged.
type DeniedChange struct {
	*changelog.Change
	// Own says that a client of our own directory made it; such changes are
	// numbered apart from the log.
	Own bool
}

// Key names the change among those denied; see DropDenied.
func (d DeniedChange) Key() string {
	if d.Own {
		return fmt.Sprintf("%d-own-%d", d.SID(), d.Seq)
	}
	return fmt.Sprintf("%d-%d", d.SID(), d.Seq)
}

func (d DeniedChange) key() []byte {
	if d.Own {
		return append(changeKey(d.SID(), 0), genKey(d.Seq)...)
	}
	return changeKey(d.SID(), d.Seq)
}

// EachDenied calls fn with the changes that are kept as denied, in a fixed
// order, until it returns false.
func (t *Tx) EachDenied(fn func(DeniedChange) bool) error {
	var err error
	t.bucket(bucketDenied).Scan(nil, nil, func(k, raw []byte) bool {
		d := DeniedChange{Change: new(changelog.Change), Own: len(k) > 10}
		if e := d.UnmarshalBinary(raw); e != nil {
			err = fmt.Errorf("read denied change %x: %w", k, e)
			return false
		}
		return fn(d)
	})
	return err
}

// DropDenied removes a change from those denied.
func (t *Tx) DropDenied(d DeniedChange) error { return t.bucket(bucketDenied).Delete(d.key()) }

// EachFuture calls fn with the changes that are postponed, earliest first, until
// it returns false.
func (t *Tx) EachFuture(fn func(*changelog.Change) bool) error {
	var err error
	t.bucket(bucketFuture).Scan(nil, nil, func(_, ref []byte) bool {
		sid, seq, ok := readRef(ref)
		if !ok {
			err = fmt.Errorf("read postponed change: damaged")
			return false
		}
		var c *changelog.Change
		c, err = t.Log.Get(sid, seq)
		return err == nil && (c == nil || fn(c))
	})
	return err
}
