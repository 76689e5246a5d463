package replica

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/store"
)

// The kinds of conflicts that are this server's alone; the others are those of
// package dit and are the same on every server.
const (
	// ParkedRejected is an entry that the directory refuses.
	ParkedRejected dit.Kind = "parked-rejected"
	// ParkedFuture is a change of a server whose clock is far ahead.
	ParkedFuture dit.Kind = "parked-future"
	// DeniedByRole is a change whose author may not write.
	DeniedByRole dit.Kind = "denied-by-role"
)

// ConflictKinds returns every kind there is, in a fixed order.
func ConflictKinds() []dit.Kind {
	return append(dit.Kinds(), ParkedRejected, ParkedFuture, DeniedByRole)
}

// Conflict is one decision that cost somebody's change its effect, or something
// that is set aside on this server.
type Conflict struct {
	// ID is hexadecimal, and the same on every server, for records of the
	// state; of what is this server's alone it begins with a word and a colon.
	ID   string
	Kind dit.Kind
	// Text says in words what the kind means, or for what is set aside why.
	Text  string
	Entry changelog.ID
	// DN is the entry's name now, or the last it had.
	DN        string
	Attribute string
	Lost, Won ConflictSide
	// Other is the other entry, where there is one: the holder of the name or
	// value, or what a value named.
	Other   changelog.ID
	OtherDN string
	// Restore says what restoring it would do, and ByHand what an
	// administrator can do instead; either may be "".
	Restore, ByHand string
	// Command is what restores it, "" where nothing does.
	Command string
	// Refusal is what the directory said of a ParkedRejected.
	Refusal *Refusal
}

// Refusal is what a directory says of an entry that it would not take.
type Refusal struct {
	// Code and Text are as in store.Parked.
	Code int
	Text string
	// Since is when it first did, GivenUp when an administrator gave the entry up, zero
	// as long as nobody has.
	Since, GivenUp time.Time
}

// ConflictSide is one of the two changes that met.
type ConflictSide struct {
	// CSN is zero where no single change decided; Server is the JID of its
	// author, "" when it is not known.
	CSN    changelog.CSN
	Server string
	// Value is raw octets, for names an RDN; Hidden says that it is a secret
	// that was left out, Parent is the DN of where a move went.
	Value  string
	Hidden bool
	Parent string
	// Op is what the change did, where neither Value nor Parent says it: add, modify,
	// delete, moddn or undelete, "" where that is not known.
	Op string
	// Change is what the log tells of the change: nil in a list, and when the log
	// does not hold it any more.
	Change *HistoryChange
}

// ConflictQuery says which conflicts are wanted.
type ConflictQuery struct {
	// Kinds are those wanted, all when empty.
	Kinds []dit.Kind
	// Name is the DN or the UUID of an entry: it and what is below it are wanted.
	Name string
	// Since wants those that are not older; the zero time wants all.
	Since time.Time
	// Limit is the length of a page, After the Next of the page before.
	Limit int
	After string
	// Secrets wants passwords too.
	Secrets bool
}

// ConflictPage is a part of the list: what is this server's alone, then the
// records of the state, newest first.
type ConflictPage struct {
	Conflicts []Conflict
	// Next is where the next page begins, "" after the last.
	Next string
	// Counts is how many there are of each kind, whatever was asked for.
	Counts map[dit.Kind]int
}

// RequestError is a request that makes no sense as things are.
type RequestError struct{ Text, HintText string }

func (e *RequestError) Error() string { return e.Text }

// Hint says what would make sense, or is "".
func (e *RequestError) Hint() string { return e.HintText }

// listingPage is how many conflicts are on a page unless the query says, and
// at most.
const (
	listingPage    = 100
	maxListingPage = 1000
)

// Conflicts returns a page of what was decided against somebody, and of what is
// set aside.
func (r *Replica) Conflicts(q ConflictQuery) (page ConflictPage, err error) {
	if q.Limit <= 0 {
		q.Limit = listingPage
	}
	q.Limit = min(q.Limit, maxListingPage)
	err = r.view(func(w *work) error {
		l := &listing{work: w, q: q, servers: map[changelog.SID]string{}}
		if q.Name != "" {
			if l.below, err = w.resolve(q.Name); err != nil {
				return err
			}
		}
		if page.Conflicts, page.Next, err = l.page(); err != nil {
			return err
		}
		page.Counts, err = w.conflictCounts()
		return err
	})
	return page, err
}

func (w *work) conflictCounts() (map[dit.Kind]int, error) {
	counts, err := w.dit.Counts()
	if err != nil {
		return nil, err
	}
	out := map[dit.Kind]int{
		ParkedRejected: w.ParkedCount() + w.GivenUpCount(), ParkedFuture: w.FutureCount(), DeniedByRole: w.DeniedCount(),
	}
	for i, kind := range dit.Kinds() {
		out[kind] = int(counts.Records[i])
	}
	maps.DeleteFunc(out, func(_ dit.Kind, n int) bool { return n == 0 })
	return out, nil
}

// listing is one answer on its way.
type listing struct {
	*work
	q       ConflictQuery
	below   changelog.ID
	servers map[changelog.SID]string
	// full wants what a list leaves out.
	full bool
}

