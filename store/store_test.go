package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/store"
)

// onEach runs a test on a store in a file and on one in memory.
func onEach(t *testing.T, test func(*testing.T, *store.Store)) {
	t.Helper()
	for name, open := range map[string]func() (*store.Store, error){
		"file":   func() (*store.Store, error) { return store.Open(filepath.Join(t.TempDir(), "state.db")) },
		"memory": store.NewMemory().Open,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			test(t, s)
		})
	}
}

func update(t *testing.T, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	inUse := filepath.Join(dir, "in-use")
	s, err := store.Open(inUse)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want error
	}{{inUse, store.ErrInUse}, {garbage, store.ErrNotState}, {newer(t, dir), store.ErrNewer}, {filepath.Join(dir, "no", "dir"), os.ErrNotExist}} {
		before, _ := os.ReadFile(c.path)
		s, err := store.Open(c.path)
		if !errors.Is(err, c.want) {
			t.Errorf("open %s: %v, want %v", c.path, err, c.want)
		}
		if err == nil {
			s.Close()
		}
		if after, _ := os.ReadFile(c.path); !bytes.Equal(before, after) {
			t.Errorf("%s was written to", c.path)
		}
	}
}

// newer makes a file of a later version.
func newer(t *testing.T, dir string) string {
	path := filepath.Join(dir, "newer")
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("version"), binary.BigEndian.AppendUint64(nil, store.Version+1))
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIdentityAndMarksSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	want := store.Identity{Suffix: "dc=x", JID: "a@b", Install: "i", SID: 3, Epoch: 1, Joined: true, Entered: changelog.Seqs{2: 4}}
	csn := changelog.CSN{Time: 5, SID: 3}
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.SetIdentity(want), tx.SetCookie([]byte("c")), tx.SetPublished(7), tx.SetOffered(9), tx.SetClock(csn), tx.SetFault("why"))
	})
	s.Close()
	if s, err = store.Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(func(tx *store.Tx) error {
		id, err := tx.Identity()
		clock, err2 := tx.Clock()
		if !cmp.Equal(id, want) || string(tx.Cookie()) != "c" || tx.Published() != 7 || tx.Offered() != 9 || clock != csn || tx.Fault() != "why" {
			t.Errorf("got %+v %q %d %s %q", id, tx.Cookie(), tx.Published(), clock, tx.Fault())
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func image(n byte, parent changelog.ID, name string) *store.Image {
	return &store.Image{
		ID: changelog.ID{n}, Parent: parent, RDN: name, RDNKey: name, CSN: changelog.CSN{Time: 9}, Confirmed: true,
		Newest: changelog.CSN{Time: 4, SID: 2},
		Attrs:  []directory.Attribute{{Name: "cn", Values: []string{"x", "\x00\xff"}}, {Name: "empty", Values: []string{""}}},
	}
}

func TestImagesKeepTheIndexOfNames(t *testing.T) { onEach(t, imagesKeepTheIndexOfNames) }

func imagesKeepTheIndexOfNames(t *testing.T, s *store.Store) {
	root := changelog.ID{}
	update(t, s, func(tx *store.Tx) error {
		a, b := image(1, root, "cn=a"), image(2, root, "cn=b")
		if err := errors.Join(tx.PutImage(a), tx.PutImage(b)); err != nil {
			return err
		}
		got, err := tx.Image(a.ID)
		if diff := cmp.Diff(a, got); diff != "" || err != nil {
			t.Errorf("%s %v", diff, err)
		}
		// b takes a's name before a is known to have left it
		b.RDN, b.RDNKey = "cn=a", "cn=a"
		if err := tx.PutImage(b); err != nil {
			return err
		}
		a.RDN, a.RDNKey = "cn=c", "cn=c"
		if err := tx.PutImage(a); err != nil {
			return err
		}
		if tx.Named(root, "cn=a") != b.ID || tx.Named(root, "cn=c") != a.ID || !tx.Named(root, "cn=b").IsZero() {
			t.Errorf("names: %s %s %s", tx.Named(root, "cn=a"), tx.Named(root, "cn=c"), tx.Named(root, "cn=b"))
		}
		if n := len(tx.Children(root, 10)); n != 2 {
			t.Errorf("%d children", n)
		}
		a.Gone = true
		if err := errors.Join(tx.PutImage(a), tx.DropImage(b.ID)); err != nil {
			return err
		}
		if n := len(tx.Children(root, 10)); n != 0 {
			t.Errorf("%d children of nothing", n)
		}
		list, err := tx.Images(root, 10)
		if len(list) != 1 || !list[0].Gone {
			t.Errorf("images %v", list)
		}
		return err
	})
}

func TestMarksKeepTheirOrderAndWhatWasSeen(t *testing.T) {
	onEach(t, marksKeepTheirOrderAndWhatWasSeen)
}

func marksKeepTheirOrderAndWhatWasSeen(t *testing.T, s *store.Store) {
	update(t, s, func(tx *store.Tx) error {
		for i := byte(1); i <= 3; i++ {
			if err := tx.MarkDirty(changelog.ID{i}, changelog.Seqs{1: uint64(i)}); err != nil {
				return err
			}
		}
		// marked again: later in the queue, seen as at first
		if err := tx.MarkDirty(changelog.ID{1}, changelog.Seqs{1: 99}); err != nil {
			return err
		}
		if err := tx.Park(store.Parked{ID: changelog.ID{2}}); err != nil {
			return err
		}
		list, err := tx.DirtyAfter(0, 10)
		if len(list) != 2 || list[0].ID != (changelog.ID{3}) || list[1].ID != (changelog.ID{1}) || list[1].Seen[1] != 1 {
			t.Errorf("marks %+v", list)
		}
		rest, _ := tx.DirtyAfter(list[0].Gen, 10)
		if len(rest) != 1 {
			t.Errorf("after the first: %+v", rest)
		}
		if err := tx.ClearDirty(changelog.ID{3}); err != nil {
			return err
		}
		if tx.DirtyCount() != 2 || tx.ParkedCount() != 1 {
			t.Errorf("%d marks, %d parked", tx.DirtyCount(), tx.ParkedCount())
		}
		return err
	})
}

func TestIntentRoundTrip(t *testing.T) { onEach(t, intentRoundTrip) }

func intentRoundTrip(t *testing.T, s *store.Store) {
	update(t, s, func(tx *store.Tx) error {
		want := &store.Intent{Image: *image(1, changelog.ID{7}, "cn=a"), Gen: 12, Seen: changelog.Seqs{1: 5, 4095: 1 << 40}}
		if err := tx.PutIntent(want); err != nil {
			return err
		}
		got, err := tx.Intent(want.Image.ID)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func TestMergedEndsBeforeWhatIsPostponed(t *testing.T) { onEach(t, mergedEndsBeforeWhatIsPostponed) }

func mergedEndsBeforeWhatIsPostponed(t *testing.T, s *store.Store) {
	postponed := map[changelog.SID]uint64{1: 9, 2: 3, 3: 1, 4: 5} // from which number on
	update(t, s, func(tx *store.Tx) error {
		for sid, from := range postponed {
			for seq := uint64(1); seq <= 5; seq++ {
				c := &changelog.Change{Seq: seq, CSN: changelog.CSN{Time: int64(10*seq) + int64(sid), SID: sid}, Op: changelog.OpDelete, ID: changelog.ID{1}}
				if err := tx.Log.Append(c); err != nil {
					return err
				}
				if seq < from {
					continue
				}
				if err := tx.Postpone(c, changelog.CSN{Time: int64(10*seq-10) + int64(sid), SID: sid}); err != nil {
					return err
				}
			}
		}
		seqs, err := tx.MergedSeqs()
		if diff := cmp.Diff(changelog.Seqs{1: 5, 2: 2, 4: 4}, seqs); diff != "" || err != nil {
			t.Error(diff, err)
		}
		v, err := tx.Merged()
		if diff := cmp.Diff(seqs, v.Seqs()); diff != "" || err != nil {
			t.Error(diff, err)
		}
		// The log need not hold the change before the first that is postponed.
		if _, err := tx.Log.Trim(2, 2, 100); err != nil {
			return err
		}
		trimmed, err := tx.Merged()
		if diff := cmp.Diff(v, trimmed); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func TestDueGivesPostponedChangesOnce(t *testing.T) { onEach(t, dueGivesPostponedChangesOnce) }

func dueGivesPostponedChangesOnce(t *testing.T, s *store.Store) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	update(t, s, func(tx *store.Tx) error {
		for i := range uint64(3) {
			c := &changelog.Change{Seq: i + 1, CSN: changelog.CSN{Time: now.Add(time.Duration(i) * time.Hour).UnixMicro(), SID: 1}, Op: changelog.OpDelete, ID: changelog.ID{1}}
			if err := errors.Join(tx.Log.Append(c), tx.Postpone(c, changelog.CSN{})); err != nil {
				return err
			}
		}
		due, err := tx.Due(now.Add(90*time.Minute), 10)
		if len(due) != 2 || due[0].Seq != 1 || tx.FutureCount() != 1 {
			t.Errorf("due %v, %d left", due, tx.FutureCount())
		}
		return err
	})
}

func TestDelayedStatesComeSuperiorsFirst(t *testing.T) { onEach(t, delayedStatesComeSuperiorsFirst) }

func delayedStatesComeSuperiorsFirst(t *testing.T, s *store.Store) {
	update(t, s, func(tx *store.Tx) error {
		deep := &directory.Entry{ID: changelog.ID{1}, DN: "cn=a,ou=b,dc=x", CSN: changelog.CSN{Time: 1}, Attrs: []directory.Attribute{{Name: "cn", Values: []string{"a"}}}}
		high := &directory.Entry{ID: changelog.ID{2}, DN: "ou=b,dc=x"}
		if err := errors.Join(tx.Delay(3, deep), tx.Delay(2, high)); err != nil {
			return err
		}
		list, err := tx.TakeDelayed(10)
		if diff := cmp.Diff([]*directory.Entry{high, deep}, list); diff != "" {
			t.Error(diff)
		}
		if tx.DelayedCount() != 0 {
			t.Error("not taken")
		}
		return err
	})
}

func TestAliasSwapsUntilTheEntryGoes(t *testing.T) { onEach(t, aliasSwapsUntilTheEntryGoes) }

func aliasSwapsUntilTheEntryGoes(t *testing.T, s *store.Store) {
	own, room, other := changelog.ID{1}, changelog.ID{2}, changelog.ID{3}
	swapped := func(tx *store.Tx, want ...changelog.ID) {
		t.Helper()
		for i, id := range []changelog.ID{own, room, other} {
			if got := tx.Swapped(id); got != want[i] {
				t.Errorf("%s became %s, want %s", id, got, want[i])
			}
		}
	}
	update(t, s, func(tx *store.Tx) error {
		err := errors.Join(tx.SetAlias(own, room), tx.PutImage(image(2, changelog.ID{}, "cn=a")))
		swapped(tx, room, own, other)
		if got := tx.Aliases(changelog.ID{}, 10); len(got) != 1 || got[0] != room || tx.AliasCount() != 1 {
			t.Errorf("aliases %v", got)
		}
		if got := tx.Aliases(room, 10); len(got) != 0 {
			t.Errorf("aliases after the last: %v", got)
		}
		return errors.Join(err, tx.DropImage(other))
	})
	update(t, s, func(tx *store.Tx) error {
		swapped(tx, room, own, other)
		err := tx.DropImage(room)
		swapped(tx, own, room, other)
		return err
	})
	update(t, s, func(tx *store.Tx) error {
		// The directory holds the room's id too: its entry needs the alias.
		err := errors.Join(tx.SetAlias(own, room), tx.PutImage(image(2, changelog.ID{}, "cn=a")), tx.PutImage(image(1, changelog.ID{}, "cn=b")), tx.DropImage(room))
		swapped(tx, room, own, other)
		err = errors.Join(err, tx.DropImage(own))
		swapped(tx, own, room, other)
		return err
	})
}

// TestReturnIsCloned promises that a copy can be changed without the original, which
// the pumps of a replica share.
func TestReturnIsCloned(t *testing.T) {
	made := func() *store.Return {
		return &store.Return{
			Selves: []changelog.SID{9, 3}, Applied: changelog.Seqs{1: 5}, Own: true,
			Made: []changelog.Mark{{Seq: 7}, {Seq: 6}}, GivenUp: []changelog.ID{{1}, {2}},
		}
	}
	r := made()
	c := r.Clone()
	if diff := cmp.Diff(r, c); diff != "" {
		t.Error(diff)
	}
	slices.Sort(c.Selves)
	slices.Reverse(c.Made)
	slices.Reverse(c.GivenUp)
	c.Applied[1], c.Own = 9, false
	if diff := cmp.Diff(made(), r); diff != "" {
		t.Error(diff)
	}
	none := (*store.Return)(nil).Clone()
	none.Applied[1] = 1
}

// TestWritingNothing promises that a transaction that writes nothing leaves the file as
// it is, and that the least that is written lasts.
func TestWritingNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	file := func() []byte {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	before := file()
	update(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.ClearDirty(changelog.ID{1}), tx.SetLimit(changelog.CSN{}))
	})
	if !bytes.Equal(before, file()) {
		t.Error("the file was written to")
	}
	update(t, s, func(tx *store.Tx) error { return tx.SetCookie([]byte("c")) })
	if bytes.Equal(before, file()) {
		t.Error("the file was not written to")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.View(func(tx *store.Tx) error {
		if got := tx.Cookie(); string(got) != "c" {
			t.Errorf("cookie %q", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkWritingNothing is about transactions in which nothing had to be written.
func BenchmarkWritingNothing(b *testing.B) {
	s, err := store.Open(filepath.Join(b.TempDir(), "state.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if err := s.Update(func(*store.Tx) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
