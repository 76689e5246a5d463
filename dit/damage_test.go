package dit_test

import (
	"bytes"
	"errors"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// eventful returns a state in which everything has happened, and its ids.
func eventful(t testing.TB) (*dit.Memory, []dit.ID) {
	defer dit.SetSpill(3, 1<<10)()
	w := newWorld(t, profile{add: 8, remove: 2, rename: 3, move: 6, values: 6, restore: 1, names: profiles["names"].names}, 228)
	w.quiet = true
	for range 60 {
		w.step()
	}
	w.settle()
	r := w.replicas[1]
	for i := range 6 {
		w.author(1, dit.Operation{Op: changelog.OpModify, DN: w.shown(1)[0], Modifications: []dit.Modification{
			{Op: dit.AddValues, Attr: "description", Values: []string{string(rune('k' + i))}},
		}})
	}
	kinds := map[byte]bool{}
	r.kv.Scan(nil, nil, func(k, _ []byte) bool { kinds[k[0]] = true; return true })
	for _, kind := range []byte("evsnomjkrdDRputc") {
		if !kinds[kind] {
			t.Fatalf("nothing of kind %c", kind)
		}
	}
	return r.kv, w.ids
}

// exercise asks a state everything. Only errors that say that it is damaged are
// expected.
func exercise(t *testing.T, kv dit.KV, ids []dit.ID) (damaged bool) {
	rules := testRules(t)
	check := func(err error) {
		if errors.Is(err, dit.ErrDamaged) {
			damaged = true
		} else if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
	}
	s := dit.Open(kv, rules)
	for i, id := range ids {
		_, err := s.View(id)
		check(err)
		_, _, err = s.DN(id)
		check(err)
		_, err = s.Records(id)
		check(err)
		_, err = s.Newest(id)
		check(err)
		_, err = s.Life(id)
		check(err)
		for op := changelog.OpAdd; op <= changelog.OpModDN; op++ {
			c := &changelog.Change{Seq: uint64(i + 1), CSN: changelog.CSN{Time: epoch + int64(i)*7, SID: 9}, Op: op, ID: id, Moved: true, RDN: "cn=z"}
			_, err = s.Merge(c)
			check(err)
		}
	}
	check(s.Journal(func(dit.Record) bool { return true }))
	_, err := s.Withheld()
	check(err)
	_, err = s.Counts()
	check(err)
	_, err = s.Digest()
	check(err)
	check(s.Rebuild())
	return damaged
}

// FuzzDamage replaces one stored value: nothing may panic, and what cannot be
// read is an error.
func FuzzDamage(f *testing.F) {
	kv, ids := eventful(f)
	var keys, values [][]byte
	kv.Scan(nil, nil, func(k, v []byte) bool {
		keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
		return true
	})
	for i := range keys {
		f.Add(uint(i), []byte{})
		f.Add(uint(i), values[(i+7)%len(values)])
		if n := len(values[i]); n > 0 {
			f.Add(uint(i), values[i][:n-1])
			f.Add(uint(i), append(bytes.Clone(values[i]), 0))
		}
	}
	f.Fuzz(func(t *testing.T, i uint, value []byte) {
		damagedKV := kv.Clone()
		if err := damagedKV.Put(keys[i%uint(len(keys))], value); err != nil {
			t.Fatal(err)
		}
		exercise(t, damagedKV, ids)
	})
}

// FuzzRecord reads facts: what can be read is written and read again as the same.
func FuzzRecord(f *testing.F) {
	kv, _ := eventful(f)
	kv.Scan([]byte("e"), nil, func(_, v []byte) bool {
		f.Add(string(v[dit.NodeSize:]))
		return true
	})
	f.Fuzz(func(t *testing.T, facts string) {
		once, err := dit.Reencode(facts)
		if err != nil {
			if !errors.Is(err, dit.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		twice, err := dit.Reencode(string(once))
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%x\nis written as\n%x\nand then as\n%x (%v)", facts, once, twice, err)
		}
	})
}

// TestDamage cuts every record short.
func TestDamage(t *testing.T) {
	kv, ids := eventful(t)
	if exercise(t, kv.Clone(), ids) {
		t.Fatal("the state is damaged before")
	}
	kv.Scan([]byte("e"), nil, func(k, v []byte) bool {
		for n := 0; n < len(v); n += 1 + n/16 {
			cut := kv.Clone()
			if err := cut.Put(k, v[:n]); err != nil {
				t.Fatal(err)
			}
			if !exercise(t, cut, ids) {
				t.Errorf("record cut to %d of %d bytes is not noticed", n, len(v))
			}
		}
		return !testing.Short()
	})
}

// TestDamagedText damages what a record or a key says in words.
func TestDamagedText(t *testing.T) {
	kv, ids := eventful(t)
	for _, tt := range []struct{ kind, old, new string }{
		{"e", "cn=b", "cn+b"},
		{"m", "", ""},
	} {
		found := false
		kv.Scan([]byte(tt.kind), nil, func(k, v []byte) bool {
			other := bytes.ReplaceAll(v, []byte(tt.old), []byte(tt.new))
			if tt.old == "" {
				other = nil
			}
			if found = !bytes.Equal(v, other); !found {
				return true
			}
			damaged := kv.Clone()
			if err := damaged.Put(k, other); err != nil {
				t.Fatal(err)
			}
			if !exercise(t, damaged, ids) {
				t.Errorf("%q for %q is not noticed", other, v)
			}
			return false
		})
		if !found {
			t.Errorf("nothing of kind %s to damage", tt.kind)
		}
	}
}
