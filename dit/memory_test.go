package dit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/dit"
)

// model is a Memory and what it must hold.
type model struct {
	kv   *dit.Memory
	want map[string]string
}

// TestMemory compares a Memory, and copies of it that go their own way, with maps.
func TestMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	models := []model{{dit.NewMemory(), map[string]string{}}}
	for i := range 60_000 {
		m := models[rng.IntN(len(models))]
		key := []string{"", "aaaa", "aaaaaaaa", "\x00\x00"}[rng.IntN(4)] + fmt.Sprintf("%03x", rng.IntN(400)) + []string{"", "\x00"}[rng.IntN(2)]
		switch n := rng.IntN(10_000); {
		case n < 5 && len(models) < 5:
			models = append(models, model{m.kv.Clone(), maps.Clone(m.want)})
		case n < 3000+i/10:
			delete(m.want, key)
			if err := m.kv.Delete([]byte(key)); err != nil {
				t.Fatal(err)
			}
		default:
			value := fmt.Sprint(i)
			m.want[key] = value
			if err := m.kv.Put([]byte(key), []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.kv.Get([]byte(key)); string(got) != m.want[key] || (got == nil) == (m.want[key] != "") {
			t.Fatalf("step %d: %s is %q, want %q", i, key, got, m.want[key])
		}
		if i%500 == 0 {
			for _, m := range models {
				m.check(t, fmt.Sprintf("%x", rng.IntN(16)), key)
			}
		}
	}
}

func (m model) check(t *testing.T, prefix, from string) {
	t.Helper()
	var want, got []string
	for _, k := range slices.Sorted(maps.Keys(m.want)) {
		if k[:1] == prefix && k >= from {
			want = append(want, k+m.want[k])
		}
	}
	m.kv.Scan([]byte(prefix), []byte(from), func(k, v []byte) bool {
		got = append(got, string(k)+string(v))
		return true
	})
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("scan of %s from %s: %s", prefix, from, d)
	}
	if m.kv.Len() != len(m.want) {
		t.Fatalf("%d keys, want %d", m.kv.Len(), len(m.want))
	}
}
