package dit_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
)

// mergeInto merges changes into one open state.
func mergeInto(t *testing.T, s *dit.State, changes ...*changelog.Change) {
	t.Helper()
	for _, c := range changes {
		if _, err := s.Merge(c); err != nil {
			t.Fatal(err)
		}
	}
}

// dated returns c as a server made it, some hours after the epoch and having seen that.
func dated(sid changelog.SID, seq uint64, hour int, seen changelog.Seqs, c changelog.Change) *changelog.Change {
	c.Seq, c.CSN, c.Seen = seq, changelog.CSN{Time: epoch + int64(hour)*time.Hour.Microseconds(), SID: sid}, seen
	return &c
}

// showsAll checks that a state that has forgotten something shows an entry as the
// obvious computation does of all that it was given.
func showsAll(t *testing.T, s *dit.State, id dit.ID, given *naive.Model) {
	t.Helper()
	shown, err := s.View(id)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(given.Shown[id], shown); d != "" {
		t.Errorf("shown after forgetting (-what was given +what is remembered):\n%s", d)
	}
}

// TestForgetNamesOfTheDead is about a rename that removes the values of a name
// older than one that its author did not know. A deleted entry hides what it
// would be if it were restored, and forgetting must not change that either.
func TestForgetNamesOfTheDead(t *testing.T) {
	for name, deleted := range map[string]bool{"live": false, "dead": true} {
		t.Run(name, func(t *testing.T) {
			rules := testRules(t)
			root, id := testID("root"), testID("e")
			at := func(sid changelog.SID, seq uint64, hour int, seen changelog.Seqs) changelog.Change {
				return *dated(sid, seq, hour, seen, changelog.Change{ID: id})
			}
			add := func(c changelog.Change, id, parent dit.ID, rdn string, values ...string) *changelog.Change {
				c.Op, c.ID, c.Superior, c.RDN = changelog.OpAdd, id, parent, rdn
				for i := 0; i < len(values); i += 2 {
					c.Mods = append(c.Mods, changelog.Mod{Op: changelog.ModAdd, Attr: values[i], Values: []string{values[i+1]}})
				}
				return &c
			}
			rename := func(c changelog.Change, rdn string, deleteOld, undelete bool) *changelog.Change {
				c.Op, c.RDN, c.DeleteOldRDN, c.Undelete = changelog.OpModDN, rdn, deleteOld, undelete
				return &c
			}
			changes := []*changelog.Change{
				add(at(1, 1, 1, nil), root, dit.ID{}, "dc=x", "objectClass", "domain", "dc", "x"),
				add(at(1, 2, 2, nil), id, root, "uid=a", "objectClass", "inetOrgPerson", "uid", "a", "cn", "y", "sn", "1"),
				rename(at(1, 3, 3, nil), "cn=b", false, false),
				rename(at(2, 1, 4, changelog.Seqs{1: 2}), "cn=c", true, false), // does not know cn=b
			}
			if deleted {
				c := at(1, 4, 5, changelog.Seqs{2: 1})
				c.Op = changelog.OpDelete
				changes = append(changes, &c)
			}
			s := dit.Open(dit.NewMemory(), rules)
			mergeInto(t, s, changes...)
			now := changelog.CSN{Time: epoch + 100*time.Hour.Microseconds()}
			f := dit.Forgetting{
				Stable: func(c changelog.CSN, _ uint64) bool { return c.Before(now) }, Before: now, Newest: now,
				Stored: changelog.Seqs{1: 4, 2: 1}, Tombstones: forever, Records: forever,
			}
			for more, err := true, error(nil); more; {
				if more, err = s.Forget(f, 10); err != nil {
					t.Fatal(err)
				}
			}
			last := rename(at(2, 2, 101, changelog.Seqs{1: 4}), "cn=d", false, deleted)
			mergeInto(t, s, last)
			showsAll(t, s, id, naive.New(rules, append(changes, last)))
		})
	}
}

