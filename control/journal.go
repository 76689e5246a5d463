package control

import (
	"context"
	"time"
)

// Journal is what the daemon does for the commands about conflicts and the
// past. Suffix is as in Service.
type Journal interface {
	// Conflicts returns a page of the list of conflicts.
	Conflicts(ctx context.Context, ask ConflictsRequest) (ConflictsPage, error)
	// Conflict returns one conflict, its values in full.
	Conflict(ctx context.Context, ask ConflictRequest) (Conflict, error)
	// Restore gives the losing side of a conflict its effect again, and says in
	// words what it did.
	Restore(ctx context.Context, ask RestoreRequest) (string, error)
	// Drop settles conflicts and returns how many.
	Drop(ctx context.Context, ask DropRequest) (int, error)
	// DropParked gives up on a parked entry.
	DropParked(ctx context.Context, suffix, id string) error
	// History returns a page of the changes of an entry, oldest first.
	History(ctx context.Context, ask HistoryRequest) (History, error)
	// Undelete brings back a deleted entry and says in words what it did.
	Undelete(ctx context.Context, ask UndeleteRequest) (string, error)
	// Deleted returns a page of the deleted entries, newest first.
	Deleted(ctx context.Context, ask DeletedRequest) (DeletedPage, error)
}

// ConflictsRequest asks for conflicts. Where a field is empty, all are wanted.
type ConflictsRequest struct {
	Suffix string   `json:"suffix"`
	Kinds  []string `json:"kinds"`
	// Name is the DN or entryUUID of an entry; what is below it is wanted too.
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
	// Limit is the length of a page, 0 for the daemon's choice; After is Next of
	// the page before.
	Limit       int    `json:"limit"`
	After       string `json:"after"`
	ShowSecrets bool   `json:"show_secrets"`
}

// ConflictsPage is a part of the list of conflicts.
type ConflictsPage struct {
	Conflicts []Conflict `json:"conflicts"`
	// Next is where the next page begins, "" after the last.
	Next string `json:"next"`
	// Counts is how many there are of each kind in the suffix.
	Counts map[string]int `json:"counts"`
}

// Conflict is one decision that cost somebody's change its effect, or something
// that is set aside on one server.
type Conflict struct {
	ID string `json:"id"`
	// Kind is one of the words that docs/conflicts.md explains, Text says it in
	// a sentence.
	Kind string `json:"kind"`
	Text string `json:"text"`
	// Entry is the entryUUID, DN the name it has now, or the last one it had.
	Entry     string       `json:"entry"`
	DN        string       `json:"dn"`
	Attribute string       `json:"attribute"`
	Lost      ConflictSide `json:"lost"`
	Won       ConflictSide `json:"won"`
	// Other is the other entry of a name conflict, reference or value; in a Conflict
	// asked for by its id also that which was moved the other way, or is below glue.
	Other   string `json:"other"`
	OtherDN string `json:"other_dn"`
	// Restore says what conflicts restore would do, ByHand what else helps.
	Restore string `json:"restore"`
	ByHand  string `json:"by_hand"`
	// Command is what restores it, "" where nothing does by itself.
	Command string `json:"restore_command,omitempty"`
	// Refusal is what the directory said, of a parked-rejected alone.
	Refusal *Refusal `json:"refusal,omitempty"`
}

// Refusal is what a directory says of an entry that it would not take.
type Refusal struct {
	// Code is the LDAP result code, 0 where the entry only waits for its superior; Text
	// is the directory's message.
	Code int    `json:"code"`
	Text string `json:"text"`
	// Since is when it first refused the entry, GivenUp when an administrator gave that up.
	Since   time.Time `json:"since"`
	GivenUp time.Time `json:"given_up,omitzero"`
}

// ConflictSide is one of two changes that met; all fields are empty where no
// single change decided.
type ConflictSide struct {
	CSN    string    `json:"csn"`
	Time   time.Time `json:"time,omitzero"`
	SID    int       `json:"sid"`
	Server string    `json:"server"`
	Value
	// Parent is the DN of where a move went.
	Parent string `json:"parent"`
	// Op is what the change did, add, modify, delete, moddn or undelete, where no
	// value and no Parent says it and it is known.
	Op string `json:"op,omitempty"`
	// Change is what the change log tells of the change, its values in short: only in a
	// Conflict asked for by its id, and as long as the log holds it.
	Change *HistoryChange `json:"change,omitempty"`
}

// Value is the value of an attribute, or an RDN.
type Value struct {
	// Text is the value where it is UTF-8, else Base64 is.
	Text   string `json:"value"`
	Base64 string `json:"base64,omitempty"`
	// Hidden says that it is a secret that was left out.
	Hidden bool `json:"hidden,omitempty"`
}

// ConflictRequest names one conflict, by its id or the beginning of it.
type ConflictRequest struct {
	Suffix      string `json:"suffix"`
	ID          string `json:"id"`
	ShowSecrets bool   `json:"show_secrets"`
}

// RestoreRequest asks to restore a conflict.
type RestoreRequest struct {
	Suffix string `json:"suffix"`
	ID     string `json:"id"`
	// Rename is the RDN for an entry that needs one of its own.
	Rename string `json:"rename"`
	// RemoveValue removes the value, rather than mending what it points at.
	RemoveValue bool `json:"remove_value"`
}

