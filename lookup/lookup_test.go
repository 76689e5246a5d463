package lookup_test

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/lookup"
)

// What is remembered is what was found last.
func TestRecent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var recent lookup.Recent[int]
		want := map[string]int{}
		names := rapid.OneOf(rapid.StringN(0, 3, -1), rapid.StringN(8, 600, -1))
		for i := range rapid.IntRange(0, 60).Draw(t, "puts") {
			name := names.Draw(t, "name")
			if put := []byte(name); i%2 == 0 {
				recent.PutBytes(put, i)
				clear(put)
			} else {
				recent.Put(name, i)
			}
			want[name] = i
			if have, ok := recent.Get(name); ok != (len(name) <= 512) || ok && have != i {
				t.Fatalf("%q is %d %v right after it was put", name, have, ok)
			}
		}
		for name, i := range want {
			have, ok := recent.GetBytes([]byte(name))
			if again, also := recent.Get(name); ok && have != i || again != have || also != ok {
				t.Fatalf("%q is %d or %d, not %d", name, have, again, i)
			}
		}
	})
}

// A table does what a map does.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table lookup.Table[int]
		want := map[string]int{}
		names := rapid.SampledFrom([]string{"", "c", "cn", "sn", "mail", "uid", "o", "ou", "objectClass", "objectClasses", "telephoneNumber", "cn;lang-de", "\x00", "\x00\x00"})
		for i := range rapid.IntRange(0, 60).Draw(t, "puts") {
			name := rapid.OneOf(names, rapid.String()).Draw(t, "name")
			before := table.Clone()
			_, known := want[name]
			table.Put(name, i)
			if _, ok := before.Get(name); ok != known {
				t.Fatalf("a copy has %q: %v", name, ok)
			}
			want[name] = i
		}
		if table.Len() != len(want) {
			t.Fatalf("%d names of %d", table.Len(), len(want))
		}
		for name, i := range want {
			if have, ok := table.Get(name); !ok || have != i {
				t.Fatalf("%q is %d %v, not %d", name, have, ok, i)
			}
		}
		if all := maps.Collect(table.All()); !maps.Equal(all, want) {
			t.Fatalf("all are %v and ought to be %v", all, want)
		}
		if _, ok := table.Get("absent, for sure"); ok {
			t.Fatal("found what is not there")
		}
	})
}
