package store_test

import (
	"testing"

	"ldapsync/changelog"
	"ldapsync/store"
)

// TestNameThatTwoImagesHave: clients move an entry away, and before the reports of
// it come our own write gives its name to another. Reports until then mean the
// first, the directory holds the second.
func TestNameThatTwoImagesHave(t *testing.T) { onEach(t, nameThatTwoImagesHave) }

func nameThatTwoImagesHave(t *testing.T, s *store.Store) {
	first, second, root := changelog.ID{1}, changelog.ID{2}, changelog.ID{9}
	reported := func(id changelog.ID, rdn string) *store.Image {
		return &store.Image{ID: id, Parent: root, RDN: rdn, RDNKey: rdn}
	}
	written := reported(second, "cn=a")
	written.Told = &store.Place{}
	expect := func(tx *store.Tx, when string, told, named changelog.ID) {
		t.Helper()
		if id := tx.Told(root, "cn=a"); id != told {
			t.Errorf("%s: a report means %s, not %s", when, id, told)
		}
		if id := tx.Named(root, "cn=a"); id != named {
			t.Errorf("%s: the directory holds %s, not %s", when, id, named)
		}
	}
	put := func(tx *store.Tx, m *store.Image) {
		t.Helper()
		if err := tx.PutImage(m); err != nil {
			t.Fatal(err)
		}
	}
	update(t, s, func(tx *store.Tx) error {
		put(tx, reported(first, "cn=a"))
		expect(tx, "reported", first, first)
		put(tx, written)
		expect(tx, "written", first, second)
		put(tx, reported(first, "cn=a"))
		expect(tx, "an older report of the first", first, second)
		put(tx, reported(first, "cn=b"))
		expect(tx, "the first is reported elsewhere", changelog.ID{}, second)
		put(tx, reported(second, "cn=a"))
		expect(tx, "the second is reported", second, second)
		return nil
	})
	update(t, s, func(tx *store.Tx) error {
		put(tx, reported(second, "cn=c"))
		put(tx, reported(first, "cn=a"))
		put(tx, written)
		for n := 1; n > 0; {
			var err error
			if n, err = tx.TellAll(1); err != nil {
				return err
			}
		}
		expect(tx, "all is told", second, second)
		return tx.DropImage(first)
	})
	update(t, s, func(tx *store.Tx) error {
		expect(tx, "the first is gone", second, second)
		return nil
	})
}
