package changelog_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/store"
)

// names returns the last byte of the entry of every change, and its name.
func names(t *testing.T, l *changelog.Log) (out []string) {
	t.Helper()
	if err := l.Names(func(id changelog.ID, dn []byte) bool {
		out = append(out, fmt.Sprintf("%d %s", id[0], dn))
		return len(out) < 4
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// history returns the sequence numbers of the changes of an entry.
func history(t *testing.T, l *changelog.Log, id changelog.ID, after changelog.CSN) []uint64 {
	t.Helper()
	out := []uint64{}
	if err := l.History(id, after, func(c *changelog.Change) bool { out = append(out, c.Seq); return len(out) < 3 }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHistory(t *testing.T) {
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	ann, bob := changelog.ID{1}, changelog.ID{2}
	err = s.Update(func(tx *store.Tx) error {
		for seq := range uint64(6) {
			c := &changelog.Change{Seq: seq + 1, CSN: changelog.CSN{Time: int64(seq + 1), SID: 1}, Op: changelog.OpDelete, ID: ann, DN: fmt.Sprint("cn=", seq)}
			if seq%2 == 1 {
				c.ID = bob
			}
			if err := tx.Log.Append(c); err != nil {
				return err
			}
		}
		beat := &changelog.Change{Seq: 7, CSN: changelog.CSN{Time: 7, SID: 1}, Op: changelog.OpHeartbeat}
		if err := tx.Log.Append(beat); err != nil {
			return err
		}
		at := changelog.CSN{Time: 1, SID: 1}
		if d := cmp.Diff([][]uint64{{1, 3, 5}, {3, 5}, {2, 4, 6}, {}}, [][]uint64{
			history(t, tx.Log, ann, changelog.CSN{}), history(t, tx.Log, ann, at), history(t, tx.Log, bob, changelog.CSN{}), history(t, tx.Log, changelog.ID{}, at),
		}); d != "" {
			t.Error(d)
		}
		if n, err := tx.Log.Trim(1, 3, 100); n != 3 || err != nil {
			t.Error(n, err)
		}
		if d := cmp.Diff([][]uint64{{5}, {4, 6}}, [][]uint64{history(t, tx.Log, ann, changelog.CSN{}), history(t, tx.Log, bob, changelog.CSN{})}); d != "" {
			t.Errorf("trimmed: %s", d)
		}
		if d := cmp.Diff([]string{"2 cn=3", "1 cn=4", "2 cn=5"}, names(t, tx.Log)); d != "" {
			t.Errorf("names: %s", d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
