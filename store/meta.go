package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"ldapsync/changelog"
	"ldapsync/lookup"
)

// Identity says whose file this is.
type Identity struct {
	// Suffix is the normalised DN of the suffix.
	Suffix string `json:"suffix"`
	// JID is the bare JID of the server.
	JID string `json:"jid"`
	// Install is drawn at random when the file is made; two files never share
	// it unless one is a copy of the other.
	Install string `json:"install"`
	// SID is the server's number, 0 until it has one.
	SID changelog.SID `json:"sid"`
	// Wanted is the number that was asked for; another is taken where some
	// server of the room had that before.
	Wanted changelog.SID `json:"wanted,omitempty"`
	// Spoken are the numbers under which earlier installs said hello and never joined.
	Spoken []changelog.SID `json:"spoken,omitempty"`
	// Epoch counts the lives of this server: 1, and one more each time a state
	// file is set aside.
	Epoch uint64 `json:"epoch"`
	// Since is when the file was made in the place of another; zero for none.
	Since time.Time `json:"since,omitzero"`
	// Joined is set once the server may speak for its directory: it founded
	// the room, or has caught up with it and matched its entries.
	Joined bool `json:"joined"`
	// Entered is what the log held when the server joined an existing room. Those
	// who had not heard of it by then may have forgotten as much, so every change
	// of this install says that it was made knowing that.
	Entered changelog.Seqs `json:"entered,omitempty"`
	// Adopted is set once the entries that the directory held when the server
	// joined have all been matched to the room's.
	Adopted bool `json:"adopted"`
	// Role is the last role the room granted.
	Role string `json:"role"`
	// SchemaDigest is the schema under which the facts' keys were made.
	SchemaDigest string `json:"schema"`
	// Unique are the attributes, separated by spaces, whose values were to be
	// unique then.
	Unique string `json:"unique,omitempty"`
	// Return says whose work this install continues, nil for none.
	Return *Return `json:"return,omitempty"`
}

// Return is what is known of a server's earlier installs, whose state file is
// lost or was set aside.
type Return struct {
	// Selves are their sids.
	Selves []changelog.SID `json:"selves"`
	// Applied is how far the directory reached when the last of them was heard
	// of, or when the state file that was set aside was written.
	Applied changelog.Seqs `json:"applied"`
	// Own says that Applied comes from that state file, Kept where it is.
	Own  bool   `json:"own,omitempty"`
	Kept string `json:"kept,omitempty"`
	// Heard is when the last of them was heard of, Removed whether the room had
	// removed it.
	Heard   time.Time `json:"heard"`
	Removed bool      `json:"removed,omitempty"`
	// Deletes says that entries which the directory lacks, though it had all that
	// is known of them, were deleted there; Horizon is the newest change that the
	// directory certainly contains, and only what is older counts.
	Deletes bool          `json:"deletes,omitempty"`
	Horizon changelog.CSN `json:"horizon"`
	// Made are marks of what that state file knew the self to have made, newest
	// first: under the same numbers the room may hold what a copy of it made.
	Made []changelog.Mark `json:"made,omitempty"`
	// GivenUp are entries that an administrator let differ, as the state file that
	// was set aside and heartbeats say, by ascending id; the zero ID, where it
	// stands first, stands for any. What the directory lacks of them no client removed.
	GivenUp []changelog.ID `json:"given_up,omitempty"`
}

// Clone returns a copy that may be changed; of nil, one that says nothing.
func (r *Return) Clone() *Return {
	if r == nil {
		return &Return{Applied: changelog.Seqs{}}
	}
	c := *r
	c.Selves, c.Made, c.GivenUp = slices.Clone(r.Selves), slices.Clone(r.Made), slices.Clone(r.GivenUp)
	if c.Applied = maps.Clone(r.Applied); c.Applied == nil {
		c.Applied = changelog.Seqs{}
	}
	return &c
}

