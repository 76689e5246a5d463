package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/store"
)

var errGivenUp = errors.New("given up")

// content is what a store holds, as far as the test writes it.
func content(t *testing.T, s *store.Store) (out []string) {
	t.Helper()
	err := s.View(func(tx *store.Tx) error {
		tx.KV().Scan(nil, nil, func(k, v []byte) bool {
			out = append(out, fmt.Sprintf("%x=%x", k, v))
			return true
		})
		marks, err := tx.DirtyAfter(0, 1000)
		out = append(out, fmt.Sprint(marks, tx.DirtyCount(), tx.ParkedCount()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMemoryIsLikeAFile makes the same transactions, some of them given up, on
// both.
func TestMemoryIsLikeAFile(t *testing.T) {
	inFile, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer inFile.Close()
	inMemory, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(200) {
		for _, s := range []*store.Store{inFile, inMemory} {
			rng := rand.New(rand.NewPCG(seed, 1))
			err := s.Update(func(tx *store.Tx) error { return writeAtRandom(tx, rng) })
			if err != nil && !errors.Is(err, errGivenUp) {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(content(t, inFile), content(t, inMemory)); diff != "" {
			t.Fatalf("transaction %d (-file +memory):\n%s", seed, diff)
		}
	}
}

func writeAtRandom(tx *store.Tx, rng *rand.Rand) error {
	kv := tx.KV()
	for range rng.IntN(20) {
		key := []byte{byte(rng.IntN(4)), byte(rng.IntN(100))}
		id := changelog.ID{byte(1 + rng.IntN(9))}
		var err error
		switch rng.IntN(6) {
		case 0:
			err = kv.Delete(key)
		case 1:
			err = tx.MarkDirty(id, changelog.Seqs{1: rng.Uint64()})
		case 2:
			err = tx.ClearDirty(id)
		case 3:
			err = tx.Park(store.Parked{ID: id})
		case 4:
			err = tx.Unpark(id)
		default:
			err = kv.Put(key, make([]byte, rng.IntN(3)))
		}
		if err != nil {
			return err
		}
	}
	if rng.IntN(3) == 0 {
		return errGivenUp
	}
	return nil
}

func TestGuardDecidesWhetherATransactionLasts(t *testing.T) {
	m := store.NewMemory()
	s, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	publish := func(n uint64) error {
		return s.Update(func(tx *store.Tx) error { return tx.SetPublished(n) })
	}
	published := func(s *store.Store) (n uint64) {
		if err := s.View(func(tx *store.Tx) error { n = tx.Published(); return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	update(t, s, func(tx *store.Tx) error { return tx.SetPublished(1) })
	for _, c := range []struct {
		commit bool
		want   uint64
	}{{false, 1}, {true, 3}} {
		m.SetGuard(func(commit func()) error {
			if c.commit {
				commit()
			}
			return errGivenUp
		})
		if err := publish(3); !errors.Is(err, errGivenUp) || published(s) != c.want {
			t.Errorf("commit %v: %v, published %d, want %d", c.commit, err, published(s), c.want)
		}
	}
	m.SetGuard(nil)
	backup, err := m.Copy().Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(4); err != nil || published(s) != 4 || published(backup) != 3 {
		t.Errorf("%v, published %d, in the copy %d", err, published(s), published(backup))
	}
}
