package dit_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
)

var lifeChanges = flag.Int("changes", 12_000, "changes of TestLongLife; a million takes some minutes")

// life is one state that two servers write to in turn, ten minutes apart, each
// knowing what the other did, and that forgets every day what is a day old.
type life struct {
	t    *testing.T
	rng  *rand.Rand
	at   *replica
	ids  int
	live []string // the names of the entries below the base, containers left out
	last time.Duration
}

const (
	lifeEvery   = 10 * time.Minute
	lifeEntries = 200
)

func (l *life) name(i int) string {
	return fmt.Sprintf("cn=p%d,ou=u%d,ou=t,dc=x", i, l.rng.IntN(4))
}

func (l *life) do(op dit.Operation) bool {
	l.ids++
	l.last += lifeEvery
	l.at.sid = changelog.SID(1 + l.ids%2)
	c, err := l.at.do(l.t, op, testID(fmt.Sprint("life", l.ids)), l.last.Microseconds())
	return err == nil && c != nil
}

func (l *life) add(i int) {
	name := l.name(i)
	if l.do(dit.Operation{Op: changelog.OpAdd, DN: parseDN(l.t, name), Attrs: []dit.Attribute{
		{Name: "objectClass", Values: []string{"inetOrgPerson"}}, {Name: "cn", Values: []string{fmt.Sprint("p", i)}}, {Name: "sn", Values: []string{"s"}},
		{Name: "mail", Values: []string{fmt.Sprintf("p%d@example.org", i)}}, {Name: "description", Values: []string{"somebody who works here"}},
	}}) {
		l.live = append(l.live, name)
	}
}

// step makes one operation: mostly modifications, and as many deletions as
// additions.
func (l *life) step(i int) {
	k := l.rng.IntN(len(l.live))
	name := parseDN(l.t, l.live[k])
	modify := func(op dit.ModificationOp, attr string, values ...string) {
		l.do(dit.Operation{Op: changelog.OpModify, DN: name, Modifications: []dit.Modification{{Op: op, Attr: attr, Values: values}}})
	}
	group := parseDN(l.t, "cn=group,ou=t,dc=x")
	switch n := l.rng.IntN(20); {
	case len(l.live) < lifeEntries:
		l.add(i)
	case n < 2:
		if l.do(dit.Operation{Op: changelog.OpDelete, DN: name}) {
			l.live[k] = l.live[len(l.live)-1]
			l.live = l.live[:len(l.live)-1]
		}
	case n < 4:
		to := fmt.Sprintf("ou=u%d,ou=t,dc=x", l.rng.IntN(4))
		if l.do(dit.Operation{Op: changelog.OpModDN, DN: name, NewRDN: name[0], NewSuperior: parseDN(l.t, to)}) {
			l.live[k] = name[0].String() + "," + to
		}
	case n < 6:
		rdn := parseDN(l.t, fmt.Sprintf("cn=r%d", i))[0]
		if l.do(dit.Operation{Op: changelog.OpModDN, DN: name, NewRDN: rdn, DeleteOldRDN: true}) {
			l.live[k] = rdn.String() + "," + name[1:].String()
		}
	case n < 10:
		op := dit.AddValues
		if n < 8 {
			op = dit.DeleteValues
		}
		l.do(dit.Operation{Op: changelog.OpModify, DN: group, Modifications: []dit.Modification{{Op: op, Attr: "member", Values: []string{fmt.Sprintf("cn=m%d,dc=x", l.rng.IntN(2000))}}}})
	case n < 16:
		modify(dit.ReplaceValues, "mail", fmt.Sprintf("mail%d@example.org", i))
	case n < 18:
		modify(dit.AddValues, "description", fmt.Sprint("d", l.rng.IntN(10)))
	default:
		modify(dit.DeleteValues, "description", fmt.Sprint("d", l.rng.IntN(10)))
	}
}

// forget drops what was made more than a day ago.
func (l *life) forget() {
	before := epoch + (l.last - 24*time.Hour).Microseconds()
	f := dit.Forgetting{
		Stable:     func(csn changelog.CSN, _ uint64) bool { return csn.Time < before },
		Before:     changelog.CSN{Time: before},
		Stored:     l.at.seen,
		Newest:     changelog.CSN{Time: l.at.last},
		Tombstones: 30 * 24 * time.Hour, Records: 365 * 24 * time.Hour,
	}
	for more := true; more; {
		var err error
		if more, err = l.at.state().Forget(f, 200); err != nil {
			l.t.Fatal(err)
		}
	}
}

// size returns the octets of all keys and values.
func (l *life) size() (n int) {
	l.at.kv.Scan(nil, nil, func(k, v []byte) bool {
		n += len(k) + len(v)
		return true
	})
	return n
}

// TestLongLife promises that a state with a steady number of entries does not
// grow, however many changes it is given.
func TestLongLife(t *testing.T) {
	l := &life{t: t, rng: rand.New(rand.NewPCG(1, 2)), at: newReplica(1, testRules(t))}
	for _, name := range []string{"ou=t,dc=x", "ou=u0,ou=t,dc=x", "ou=u1,ou=t,dc=x", "ou=u2,ou=t,dc=x", "ou=u3,ou=t,dc=x"} {
		l.do(dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, name), Attrs: []dit.Attribute{{Name: "objectClass", Values: []string{"organizationalUnit"}}}})
	}
	l.do(dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "cn=group,ou=t,dc=x"), Attrs: []dit.Attribute{
		{Name: "objectClass", Values: []string{"groupOfNames"}}, {Name: "member", Values: []string{"cn=first,dc=x"}}}})
	for i := range lifeEntries {
		l.add(i)
	}
	var half int
	for i := range *lifeChanges {
		l.step(lifeEntries + i)
		if i%144 == 0 {
			l.forget()
		}
		switch every := max(*lifeChanges/10, 1); {
		case i%every == every-1:
			t.Logf("%d changes: %d entries, %d octets for each", i+1, len(l.live), l.size()/len(l.live))
		case i == *lifeChanges/2:
			half = l.size()
		}
	}
	if end := l.size(); end > half*5/4 {
		t.Errorf("the state grew from %d to %d octets in the second half of its life", half, end)
	}
}
