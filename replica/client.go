package replica

import (
	"cmp"
	"strings"

	"ldapsync/changelog"
	"ldapsync/image"
)

// clients tells which client made a change of an entry. A directory notes its name and
// the second in the entry, and the change says so where they became others: a name that
// it does not mention is the one that was in the author's directory before. That follows
// from what the author had seen of earlier changes, alike on every server whose log
// reaches back as far.
type clients struct {
	log          *changelog.Log
	names, times register
}

// creatorsName is the canonical name of the attribute that says who made an entry.
const creatorsName = "creatorsname"

// clients returns what tells the clients of an entry, from its first change on.
func (w *work) clients(id changelog.ID) (*clients, error) {
	since, err := w.loggedSince()
	if err != nil {
		return nil, err
	}
	k := &clients{log: w.Log, names: newRegister(since), times: newRegister(since)}
	if k.names.now.value, k.names.now.Mark, err = w.dit.Register(id, image.ModifiersName); err != nil {
		return nil, err
	}
	k.times.now.value, k.times.now.Mark, err = w.dit.Register(id, modifyTimestamp)
	return k, err
}

// loggedSince returns the time since which the log has all changes that it ever had, or
// a state stood for.
func (w *work) loggedSince() (since changelog.CSN, err error) {
	v, err := w.Log.Vector()
	if err != nil {
		return since, err
	}
	for sid, last := range v {
		first, found, err := w.Log.Oldest(sid)
		switch {
		case err != nil:
			return since, err
		case !found:
			first = last
		case first.Seq == 1:
			continue
		}
		if since.Before(first.CSN) {
			since = first.CSN
		}
	}
	return since, nil
}

// made returns the name of the client that made a change, "" where no client did or it
// is not certain which. It must be asked about every change of the entry in their order.
func (k *clients) made(c *changelog.Change) (by string, err error) {
	n := notesOf(c)
	switch c.Op {
	case changelog.OpAdd:
		by = n.client()
	case changelog.OpModify:
		by = k.of(c, n)
	case changelog.OpModDN:
		by, err = k.renamed(c)
	}
	if n.name.said {
		k.names.set(c, n.name.value)
	}
	if n.time.said {
		k.times.set(c, n.time.value)
	}
	return by, err
}

// of returns the client of a change that says so much.
func (k *clients) of(c *changelog.Change, n notes) string {
	if n.name.said {
		return n.name.value
	}
	if !n.time.said && !k.inLastSecond(c) {
		return ""
	}
	by, _ := k.names.before(c)
	return by
}

// inLastSecond reports whether a change that mentions no time was certainly made by a
// client, in the second that the directory had noted: what commands make mentions none
// either. A CSN with a count need not have the time of its change.
func (k *clients) inLastSecond(c *changelog.Change) bool {
	second, certain := k.times.before(c)
	return certain && !c.Undelete && c.CSN.Count == 0 && second == generalizedTime(c.CSN)
}

// renamed returns the client of a rename or a move, which says nothing: what the
// directory noted of it is a change of its own right behind it, made of the same report.
// If that changes more, somebody has done more since, and may be another.
func (k *clients) renamed(c *changelog.Change) (string, error) {
	next, err := k.log.Get(c.SID(), c.Seq+1)
	if err != nil {
		return "", err
	}
	if next == nil || next.ID != c.ID || next.Op != changelog.OpModify || next.CSN.Time != c.CSN.Time {
		return k.of(c, notes{}), nil
	}
	switch n := notesOf(next); {
	case !n.name.said && !n.time.said:
		return k.of(c, n), nil
	case n.more:
		return "", nil
	default:
		return k.of(next, n), nil
	}
}

// notes are what a change says of how its directory noted the client and the time.
type notes struct {
	name, time, creator note
	// more says that the change is about other attributes, too.
	more bool
}

// note is the value that one of these attributes was given, "" for none. Where it
// stayed as it was nothing is said.
type note struct {
	said  bool
	value string
}

// client returns the name that they say, "" for none.
func (n notes) client() string { return cmp.Or(n.name.value, n.creator.value) }

func notesOf(c *changelog.Change) (n notes) {
	for _, m := range c.Mods {
		is := note{said: true}
		if len(m.Values) == 1 && m.Op != changelog.ModDelete {
			is.value = m.Values[0]
		}
		switch strings.ToLower(m.Attr) {
		case image.ModifiersName:
			n.name = is
		case modifyTimestamp:
			n.time = is
		case creatorsName:
			n.creator = is
		default:
			n.more = n.more || !isNote(m.Attr)
		}
	}
	return n
}

// isNote reports whether an attribute is one by which a directory notes who wrote an
// entry, and when.
func isNote(attr string) bool { return image.IsNote(strings.ToLower(attr)) }

// generalizedTime returns the time of a CSN as directories note it, in seconds.
func generalizedTime(c changelog.CSN) string { return c.When().UTC().Format("20060102150405Z") }