// LetDiffer notes that an administrator let entries differ.
func (r *Return) LetDiffer(ids []changelog.ID) {
	list := slices.Concat(r.GivenUp, ids)
	slices.SortFunc(list, changelog.ID.Compare)
	r.GivenUp = slices.Compact(list)
}

// Differs reports whether an administrator may have let an entry differ.
func (r *Return) Differs(id changelog.ID) bool {
	if len(r.GivenUp) > 0 && r.GivenUp[0].IsZero() {
		return true
	}
	_, found := slices.BinarySearchFunc(r.GivenUp, id, changelog.ID.Compare)
	return found
}

// Has reports whether sid is that of an earlier install; nil has none.
func (r *Return) Has(sid changelog.SID) bool {
	return r != nil && slices.Contains(r.Selves, sid)
}

var (
	keyIdentity  = []byte("identity")
	keyCookie    = []byte("cookie")
	keyPublished = []byte("published")
	keyOffered   = []byte("offered")
	keyClock     = []byte("clock")
	keyFault     = []byte("fault")
	keyUseless   = []byte("useless")
	keyLimit     = []byte("limit")
)

// Identity returns whose file this is; the zero value for a new file.
func (t *Tx) Identity() (Identity, error) {
	raw := t.bucket(bucketMeta).Get(keyIdentity)
	if id, known := identities.GetBytes(raw); known {
		id.Entered = maps.Clone(id.Entered)
		return id, nil
	}
	var id Identity
	err := t.getJSON(keyIdentity, &id)
	if err == nil && id.Return == nil && id.Spoken == nil {
		kept := id
		kept.Entered = maps.Clone(id.Entered)
		identities.PutBytes(raw, kept)
	}
	return id, err
}

// identities are those of most servers, but for what they are to change.
var identities lookup.Recent[Identity]

// SetIdentity replaces the identity.
func (t *Tx) SetIdentity(id Identity) error { return t.putJSON(keyIdentity, id) }

// Cookie returns what to resume the directory's reports with, nil for none.
func (t *Tx) Cookie() []byte { return append([]byte(nil), t.bucket(bucketMeta).Get(keyCookie)...) }

// SetCookie replaces the cookie; nil removes it.
func (t *Tx) SetCookie(cookie []byte) error {
	if cookie == nil {
		return t.bucket(bucketMeta).Delete(keyCookie)
	}
	return t.bucket(bucketMeta).Put(keyCookie, cookie)
}

// Limit returns the newest entryCSN that was known when a refresh began that
// could not be resumed, as long as none has been completed since; zero else.
func (t *Tx) Limit() (changelog.CSN, error) {
	raw := t.bucket(bucketMeta).Get(keyLimit)
	if raw == nil {
		return changelog.CSN{}, nil
	}
	return changelog.CSNFromKey(raw)
}

// SetLimit stores what Limit returns; zero removes it.
func (t *Tx) SetLimit(c changelog.CSN) error {
	if c.IsZero() {
		return t.bucket(bucketMeta).Delete(keyLimit)
	}
	return t.bucket(bucketMeta).Put(keyLimit, c.AppendKey(nil))
}

// Published returns the last of our own sequence numbers that the XMPP server
// has acknowledged.
func (t *Tx) Published() uint64 { return t.number(keyPublished) }

