package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"ldapsync/changelog"
)

// Parked is an entry whose view the directory would not take.
type Parked struct {
	ID changelog.ID `json:"id"`
	DN string       `json:"dn"`
	// Code and Text are the directory's result (RFC 4511 appendix A); code 0
	// says that the entry waits for its superior.
	Code int    `json:"code"`
	Text string `json:"text"`
	// CSN is that of the change that the directory would not take, zero where that
	// is not known.
	CSN changelog.CSN `json:"csn,omitzero"`
	// Since is when the entry was first set aside; see Park.
	Since time.Time `json:"since"`
	// Tries counts the attempts, Next is when to make another.
	Tries int       `json:"tries"`
	Next  time.Time `json:"next"`
}

// Park sets an entry aside. Where it was set aside before and has had its mark ever
// since, Since stays what it was.
func (t *Tx) Park(p Parked) error {
	for _, part := range []part{bucketTried, bucketParked} {
		before, found, err := t.parkedIn(part, p.ID)
		if err != nil {
			return err
		}
		if found {
			p.Since = before.Since
		}
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := t.forgive(p.ID); err != nil {
		return err
	}
	return t.bucket(bucketParked).Put(p.ID[:], raw)
}

// Parked returns why an entry is set aside; false when it is not.
func (t *Tx) Parked(id changelog.ID) (Parked, bool, error) { return t.parkedIn(bucketParked, id) }

func (t *Tx) parkedIn(where part, id changelog.ID) (Parked, bool, error) {
	raw := t.bucket(where).Get(id[:])
	if raw == nil {
		return Parked{}, false, nil
	}
	var p Parked
	if err := json.Unmarshal(raw, &p); err != nil {
		return Parked{}, false, fmt.Errorf("read parked %s: %w", id, err)
	}
	return p, true, nil
}

// Unpark lets an entry be tried again. Since when it was set aside is remembered as
// long as it has its mark.
func (t *Tx) Unpark(id changelog.ID) error {
	b := t.bucket(bucketParked)
	raw := b.Get(id[:])
	if raw == nil {
		return nil
	}
	if err := t.bucket(bucketTried).Put(id[:], bytes.Clone(raw)); err != nil {
		return err
	}
	return b.Delete(id[:])
}

// forgive forgets that an entry was ever set aside.
func (t *Tx) forgive(id changelog.ID) error {
	b := t.bucket(bucketTried)
	if b.Get(id[:]) == nil {
		return nil
	}
	return b.Delete(id[:])
}

// ParkedList returns up to max entries set aside, in the order of their ids.
func (t *Tx) ParkedList(max int) ([]Parked, error) {
	var out []Parked
	var err error
	t.bucket(bucketParked).Scan(nil, nil, func(k, raw []byte) bool {
		if len(out) >= max {
			return false
		}
		var p Parked
		if e := json.Unmarshal(raw, &p); e != nil {
			err = fmt.Errorf("read parked %x: %w", k, e)
			return false
		}
		out = append(out, p)
		return true
	})
	return out, err
}

// ParkedCount returns the number of entries set aside.
func (t *Tx) ParkedCount() int { return t.count(bucketParked) }

// Deny keeps a change of another server that it was not entitled to make.
func (t *Tx) Deny(c *changelog.Change) error {
	raw, err := c.AppendBinary(nil)
	if err != nil {
		return err
	}
	return t.bucket(bucketDenied).Put(changeKey(c.SID(), c.Seq), raw)
}

// DenyOwn keeps a change of a local client that this server was not entitled
// to make. Such changes are numbered apart from the log.
func (t *Tx) DenyOwn(c changelog.Change) error {
	b := t.bucket(bucketDenied)
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	c.Seq = n
	raw, err := c.AppendBinary(nil)
	if err != nil {
		return err
	}
	return b.Put(append(changeKey(c.SID(), 0), genKey(n)...), raw)
}

// Denied reports whether the change seq of sid is kept as denied.
func (t *Tx) Denied(sid changelog.SID, seq uint64) bool {
	return t.bucket(bucketDenied).Get(t.changeAt(sid, seq)) != nil
}

// AllowAgain forgets that a change was denied.
func (t *Tx) AllowAgain(sid changelog.SID, seq uint64) error {
	return t.bucket(bucketDenied).Delete(t.changeAt(sid, seq))
}

// DeniedCount returns the number of changes denied.
func (t *Tx) DeniedCount() int { return t.count(bucketDenied) }

// Postpone keeps a stored change out of the state until the clock comes near
// its time. Before is the CSN of the one before it, zero for none: the log may not
// hold that.
func (t *Tx) Postpone(c *changelog.Change, before changelog.CSN) error {
	return t.bucket(bucketFuture).Put(c.CSN.AppendKey(nil), before.AppendKey(changeKey(c.SID(), c.Seq)))
}

// refSize is the length of the reference to a change; that of a postponed one is
// followed by the CSN of the one before it, unless an older version wrote it.
const refSize = 10

// readRef reads the reference to a change; false when it is damaged.
func readRef(ref []byte) (sid changelog.SID, seq uint64, ok bool) {
	if len(ref) < refSize {
		return 0, 0, false
	}
	return changelog.SID(binary.BigEndian.Uint16(ref)), binary.BigEndian.Uint64(ref[2:]), true
}

// Due returns up to max postponed changes that are not later than the time
// given, earliest first, and forgets that they were postponed.
func (t *Tx) Due(until time.Time, max int) ([]*changelog.Change, error) {
	var out []*changelog.Change
	b := t.bucket(bucketFuture)
	for k, ref := first(b); k != nil && len(out) < max; k, ref = first(b) {
		csn, err := changelog.CSNFromKey(k)
		sid, seq, ok := readRef(ref)
		if err != nil || !ok {
			return nil, fmt.Errorf("read postponed change %x: damaged", k)
		}
		if csn.When().After(until) {
			break
		}
		change, err := t.Log.Get(sid, seq)
		if err != nil {
			return nil, err
		}
		if change != nil {
			out = append(out, change)
		}
		if err := b.Delete(k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// FirstPostponed returns the CSN of the oldest change postponed, zero for none.
func (t *Tx) FirstPostponed() (changelog.CSN, error) {
	k, _ := first(t.bucket(bucketFuture))
	if k == nil {
		return changelog.CSN{}, nil
	}
	csn, err := changelog.CSNFromKey(k)
	if err != nil {
		return csn, fmt.Errorf("read postponed change %x: damaged", k)
	}
	return csn, nil
}

// FutureCount returns the number of changes postponed.
func (t *Tx) FutureCount() int { return t.count(bucketFuture) }

// changeAt is changeKey for who reads or deletes; valid until the next such key.
func (t *Tx) changeAt(sid changelog.SID, seq uint64) []byte {
	t.key = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(t.key[:0], uint16(sid)), seq)
	return t.key
}

func changeKey(sid changelog.SID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(sidKey(sid), seq)
}
