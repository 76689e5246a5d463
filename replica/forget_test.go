package replica_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory/memory"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/schema"
	"ldapsync/store"
)

// listener is a replica that only listens to two others, at a time of its own.
type listener struct {
	*replica.Replica
	t     *testing.T
	store *store.Store
	now   time.Time
}

func newListener(t *testing.T) *listener {
	l := &listener{t: t, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	if l.store, err = store.NewMemory().Open(); err != nil {
		t.Fatal(err)
	}
	err = l.store.Update(func(tx *store.Tx) error {
		return tx.SetIdentity(store.Identity{Suffix: suffix, JID: "a@x", Install: "a", SID: 1, Joined: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return l.now }
	l.Replica, err = replica.New(context.Background(), replica.Config{
		Suffix: mustDN(suffix), Store: l.store, Now: clock, Log: slog.New(slog.DiscardHandler),
		Directory: memory.New(mustDN(suffix), schema.Standard(), clock, newIDs(1)),
		Rules:     func(s *schema.Schema) dit.Rules { return dit.DefaultRules(s, mustDN(suffix)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	var peers []replica.Peer
	for sid := changelog.SID(2); sid <= 3; sid++ {
		peers = append(peers, replica.Peer{JID: fmt.Sprintf("p%d@x", sid), SID: sid, Install: fmt.Sprint(sid), Role: roles.Master, State: "ready"})
	}
	if err := l.SetPeers(peers); err != nil {
		t.Fatal(err)
	}
	return l
}

// hear lets a change arrive that a server makes now.
func (l *listener) hear(sid changelog.SID, seq uint64, c changelog.Change) {
	l.t.Helper()
	c.Seq, c.CSN = seq, changelog.CSN{Time: l.now.UnixMicro(), SID: sid}
	l.receive(c)
}

func (l *listener) receive(c changelog.Change) {
	l.t.Helper()
	got, err := l.Receive(replica.Delivery{Relay: c.SID(), RelayRole: roles.Master, Changes: []changelog.Change{c}})
	if err != nil || got.New != 1 {
		l.t.Fatalf("change %s/%d: %+v, %v", c.SID(), c.Seq, got, err)
	}
}

// write lets an entry arrive, below one that never does.
func (l *listener) write(sid changelog.SID, seq uint64) {
	l.t.Helper()
	l.hear(sid, seq, changelog.Change{
		Op: changelog.OpAdd, ID: changelog.ID{byte(sid), 14: byte(seq >> 8), 15: byte(seq)}, Superior: changelog.ID{1}, RDN: fmt.Sprintf("cn=%d", seq),
		Mods: []changelog.Mod{{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"person"}}},
	})
}

func (l *listener) beat(sid changelog.SID, seq uint64, seen changelog.Seqs) {
	l.t.Helper()
	l.hear(sid, seq, changelog.Change{Op: changelog.OpHeartbeat, Seen: seen})
}

// forget takes every step there is, and returns how many entries are dead and how
// many keys the facts take.
func (l *listener) forget() (dead uint64, keys int) {
	l.t.Helper()
	for more := true; more; {
		var err error
		if more, err = l.StepForget(); err != nil {
			l.t.Fatal(err)
		}
	}
	err := l.store.View(func(tx *store.Tx) error {
		counts, err := dit.Open(tx.KV(), dit.DefaultRules(schema.Standard(), mustDN(suffix))).Counts()
		dead = counts.Dead
		tx.KV().Scan(nil, nil, func(_, _ []byte) bool {
			keys++
			return true
		})
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return dead, keys
}

// TestDeletedEntriesAreForgotten promises that an entry that was deleted is
// forgotten when every member has had that for a month, not before.
func TestDeletedEntriesAreForgotten(t *testing.T) {
	const n = 300
	l := newListener(t)
	var two, three uint64
	for ; two < n; two++ {
		l.now = l.now.Add(time.Second)
		l.write(2, two+1)
	}
	for range n {
		l.now = l.now.Add(time.Second)
		two++
		l.hear(2, two, changelog.Change{Op: changelog.OpDelete, ID: changelog.ID{2, 14: byte((two - n) >> 8), 15: byte(two - n)}})
	}
	// Both say what they have, day after day.
	beats := func(days int, known uint64) {
		for range days {
			l.now = l.now.Add(24 * time.Hour)
			two++
			l.beat(2, two, changelog.Seqs{3: three})
			three++
			l.beat(3, three, changelog.Seqs{2: min(two, known)})
			l.forget()
		}
	}
	beats(60, n)
	if dead, _ := l.forget(); dead != n {
		t.Errorf("one member lacks the deletions, and %d of %d are left", dead, n)
	}
	_, before := l.forget()
	beats(5, 1<<40)
	if dead, after := l.forget(); dead != 0 || after >= before {
		t.Errorf("all have had the deletions for a month, %d are left, in %d keys instead of %d", dead, after, before)
	}
}
