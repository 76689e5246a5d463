package simulate

import (
	"fmt"
	"slices"
	"strings"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/store"
)

// traces follows what clients write to a directory whose clients are not watched,
// as its state file was lost, or it was restored from a backup, or its server has
// not joined yet: values that stand nowhere else. What the replica takes away of
// them must have become a change or have been written down before.
type traces struct {
	// at holds in which entry of the directory each stands, but for what was written
	// when the server may not write, which is put back.
	at map[string]changelog.ID
}

// tokenMark is how the values begin that stand nowhere else.
const tokenMark = "token-"

// traced reports whether clients give an attribute such values.
func traced(attr string) bool {
	return attr == "description" || attr == "mail" || attr == "employeeNumber"
}

// tokensIn returns the values of an entry that stand nowhere else, nil when there
// is no such entry.
func (nd *node) tokensIn(id changelog.ID) map[string]bool {
	out := map[string]bool{}
	if e := nd.server.Entry(id); e != nil {
		for _, a := range e.Attrs {
			for _, v := range a.Values {
				if strings.HasPrefix(v, tokenMark) {
					out[v] = true
				}
			}
		}
	}
	return out
}

// written notes what a client has made of an entry, which was as before: what it
// took away is its own affair.
func (t *traces) written(nd *node, id changelog.ID, before snapshot) {
	if !nd.lost {
		return
	}
	if t.at == nil {
		t.at = map[string]changelog.ID{}
	}
	here := nd.tokensIn(id)
	for v, at := range t.at {
		if at == id && !here[v] {
			delete(t.at, v)
		}
	}
	own := fmt.Sprintf("%s%d.", tokenMark, nd.i+1)
	for v := range here {
		had := slices.ContainsFunc(before.values, func(h held) bool { return h.raw == v })
		if strings.HasPrefix(v, own) && !had {
			t.at[v] = id
		}
	}
}

// restored forgets what the directory lost with a backup.
func (t *traces) restored(nd *node) {
	for v, id := range t.at {
		if !nd.tokensIn(id)[v] {
			delete(t.at, v)
		}
	}
}

// of returns what stands in the entries that are about to be written.
func (t *traces) of(nd *node, writes []directory.Write) (tokens []string) {
	for _, w := range writes {
		for v, id := range t.at {
			if id == w.ID && nd.tokensIn(id)[v] {
				tokens = append(tokens, v)
			}
		}
	}
	return tokens
}

// applied checks what the replica's writes have taken away.
func (t *traces) applied(nd *node, tokens []string) {
	for _, v := range tokens {
		id := t.at[v]
		if nd.tokensIn(id)[v] {
			continue
		}
		delete(t.at, v)
		nd.w.stats.Traced++
		if !nd.noted(v) {
			fail("lost", "%s took away what a client had written to %s and left no trace of it: %s", nd.name, short(id), v)
		}
	}
}

// noted reports whether a value is part of a change that some log holds, also if
// that server is away, or was written down.
func (nd *node) noted(token string) bool {
	nd.w.inspect()
	for _, m := range nd.w.made {
		if strings.Contains(m.raw, token) {
			return true
		}
	}
	own := false
	nd.readLog(func(l *changelog.Log) error {
		return l.After(nd.sid(), max(l.First(nd.sid()), 1)-1, func(c *changelog.Change) bool {
			own = own || strings.Contains(showChange(c), token)
			return true
		})
	})
	nd.readStore(func(t *store.Tx) error { // what a read-only server puts back it keeps
		return t.EachDenied(func(d store.DeniedChange) bool {
			own = own || d.Own && strings.Contains(showChange(d.Change), token)
			return !own
		})
	})
	if own {
		return true
	}
	for _, rec := range nd.kept {
		if strings.Contains(fmt.Sprintf("%+v", *rec), token) {
			return true
		}
	}
	return false
}
