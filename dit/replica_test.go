package dit_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dn"
	"ldapsync/schema"
)

// epoch is where the time of the tests begins, in microseconds.
const epoch = 1_700_000_000_000_000

// replica is one server without a network: it authors operations against what
// it has merged.
type replica struct {
	sid   changelog.SID
	rules dit.Rules
	kv    *dit.Memory
	seen  changelog.Seqs
	last  int64
	// open is used for a while, as in a transaction, so that its caches count.
	open *dit.State
	uses int
}

func newReplica(sid changelog.SID, rules dit.Rules) *replica {
	return &replica{sid: sid, rules: rules, kv: dit.NewMemory(), seen: changelog.Seqs{}, last: epoch}
}

func (r *replica) state() *dit.State {
	if r.uses++; r.open == nil || r.uses%50 == 0 {
		r.open = dit.Open(r.kv, r.rules)
	}
	return r.open
}

// merge delivers a change that follows the last of its author.
func (r *replica) merge(t testing.TB, c *changelog.Change) []dit.ID {
	t.Helper()
	touched, err := r.state().Merge(c)
	if err != nil {
		t.Fatalf("merge: %v", err)
	}
	r.seen[c.SID()] = max(r.seen[c.SID()], c.Seq)
	r.last = max(r.last, c.CSN.Time)
	return touched
}

// do makes an operation at a time after epoch and returns the change, nil when
// it changes nothing.
func (r *replica) do(t testing.TB, op dit.Operation, id dit.ID, at int64) (*changelog.Change, error) {
	t.Helper()
	c, err := r.state().Author(op, id)
	if c == nil || err != nil {
		return nil, err
	}
	r.stamp(c, at)
	r.merge(t, c)
	return c, nil
}

// stamp makes c the next change of r.
func (r *replica) stamp(c *changelog.Change, at int64) {
	c.Seen = changelog.Seqs{}
	for sid, seq := range r.seen {
		if sid != r.sid {
			c.Seen[sid] = seq
		}
	}
	c.Seq = r.seen[r.sid] + 1
	c.CSN = changelog.CSN{Time: max(r.last+1, epoch+at), SID: r.sid}
}

// testID returns the id that a name in a test stands for.
func testID(name string) (id dit.ID) {
	sum := sha256.Sum256([]byte(name))
	copy(id[:], sum[:])
	return id
}

func parseDN(t testing.TB, text string) dn.DN {
	t.Helper()
	name, err := dn.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func testRules(t testing.TB) dit.Rules {
	return dit.DefaultRules(schema.Standard(), parseDN(t, "ou=t,dc=x"))
}

// all returns every entry that a state shows, with its name.
func all(t testing.TB, s *dit.State, ids []dit.ID) map[string]*dit.Shown {
	t.Helper()
	out := map[string]*dit.Shown{}
	for _, id := range ids {
		shown, err := s.View(id)
		if err != nil {
			t.Fatalf("view: %v", err)
		}
		name, ok, err := s.DN(id)
		if err != nil || ok != (shown != nil) {
			t.Fatalf("dn of %s: %v %v, view %v", id, ok, err, shown)
		}
		if shown == nil {
			continue
		}
		key := name.String()
		if out[key] != nil {
			t.Fatalf("two entries are shown as %s", key)
		}
		found, ok, err := s.Find(name)
		if err != nil || !ok || found != id {
			t.Fatalf("find %s: %v %v %v, want %s", key, found, ok, err, id)
		}
		out[key] = shown
	}
	return out
}

func journal(t testing.TB, s *dit.State) []dit.Record {
	t.Helper()
	var out []dit.Record
	if err := s.Journal(func(r dit.Record) bool { out = append(out, r); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

// dump returns a store's content as text.
func dump(kv dit.KV) map[string]string {
	out := map[string]string{}
	kv.Scan(nil, nil, func(k, v []byte) bool {
		if dit.Bookkeeping(k) {
			return true
		}
		out[fmt.Sprintf("%c%x", k[0], k[1:])] = string(v)
		return true
	})
	return out
}
