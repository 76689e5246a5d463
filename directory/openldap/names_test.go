package openldap_test

import (
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
	testenv "ldapsync/testenv/openldap"
)

// TestNamesOfARefreshAreOfOneMoment swaps the names of two entries with others
// below them while slapd is kept waiting in the middle of a refresh, which it may
// then go on with in the new state of the database.
func TestNamesOfARefreshAreOfOneMoment(t *testing.T) {
	const children = 8000
	srv := start(t, testenv.Options{SID: 1, NoSync: true})
	load(t, srv, 0, 0)
	d := connect(t, srv, nil)
	var writes []directory.Write
	for i, ou := range []string{"a", "b"} {
		writes = append(writes, directory.Write{
			Op: directory.Add, ID: changelog.ID{0: 9, 15: byte(i)}, DN: "ou=" + ou + "," + srv.Suffix,
			Attrs: []directory.Attribute{{Name: "objectClass", Values: []string{"organizationalUnit"}}, {Name: "ou", Values: []string{ou}}},
		})
	}
	b := person(children, "ou=b,"+srv.Suffix)
	for i := range children {
		w := person(i, "ou=a,"+srv.Suffix)
		w.Attrs = append(w.Attrs, directory.Attribute{Name: "title", Values: []string{strings.Repeat("x", 2000)}})
		writes = append(writes, w)
	}
	if _, err := d.Apply(t.Context(), append(writes, b)); err != nil {
		t.Fatal(err)
	}
	begun := 0
	below := map[string]int{} // superiors of the children as the present refresh tells
	n := 0
	err := d.Watch(t.Context(), nil, func(e directory.Event) error {
		switch e.Kind {
		case directory.RefreshBegin:
			begun++
			clear(below)
		case directory.RefreshEnd:
			return errEnough
		case directory.State:
			if n++; n == 100 {
				swap(t, d, srv.Suffix)
			}
			if _, parent, _ := strings.Cut(e.Entry.DN, ","); strings.HasPrefix(e.Entry.DN, "uid=b") && e.Entry.ID != b.ID {
				below[parent]++
			}
		}
		return nil
	})
	if err != errEnough {
		t.Fatal(err)
	}
	if begun != 2 || len(below) != 1 || below["ou=b,"+srv.Suffix] != children {
		t.Errorf("%d refreshes, the last with children below %v", begun, below)
	}
}

func swap(t *testing.T, d directory.Directory, suffix string) {
	t.Helper()
	for _, m := range [][2]string{{"a", "c"}, {"b", "a"}, {"c", "b"}} {
		w := directory.Write{Op: directory.ModDN, DN: "ou=" + m[0] + "," + suffix, NewRDN: "ou=" + m[1], DeleteOldRDN: true}
		if _, err := d.Apply(t.Context(), []directory.Write{w}); err != nil {
			t.Error(err)
		}
	}
}
