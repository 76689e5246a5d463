package replica_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/store"
)

// TestDeletionOfWhatOthersMayHaveForgotten promises that a client's deletion of an entry
// that the room deleted long ago, and that a restored directory still holds, is not
// recorded: who has forgotten the entry would wait for it for ever.
func TestDeletionOfWhatOthersMayHaveForgotten(t *testing.T) {
	for name, days := range map[string]int{"long ago": 60, "of late": 1} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			a := c.nodes[0]
			a.start(1)
			a.do(base()...)
			a.do(person("ann"))
			c.settled()
			a.dir.SetRefuse(func(w directory.Write) error {
				if w.Op != directory.Delete {
					return nil
				}
				return &directory.RefusedError{Code: 53, Text: "not yet"}
			})
			v, err := a.Vector()
			if err != nil {
				t.Fatal(err)
			}
			ann := a.dir.Find(mustDN("uid=ann,ou=people," + suffix))
			died := changelog.Change{
				Seq: 1, CSN: changelog.CSN{Time: max(time.Now().UnixMicro(), v[1].CSN.Time+1), SID: 9}, Op: changelog.OpDelete, ID: ann, Seen: changelog.Seqs{1: v[1].Seq},
			}
			got, err := a.Receive(replica.Delivery{Relay: 7, RelayRole: roles.Master, Changes: []changelog.Change{died}})
			if err != nil || got.New != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			c.eventually(func() string {
				if s, err := a.Status(); err != nil || len(s.Parked) == 0 {
					return fmt.Sprintf("the deletion is not refused, %v", err)
				}
				return ""
			})
			a.stop()
			s, err := store.Open(a.path)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Update(func(tx *store.Tx) error {
				id, err := tx.Identity()
				id.Entered = changelog.Seqs{9: 1}
				return errors.Join(err, tx.SetIdentity(id))
			})
			if err := errors.Join(err, s.Close()); err != nil {
				t.Fatal(err)
			}
			c.ahead.Store(int64(time.Duration(days) * 24 * time.Hour))
			a.start(1)
			before := a.beatsNow()
			c.eventually(func() string {
				if a.beatsNow() == before {
					return "no heartbeat"
				}
				return ""
			})
			a.do(directory.Write{Op: directory.Delete, DN: "uid=ann,ou=people," + suffix}, person("bob"))
			c.settled()
			recorded := false
			for _, ch := range a.own() {
				recorded = recorded || ch.Op == changelog.OpDelete
			}
			if recorded == (days > 30) {
				t.Errorf("the deletion is recorded: %t", recorded)
			}
		})
	}
}