// TestForgetWhatIsDemanded is about values that were removed and of which one is shown
// all the same, since a class demands one: what is forgotten of them makes no difference
// when another change arrives.
func TestForgetWhatIsDemanded(t *testing.T) {
	root, id := testID("root"), testID("e")
	at := func(sid changelog.SID, seq uint64, hour int, seen changelog.Seqs, c changelog.Change) *changelog.Change {
		c.ID = id
		return dated(sid, seq, hour, seen, c)
	}
	mod := func(op changelog.ModOp, attr string, values ...string) changelog.Mod {
		return changelog.Mod{Op: op, Attr: attr, Values: values}
	}
	remove := func(attr, value string) changelog.Change {
		return changelog.Change{Op: changelog.OpModify, Mods: []changelog.Mod{mod(changelog.ModDelete, attr, value)}}
	}
	suffix := at(1, 1, 1, nil, changelog.Change{Op: changelog.OpAdd, RDN: "dc=x", Mods: []changelog.Mod{mod(changelog.ModAdd, "objectClass", "domain"), mod(changelog.ModAdd, "dc", "x")}})
	suffix.ID = root
	for name, c := range map[string]struct {
		sn     []string
		before []*changelog.Change
		stable func(sid changelog.SID, seq uint64) bool
		last   []*changelog.Change
	}{
		// The names before the rename are forgotten: the value does not come to stand again.
		"renamed away": {[]string{"1"}, []*changelog.Change{
			at(3, 1, 3, changelog.Seqs{1: 2}, changelog.Change{Op: changelog.OpModDN, RDN: "cn=b"}),
			at(3, 2, 48, changelog.Seqs{1: 2}, changelog.Change{Op: changelog.OpModDN, RDN: "cn=a"}),
			at(1, 3, 53, changelog.Seqs{3: 1}, changelog.Change{Op: changelog.OpModDN, RDN: "employeeNumber=1", DeleteOldRDN: true}),
			at(2, 1, 58, changelog.Seqs{1: 2, 3: 1}, remove("cn", "a")),
		}, func(sid changelog.SID, seq uint64) bool { return sid == 3 || sid == 1 && seq < 3 },
			[]*changelog.Change{at(1, 4, 200, changelog.Seqs{2: 1, 3: 2}, changelog.Change{Op: changelog.OpModDN, RDN: "cn=a", DeleteOldRDN: true})}},
		// The rename does not remove it, as its author knew another name.
		"not renamed away": {[]string{"0", "1", "2"}, []*changelog.Change{
			at(1, 3, 3, nil, changelog.Change{Op: changelog.OpModDN, RDN: "sn=1"}),
			at(1, 4, 4, nil, remove("sn", "2")),
			at(3, 1, 50, changelog.Seqs{1: 4, 2: 1}, changelog.Change{Op: changelog.OpModDN, RDN: "cn=a", DeleteOldRDN: true}),
		}, func(sid changelog.SID, _ uint64) bool { return sid == 1 }, []*changelog.Change{
			at(2, 1, 49, changelog.Seqs{1: 4}, changelog.Change{Op: changelog.OpModDN, RDN: "employeeNumber=3"}),
			at(3, 2, 200, changelog.Seqs{1: 4, 2: 1}, changelog.Change{Op: changelog.OpModify, Mods: []changelog.Mod{mod(changelog.ModReplace, "sn")}}),
		}},
		// One is removed once more, where the directory has held it all the time.
		"removed twice": {[]string{"1", "2"}, []*changelog.Change{
			at(3, 1, 3, changelog.Seqs{1: 2}, remove("sn", "2")),
			at(2, 1, 4, changelog.Seqs{1: 2}, remove("sn", "1")),
		}, func(sid changelog.SID, _ uint64) bool { return sid != 2 }, []*changelog.Change{at(3, 2, 200, changelog.Seqs{1: 2}, remove("sn", "2"))}},
	} {
		t.Run(name, func(t *testing.T) {
			rules := testRules(t)
			changes := append([]*changelog.Change{suffix, at(1, 2, 2, nil, changelog.Change{Op: changelog.OpAdd, Superior: root, RDN: "cn=a", Mods: []changelog.Mod{
				mod(changelog.ModAdd, "objectClass", "inetOrgPerson"), mod(changelog.ModAdd, "cn", "a"), mod(changelog.ModAdd, "sn", c.sn...)}})}, c.before...)
			s := dit.Open(dit.NewMemory(), rules)
			mergeInto(t, s, changes...)
			f := dit.Forgetting{
				Stable: func(csn changelog.CSN, seq uint64) bool { return c.stable(csn.SID, seq) },
				Before: changelog.CSN{Time: epoch + 100*time.Hour.Microseconds()}, Newest: changelog.CSN{Time: epoch + 99*time.Hour.Microseconds()},
				Stored: changelog.Seqs{1: 3, 2: 1, 3: 2}, Tombstones: forever, Records: time.Hour,
			}
			if _, err := s.Forget(f, 10); err != nil {
				t.Fatal(err)
			}
			mergeInto(t, s, c.last...)
			showsAll(t, s, id, naive.New(rules, append(changes, c.last...)))
		})
	}
}