// number returns a number of the meta bucket, 0 for none.
func (t *Tx) number(key []byte) uint64 {
	raw := t.bucket(bucketMeta).Get(key)
	if len(raw) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

// SetPublished replaces the mark of Published.
func (t *Tx) SetPublished(seq uint64) error {
	return t.setNumber(keyPublished, seq)
}

func (t *Tx) setNumber(key []byte, n uint64) error {
	t.value = binary.BigEndian.AppendUint64(t.value[:0], n)
	return t.bucket(bucketMeta).Put(key, t.value)
}

// Offered returns the last of our own sequence numbers that the XMPP server may have
// from this state file: nobody can have a later one of what the file holds.
func (t *Tx) Offered() uint64 { return max(t.number(keyOffered), t.Published()) }

// SetOffered replaces the mark of Offered. It is called before the XMPP server is
// given anything beyond the mark.
func (t *Tx) SetOffered(seq uint64) error {
	return t.setNumber(keyOffered, seq)
}

// Clock returns the last CSN this server issued.
func (t *Tx) Clock() (changelog.CSN, error) {
	raw := t.bucket(bucketMeta).Get(keyClock)
	if raw == nil {
		return changelog.CSN{}, nil
	}
	return changelog.CSNFromKey(raw)
}

// SetClock stores the last CSN issued, in the transaction that uses it.
func (t *Tx) SetClock(c changelog.CSN) error {
	t.value = c.AppendKey(t.value[:0])
	return t.bucket(bucketMeta).Put(keyClock, t.value)
}

// Fault returns why this server may not take part any more, "" when it may.
func (t *Tx) Fault() string { return string(t.bucket(bucketMeta).Get(keyFault)) }

// SetFault stores the reason of Fault.
func (t *Tx) SetFault(why string) error { return t.bucket(bucketMeta).Put(keyFault, []byte(why)) }

// Useless returns why this state file is to be set aside, "" when it is not.
func (t *Tx) Useless() string { return string(t.bucket(bucketMeta).Get(keyUseless)) }

// SetUseless stores the reason of Useless: who opens the file again before it is set
// aside may find no more what told that it has to be.
func (t *Tx) SetUseless(why string) error { return t.bucket(bucketMeta).Put(keyUseless, []byte(why)) }

// Member is what is remembered of another server of the room.
type Member struct {
	JID     string `json:"jid"`
	Install string `json:"install"`
	Role    string `json:"role"`
	// Service is where it publishes.
	Service string    `json:"service"`
	Seen    time.Time `json:"seen"`
}

// Member returns what is known of the server with a sid; false when nothing.
func (t *Tx) Member(sid changelog.SID) (Member, bool, error) {
	raw := t.bucket(bucketMembers).Get(t.sidAt(sid))
	if raw == nil {
		return Member{}, false, nil
	}
	m, err := decodeMember(raw)
	if err != nil {
		return Member{}, false, fmt.Errorf("read member %s: %w", sid, err)
	}
	return m, true, nil
}

// decoded are members that were read lately: few are, again and again.
var decoded lookup.Recent[Member]

func decodeMember(raw []byte) (Member, error) {
	m, ok := decoded.GetBytes(raw)
	if ok {
		return m, nil
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return Member{}, err
	}
	decoded.PutBytes(raw, m)
	return m, nil
}

// Members returns every server remembered.
func (t *Tx) Members() (map[changelog.SID]Member, error) {
	out := map[changelog.SID]Member{}
	var err error
	t.bucket(bucketMembers).Scan(nil, nil, func(k, raw []byte) bool {
		m, e := decodeMember(raw)
		if e != nil || len(k) != 2 {
			err = fmt.Errorf("read member %x: %w", k, e)
			return false
		}
		out[changelog.SID(binary.BigEndian.Uint16(k))] = m
		return true
	})
	return out, err
}

// SetMember remembers a server.
func (t *Tx) SetMember(sid changelog.SID, m Member) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return t.bucket(bucketMembers).Put(sidKey(sid), raw)
}

// sidAt is sidKey for who reads; valid until the next such key.
func (t *Tx) sidAt(sid changelog.SID) []byte {
	t.key = binary.BigEndian.AppendUint16(t.key[:0], uint16(sid))
	return t.key
}

func sidKey(sid changelog.SID) []byte { return binary.BigEndian.AppendUint16(nil, uint16(sid)) }

func (t *Tx) getJSON(key []byte, v any) error {
	raw := t.bucket(bucketMeta).Get(key)
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("read %s of the state file: %w", key, err)
	}
	return nil
}

func (t *Tx) putJSON(key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.bucket(bucketMeta).Put(key, raw)
}