// page goes through the sources in their order. Where it ends in one is a number
// for those of this server, and a word of package dit for the journal.
func (l *listing) page() (page []Conflict, next string, err error) {
	kinds := []dit.Kind{ParkedRejected, ParkedFuture, DeniedByRole}
	from, at, _ := strings.Cut(l.q.After, ":")
	begin := slices.Index(kinds, dit.Kind(from))
	switch {
	case from == "journal":
		begin = len(kinds)
	case l.q.After == "":
		begin = 0
	case begin < 0:
		return nil, "", notAPage(l.q.After)
	}
	for _, kind := range kinds[begin:] {
		if !l.wants(kind) {
			continue
		}
		skip := 0
		if string(kind) == from {
			if skip, err = strconv.Atoi(at); err != nil || skip < 0 {
				return nil, "", notAPage(l.q.After)
			}
		}
		n := 0
		err := l.each(kind, func(c Conflict) bool {
			if n++; n > skip && len(page) < l.q.Limit {
				page = append(page, c)
				skip = n
			}
			return n <= skip
		})
		if err != nil {
			return nil, "", err
		}
		if n > skip {
			return page, fmt.Sprintf("%s:%d", kind, skip), nil
		}
		at = ""
	}
	if from != "journal" {
		at = ""
	}
	return l.journal(page, at)
}

func notAPage(after string) error {
	return &RequestError{Text: fmt.Sprintf("not the end of a page: %.80q", after), HintText: "the end of an earlier list says where to go on"}
}

func (l *listing) wants(kind dit.Kind) bool {
	return len(l.q.Kinds) == 0 || slices.Contains(l.q.Kinds, kind)
}

// journal fills the page with records of the state.
func (l *listing) journal(page []Conflict, after string) ([]Conflict, string, error) {
	if len(page) == l.q.Limit {
		return page, "journal:", nil
	}
	d := dit.Listing{Kinds: l.q.Kinds, Below: l.below, Limit: l.q.Limit - len(page), After: after}
	if !l.q.Since.IsZero() {
		d.Since = l.q.Since.UnixMicro()
	}
	records, next, err := l.dit.List(d)
	if err != nil {
		return nil, "", err
	}
	for _, r := range records {
		c, err := l.conflict(r)
		if err != nil {
			return nil, "", err
		}
		page = append(page, cutValues(c))
	}
	if next != "" {
		next = "journal:" + next
	}
	return page, next, nil
}

// longValue is how much of a value is listed.
const longValue = 200

func cutValues(c Conflict) Conflict {
	for _, side := range []*ConflictSide{&c.Lost, &c.Won} {
		side.Value = cutValue(side.Value)
	}
	return c
}

func cutValue(v string) string {
	if len(v) <= longValue {
		return v
	}
	return strings.ToValidUTF8(v[:longValue], "?") + "..."
}

// resolve returns the entry of a DN or UUID: one that is shown, else the one
// that was last deleted under that name.
func (w *work) resolve(name string) (changelog.ID, error) {
	if id, err := changelog.ParseID(name); err == nil {
		return id, nil
	}
	d, err := parseName(name)
	if err != nil {
		return changelog.ID{}, err
	}
	if id, found, err := w.dit.Find(d); err != nil || found {
		return id, err
	}
	dead, err := w.dit.FindDeleted(d)
	if err != nil {
		return changelog.ID{}, err
	}
	if len(dead) == 0 {
		return changelog.ID{}, &RequestError{Text: fmt.Sprintf("no entry %s, nor was one deleted", name),
			HintText: "ldapsync undelete --list shows what was deleted"}
	}
	return slices.MaxFunc(dead, func(a, b dit.Tombstone) int { return a.Deleted.Compare(b.Deleted) }).ID, nil
}

// server returns the bare JID of the server with a number, "" when it is not known. It
// is what that server has said in its changes, so that every server tells the same,
// one that never met it too; only before the first heartbeat it is what the room shows.
func (w *work) server(sid changelog.SID) (string, error) {
	said, err := w.Roster().Member(sid)
	if err != nil || said.JID != "" {
		return bare(said.JID), err
	}
	if id := w.r.Identity(); sid == id.SID {
		return bare(id.JID), nil
	}
	shown, _, err := w.Member(sid)
	return bare(shown.JID), err
}

// conflict tells of a record of the state.
func (l *listing) conflict(r dit.Record) (c Conflict, err error) {
	c = Conflict{ID: r.ID(), Kind: r.Kind, Text: meanings[r.Kind].text, Entry: r.Entry, Attribute: l.spelt(r.Attribute), Other: r.Winner}
	c.advise()
	if c.DN, _, err = l.dit.NameOf(r.Entry); err != nil {
		return c, err
	}
	if !r.Winner.IsZero() {
		if c.OtherDN, _, err = l.dit.NameOf(r.Winner); err != nil {
			return c, err
		}
	}
	hidden := !l.q.Secrets && IsSecret(r.Attribute)
	if c.Lost, err = l.side(r.Lost, hidden); err != nil {
		return c, err
	}
	if c.Won, err = l.side(r.Won, hidden); err != nil {
		return c, err
	}
	c.Lost.Op, c.Won.Op = meanings[r.Kind].lost, meanings[r.Kind].won
	if l.full {
		err = l.explain(&c, r)
	}
	return c, err
}

