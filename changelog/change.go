package changelog

import (
	"errors"
	"fmt"
)

// Op is the kind of a change: an LDAP update operation (RFC 4511 sections 4.6 to
// 4.9), or one of the operations by which servers keep the log itself in order.
type Op uint8

// The update operations, and behind them those that alter no entry.
const (
	OpAdd Op = iota + 1
	OpModify
	OpDelete
	OpModDN
	// OpHeartbeat says that the author's directory contains every change of
	// Seen, but for those of the entries Except. The first of an install also says
	// whose it is: JID and Install.
	OpHeartbeat
	// OpForget removes the server Peer from the members: nothing more is taken
	// from it, and nothing waits for it.
	OpForget
	// OpSettle says that an administrator has dropped Records, those of the
	// entry's journal that are done with.
	OpSettle
)

var opNames = [...]string{
	OpAdd: "add", OpModify: "modify", OpDelete: "delete", OpModDN: "moddn",
	OpHeartbeat: "heartbeat", OpForget: "forget", OpSettle: "settle",
}

// Alters reports whether changes of this kind may alter an entry.
func (o Op) Alters() bool { return o >= OpAdd && o <= OpModDN }

// String returns the operation's word: add, modify, delete, moddn, ...
func (o Op) String() string {
	if s := o.name(); s != "" {
		return s
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// name is String, "" for an unknown operation.
func (o Op) name() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return ""
}

// ParseOp is the inverse of Op.String.
func ParseOp(s string) (Op, bool) {
	for o, name := range opNames {
		if name == s && s != "" {
			return Op(o), true
		}
	}
	return 0, false
}

// ModOp is what a modification does to an attribute (RFC 4511 section 4.6).
// Increment does not occur: it is recorded as a replace with its result.
type ModOp uint8

// The three modifications.
const (
	// ModAdd adds the values.
	ModAdd ModOp = iota + 1
	// ModDelete removes the values; at least one is named.
	ModDelete
	// ModReplace removes every value the attribute has and adds the values;
	// with none, the attribute goes. What other servers add at the same time
	// under an earlier CSN is superseded.
	ModReplace
)

var modNames = [...]string{ModAdd: "add", ModDelete: "delete", ModReplace: "replace"}

// String returns add, delete or replace.
func (o ModOp) String() string {
	if s := o.name(); s != "" {
		return s
	}
	return fmt.Sprintf("mod(%d)", uint8(o))
}

// name is String, "" for an unknown modification.
func (o ModOp) name() string {
	if int(o) < len(modNames) {
		return modNames[o]
	}
	return ""
}

// ParseModOp is the inverse of ModOp.String.
func ParseModOp(s string) (ModOp, bool) {
	for o, name := range modNames {
		if name == s && s != "" {
			return ModOp(o), true
		}
	}
	return 0, false
}

// Mod is one modification of one attribute.
type Mod struct {
	Op ModOp
	// Attr is an attribute description with its options, as the author's
	// directory spells it.
	Attr string
	// Values are raw octets.
	Values []string
}

// Change is one operation as its author made it: the content of the
// modification, never the whole entry. It means the same on every server; what
// depended on the author's view (which member values a replace removed) is
// already spelled out in it.
type Change struct {
	// Seq counts the changes of CSN.SID from 1 without gaps.
	Seq uint64
	CSN CSN
	// Seen is what the author had in the entry when it made the change, its
	// own earlier changes left out (they are always seen).
	Seen Seqs
	Op   Op
	ID   ID
	// DN is the entry's name before the operation, for people and refusals;
	// nothing is decided by it.
	DN string
	// RDN (RFC 4514) is the name of an added entry and, for OpModDN, the new
	// name, or "" where the name stays.
	RDN string
	// DeleteOldRDN is for OpModDN with a new name.
	DeleteOldRDN bool
	// Superior is the parent of an added entry (zero for the entry of the
	// suffix) and, for OpModDN with Moved, the new parent.
	Superior ID
	// Moved says that an OpModDN changes the parent.
	Moved bool
	// Undelete says that the entry was deleted and shown only for the sake of
	// its children, and that this write brings it back.
	Undelete bool
	// Mods holds, for OpAdd, one ModAdd per attribute; for OpModify the
	// modifications in order, at most one of each kind per attribute; else nothing.
	Mods []Mod
	// JID and Install, for an OpHeartbeat only and either both or none, say
	// whose the sid is.
	JID, Install string
	// Except, for an OpHeartbeat only, are the entries of which the author's
	// directory refuses something that an administrator has given up there, in
	// ascending order; the zero ID, which is then the first, stands for others.
	Except []ID
	// Peer is the server that an OpForget removes.
	Peer SID
	// Records are the ids of records of ID's journal, for an OpSettle only.
	Records []string
}

// Limits of what a change without an entry holds.
const (
	// MaxJID is the longest JID in octets (RFC 7622 section 3.1).
	MaxJID = 3071
	// MaxInstall is the longest id of an install in octets.
	MaxInstall = 128
	// MaxRecords is how many records one change settles, MaxRecordID the length
	// of the id of one in octets.
	MaxRecords, MaxRecordID = 1024, 64
	// MaxExcept is how many ids the exceptions of a heartbeat may be.
	MaxExcept = 256
)

// ErrChange is returned for a change that no server can have made.
var ErrChange = errors.New("invalid change")

// SID returns the author of c.
func (c *Change) SID() SID { return c.CSN.SID }

// Check returns an error that wraps ErrChange and says what is wrong when c is
// not a change any server makes.
func (c *Change) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %s/%d: %s", ErrChange, c.SID(), c.Seq, fmt.Sprintf(format, args...))
	}
	switch {
	case !c.SID().Valid():
		return bad("sid out of range")
	case c.Seq == 0:
		return bad("sequence number 0")
	case c.ID.IsZero() && (c.Op.Alters() || c.Op == OpSettle):
		return bad("no entry id")
	case c.Op == OpAdd && c.RDN == "":
		return bad("add without a name")
	case c.Op == OpModDN && c.RDN == "" && !c.Moved:
		return bad("moddn that neither renames nor moves")
	case c.Op != OpAdd && c.Op != OpModify && len(c.Mods) > 0:
		return bad("%s with modifications", c.Op)
	case c.Op == OpModDN && c.Moved && c.Superior == c.ID:
		return bad("entry below itself")
	case c.Op.name() == "":
		return bad("unknown operation %d", c.Op)
	}
	if fault := c.checkKeeping(); fault != "" {
		return bad("%s with %s", c.Op, fault)
	}
	for _, m := range c.Mods {
		switch {
		case m.Attr == "":
			return bad("modification without attribute")
		case m.Op.name() == "":
			return bad("unknown modification %d", m.Op)
		case c.Op == OpAdd && m.Op != ModAdd:
			return bad("add with %s", m.Op)
		case m.Op != ModReplace && len(m.Values) == 0:
			return bad("%s of %s without values", m.Op, m.Attr)
		}
	}
	return nil
}