// DropRequest asks to settle the conflicts named, or with All those that the
// filters of ConflictsRequest leave.
type DropRequest struct {
	Suffix string    `json:"suffix"`
	IDs    []string  `json:"ids"`
	All    bool      `json:"all"`
	Kinds  []string  `json:"kinds"`
	Name   string    `json:"name"`
	Since  time.Time `json:"since"`
}

// HistoryRequest asks for the changes of an entry, by DN or entryUUID.
type HistoryRequest struct {
	Suffix      string `json:"suffix"`
	Name        string `json:"name"`
	Limit       int    `json:"limit"`
	After       string `json:"after"`
	ShowSecrets bool   `json:"show_secrets"`
}

// History is a part of the changes of an entry, oldest first.
type History struct {
	Entry string `json:"entry"`
	DN    string `json:"dn"`
	// Others are entries that had the name that was asked for, too: 20 at most, those
	// that were changed last.
	Others  []Namesake      `json:"others"`
	Changes []HistoryChange `json:"changes"`
	// Truncated says that the log does not reach back to the entry's creation.
	Truncated bool   `json:"truncated"`
	Next      string `json:"next"`
}

// Namesake is an entry that had a name which is another's.
type Namesake struct {
	Entry string `json:"entry"`
	// DN is the name it has now, or had when it was deleted, at Deleted.
	DN      string    `json:"dn"`
	Deleted time.Time `json:"deleted,omitzero"`
}

// HistoryChange is one change of an entry.
type HistoryChange struct {
	CSN    string    `json:"csn"`
	Time   time.Time `json:"time"`
	SID    int       `json:"sid"`
	Seq    uint64    `json:"seq"`
	Server string    `json:"server"`
	// By is the DN of the client, as its directory noted it; "" where that is not
	// certain.
	By string `json:"by"`
	// Op is add, modify, delete, moddn or settle; DN the entry's name before.
	Op string `json:"op"`
	DN string `json:"dn"`
	// RDN and Superior are the new name and place, "" where they stay.
	RDN          string       `json:"rdn"`
	DeleteOldRDN bool         `json:"delete_old_rdn"`
	Superior     string       `json:"superior"`
	Undelete     bool         `json:"undelete"`
	Mods         []HistoryMod `json:"mods"`
	// Records are the ids of the conflicts that the change dropped.
	Records []string `json:"records"`
}

// HistoryMod is what a change did to one attribute.
type HistoryMod struct {
	// Op is add, delete or replace.
	Op     string  `json:"op"`
	Attr   string  `json:"attribute"`
	Values []Value `json:"values"`
	// More is how many values were left out, in what is told in short.
	More int `json:"more,omitempty"`
}

// UndeleteRequest asks to bring back an entry, by entryUUID or by the DN it had.
type UndeleteRequest struct {
	Suffix string `json:"suffix"`
	Name   string `json:"name"`
	Rename string `json:"rename"`
}

// DeletedRequest asks for the deleted entries at and below Base, "" for all.
type DeletedRequest struct {
	Suffix string `json:"suffix"`
	Base   string `json:"base"`
	Limit  int    `json:"limit"`
	After  string `json:"after"`
}

// DeletedPage is a part of the deleted entries, newest first.
type DeletedPage struct {
	Deleted []Deleted `json:"deleted"`
	Next    string    `json:"next"`
}

// Deleted is an entry that can be undeleted.
type Deleted struct {
	Entry string `json:"entry"`
	// DN is the name it had, Time and Server say when and where it was deleted.
	DN     string    `json:"dn"`
	Time   time.Time `json:"time"`
	Server string    `json:"server"`
}

// Paths of the requests about conflicts and the past.
const (
	pathConflicts  = "/v0/conflicts"
	pathConflict   = "/v0/conflicts/show"
	pathRestore    = "/v0/conflicts/restore"
	pathDrop       = "/v0/conflicts/drop"
	pathDropParked = "/v0/parked/drop"
	pathHistory    = "/v0/history"
	pathUndelete   = "/v0/undelete"
	pathDeleted    = "/v0/deleted"
)

type doneReply struct {
	Done string `json:"done"`
}

type dropReply struct {
	Dropped int `json:"dropped"`
}

// normalise replaces nil lists by empty ones.
func (p *ConflictsPage) normalise() {
	p.Conflicts = notNil(p.Conflicts)
	if p.Counts == nil {
		p.Counts = map[string]int{}
	}
}

func (c *Conflict) normalise() {
	c.Lost.Change.normalise()
	c.Won.Change.normalise()
}

func (h *History) normalise() {
	h.Others, h.Changes = notNil(h.Others), notNil(h.Changes)
	for i := range h.Changes {
		h.Changes[i].normalise()
	}
}

func (c *HistoryChange) normalise() {
	if c == nil {
		return
	}
	c.Mods, c.Records = notNil(c.Mods), notNil(c.Records)
	for i := range c.Mods {
		c.Mods[i].Values = notNil(c.Mods[i].Values)
	}
}