// TestForgetMovesBeforeOneInDoubt promises that a move which lost to another is recorded
// when a later one, that was made by who knew of both, turns out to close a circle: it
// stays as long as moves that make it one may arrive.
func TestForgetMovesBeforeOneInDoubt(t *testing.T) {
	rules := testRules(t)
	root, id, o, p, q := testID("root"), testID("e"), testID("o"), testID("p"), testID("q")
	unit := func(id, parent dit.ID) changelog.Change {
		return changelog.Change{Op: changelog.OpAdd, ID: id, Superior: parent, RDN: "ou=" + id.String(), Mods: []changelog.Mod{
			{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"organizationalUnit"}}, {Op: changelog.ModAdd, Attr: "ou", Values: []string{id.String()}}}}
	}
	move := func(id, parent dit.ID) changelog.Change {
		return changelog.Change{Op: changelog.OpModDN, ID: id, Moved: true, Superior: parent}
	}
	changes := []*changelog.Change{
		dated(1, 1, 1, nil, unit(root, dit.ID{})),
		dated(1, 2, 2, nil, unit(id, root)), dated(1, 3, 2, nil, unit(o, root)), dated(1, 4, 2, nil, unit(p, root)), dated(1, 5, 2, nil, unit(q, root)),
		dated(2, 1, 3, changelog.Seqs{1: 5}, move(id, p)),
		dated(1, 6, 4, nil, move(id, q)),
		dated(2, 2, 102, changelog.Seqs{1: 6}, move(id, o)),
	}
	s := dit.Open(dit.NewMemory(), rules)
	mergeInto(t, s, changes...)
	before := changelog.CSN{Time: epoch + 100*time.Hour.Microseconds()}
	f := dit.Forgetting{
		Stable: func(c changelog.CSN, _ uint64) bool { return c.Before(before) }, Before: before, Newest: changes[len(changes)-1].CSN,
		Stored: changelog.Seqs{1: 6, 2: 2}, Tombstones: forever, Records: forever,
	}
	if _, err := s.Forget(f, 10); err != nil {
		t.Fatal(err)
	}
	last := dated(3, 1, 101, changelog.Seqs{1: 6, 2: 1}, move(o, id))
	mergeInto(t, s, last)
	var kinds []dit.Kind
	for _, r := range journal(t, s) {
		kinds = append(kinds, r.Kind)
	}
	slices.Sort(kinds)
	if d := cmp.Diff([]dit.Kind{dit.MoveSkipped, dit.MoveSuperseded}, kinds); d != "" {
		t.Errorf("recorded (-want +got):\n%s", d)
	}
}
