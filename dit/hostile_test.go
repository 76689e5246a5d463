package dit_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// hostile returns a change that no server with good intentions makes: of and
// below any entry, whether it exists or not, with any time.
func hostile(rng *rand.Rand, seq uint64, ids []dit.ID) *changelog.Change {
	parents := append([]dit.ID{{}}, ids...)
	c := &changelog.Change{
		Seq: seq, CSN: changelog.CSN{Time: epoch + rng.Int64N(40), Count: uint32(seq), SID: changelog.SID(1 + rng.IntN(3))},
		ID: pick(rng, ids), Seen: changelog.Seqs{changelog.SID(1 + rng.IntN(3)): uint64(rng.IntN(30))},
	}
	rdn := pick(rng, []string{"ou=p", "ou=q", "cn=a", "cn=a+sn=b", "ou=p+ldapsyncConflictId=6d61df00-0000-4000-8000-000000000000"})
	mod := changelog.Mod{Op: changelog.ModAdd, Attr: pick(rng, modAttrs), Values: pick(rng, [][]string{{"a"}, {"b", "A"}, {"a", "A"}})}
	unit := changelog.Mod{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{pick(rng, []string{"organizationalUnit", "inetOrgPerson"})}}
	if rng.IntN(4) == 0 {
		unit.Values = append(unit.Values, "LDAPSYNCconflict")
	}
	switch rng.IntN(8) {
	case 0, 1, 2:
		c.Op, c.RDN, c.Superior, c.Mods = changelog.OpAdd, rdn, pick(rng, parents), []changelog.Mod{unit, mod}
	case 3:
		c.Op = changelog.OpDelete
	case 4, 5:
		c.Op, c.Moved, c.Superior = changelog.OpModDN, true, pick(rng, parents)
		if rng.IntN(2) == 0 {
			c.RDN, c.DeleteOldRDN = rdn, rng.IntN(2) == 0
		}
	default:
		mod.Op = changelog.ModOp(1 + rng.IntN(3))
		c.Op, c.Mods, c.Undelete = changelog.OpModify, []changelog.Mod{mod, unit}, rng.IntN(3) == 0
	}
	return c
}

// TestHostile merges changes that contradict one another, in any order: the state
// must agree with the naive one and with itself in another order.
func TestHostile(t *testing.T) { hostilely(t, 50) }

// TestHostileSpilled is TestHostile with nearly every value under a key of its own.
func TestHostileSpilled(t *testing.T) {
	defer dit.SetSpill(0, 0)()
	hostilely(t, 50)
}

func hostilely(t *testing.T, seeds int) {
	if testing.Short() {
		seeds = 20
	}
	if more, err := strconv.Atoi(os.Getenv("DIT_SEEDS")); err == nil {
		seeds = more
	}
	rules := testRules(t)
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(seed), 3))
			w := &world{t: t, rng: rng, rules: rules, replicas: []*replica{newReplica(99, rules)}, has: make([][]*changelog.Change, 1)}
			for range 6 {
				w.id()
			}
			for len(w.changes) < 30 {
				if c := hostile(rng, uint64(len(w.changes)+1), w.ids); c.Check() == nil && !(c.Op == changelog.OpAdd && c.ID == c.Superior) {
					w.changes = append(w.changes, c)
					w.deliver(0, c)
				}
			}
			rng.Shuffle(len(w.changes), func(i, j int) { w.changes[i], w.changes[j] = w.changes[j], w.changes[i] })
			again := newReplica(98, rules)
			for _, c := range append(w.changes, w.changes[:10]...) {
				again.merge(t, c)
			}
			w.rebuild(again, dump(again.kv))
			if d := cmp.Diff(dump(w.replicas[0].kv), dump(again.kv)); d != "" {
				t.Fatal(d)
			}
		})
	}
}