// advise says what can be done about c.
func (c *Conflict) advise() {
	m := meanings[c.Kind]
	c.Restore, c.ByHand = m.restore, m.byHand
	if m.restore != "" {
		c.Command = strings.TrimSpace("ldapsync conflicts restore " + c.ID + " " + m.option)
	}
}

// spelt returns the attribute as the schema writes it.
func (w *work) spelt(canonical string) string {
	base, options, _ := strings.Cut(canonical, ";")
	if t := w.rules.Schema.Attribute(base); t != nil && len(t.Names) > 0 {
		base = t.Names[0]
	}
	return strings.TrimSuffix(base+";"+options, ";")
}

func (l *listing) side(s dit.Side, hidden bool) (out ConflictSide, err error) {
	out = ConflictSide{CSN: s.CSN, Value: s.Value}
	if hidden && s.Value != "" {
		out.Value, out.Hidden = "", true
	}
	if !s.Parent.IsZero() {
		if out.Parent, _, err = l.dit.NameOf(s.Parent); err != nil {
			return out, err
		}
	}
	if !s.CSN.IsZero() {
		out.Server, err = l.author(s.CSN.SID)
	}
	return out, err
}

func (l *listing) author(sid changelog.SID) (string, error) {
	name, known := l.servers[sid]
	if !known {
		var err error
		if name, err = l.server(sid); err != nil {
			return "", err
		}
		l.servers[sid] = name
	}
	return name, nil
}

// each calls fn with what of one kind is set aside on this server and asked
// for, until it returns false.
func (l *listing) each(kind dit.Kind, fn func(Conflict) bool) error {
	var failed error
	pass := func(c Conflict, when time.Time) bool {
		if !l.q.Since.IsZero() && when.Before(l.q.Since) {
			return true
		}
		if !l.below.IsZero() {
			in, err := l.dit.Below(c.Entry, l.below)
			if failed = err; err != nil || !in {
				return err == nil
			}
		}
		return fn(c)
	}
	change := func(c *changelog.Change, id string) bool {
		about, err := l.setAside(kind, c, id)
		if failed = err; err != nil {
			return false
		}
		return pass(about, c.CSN.When())
	}
	var err error
	switch kind {
	case ParkedRejected:
		err = l.eachParked(pass)
	case ParkedFuture:
		err = l.EachFuture(func(c *changelog.Change) bool { return change(c, "future:"+c.CSN.String()) })
	case DeniedByRole:
		err = l.EachDenied(func(d store.DeniedChange) bool { return change(d.Change, "denied:"+d.Key()) })
	}
	if err != nil {
		return err
	}
	return failed
}

// shownAside bounds how many parked entries are looked at.
const shownAside = 100_000

func (l *listing) eachParked(fn func(Conflict, time.Time) bool) error {
	parked, err := l.ParkedList(shownAside)
	if err != nil {
		return err
	}
	for _, p := range parked {
		c, err := l.refused(p, time.Time{})
		if err != nil {
			return err
		}
		if !fn(c, p.Since) {
			return nil
		}
	}
	given, err := l.GivenUpList(shownAside)
	if err != nil {
		return err
	}
	for _, g := range given {
		c, err := l.refused(g.Parked, g.At)
		if err != nil {
			return err
		}
		if !fn(c, g.Since) {
			return nil
		}
	}
	return nil
}

// refused tells of an entry that is parked, or was given up at a time.
func (l *listing) refused(p store.Parked, given time.Time) (c Conflict, err error) {
	c = Conflict{
		ID: "parked:" + p.ID.String(), Kind: ParkedRejected, Entry: p.ID, DN: p.DN,
		Text: fmt.Sprintf("the directory refuses it: %s (%d)", p.Text, p.Code), Refusal: &Refusal{p.Code, p.Text, p.Since, given},
	}
	c.advise()
	c.ByHand += " " + p.ID.String()
	if !given.IsZero() {
		c.Text = "given up on " + given.UTC().Format(time.RFC3339) + ": " + c.Text
	}
	if c.Lost, err = l.side(dit.Side{CSN: p.CSN}, false); err == nil && l.full {
		err = l.attribute(&c.Lost, p.ID)
	}
	return c, err
}

func (l *listing) setAside(kind dit.Kind, c *changelog.Change, id string) (about Conflict, err error) {
	about = Conflict{
		ID: id, Kind: kind, Text: meanings[kind].text + ": " + c.Op.String() + " " + summary(ofUsers(c.Mods)).String(), Entry: c.ID, DN: c.DN,
		Lost: ConflictSide{CSN: c.CSN, Value: c.RDN, Op: c.Op.String()},
	}
	about.advise()
	if about.Lost.Server, err = l.author(c.SID()); err != nil || !l.full {
		return about, err
	}
	about.Lost.Change, err = l.toldInShort(c, notesOf(c).client())
	return about, err
}
