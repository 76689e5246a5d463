package changelog_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ldapsync/changelog"
	"ldapsync/store"
)

func anyChange(t *rapid.T) changelog.Change {
	if rapid.IntRange(0, 3).Draw(t, "keeping") == 0 {
		return anyKeeping(t)
	}
	c := changelog.Change{
		Seq: rapid.Uint64Range(1, 1<<40).Draw(t, "seq"),
		CSN: anyCSN(t),
		Op:  changelog.Op(rapid.IntRange(1, 4).Draw(t, "op")),
		DN:  rapid.String().Draw(t, "dn"),
		RDN: "cn=x",
	}
	c.CSN.SID = max(c.CSN.SID, 1)
	copy(c.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	c.ID[0] |= 1
	for range rapid.IntRange(0, 3).Draw(t, "seen") {
		if c.Seen == nil {
			c.Seen = changelog.Seqs{}
		}
		c.Seen[changelog.SID(rapid.IntRange(1, 5).Draw(t, "sid"))] = rapid.Uint64().Draw(t, "n")
	}
	c.DeleteOldRDN, c.Undelete = rapid.Bool().Draw(t, "old"), rapid.Bool().Draw(t, "undelete")
	if c.Op == changelog.OpAdd || c.Op == changelog.OpModify {
		for range rapid.IntRange(0, 3).Draw(t, "mods") {
			m := changelog.Mod{Op: changelog.ModAdd, Attr: "description", Values: []string{rapid.String().Draw(t, "v"), "\xff\x00"}}
			c.Mods = append(c.Mods, m)
		}
	}
	return c
}

// anyKeeping draws a change that alters no entry.
func anyKeeping(t *rapid.T) changelog.Change {
	c := changelog.Change{Seq: rapid.Uint64Range(1, 1<<40).Draw(t, "seq"), CSN: anyCSN(t)}
	c.CSN.SID = max(c.CSN.SID, 1)
	c.Op = rapid.SampledFrom([]changelog.Op{changelog.OpHeartbeat, changelog.OpForget, changelog.OpSettle}).Draw(t, "op")
	switch c.Op {
	case changelog.OpHeartbeat:
		c.Seen = changelog.Seqs{9: 3}
		if rapid.Bool().Draw(t, "hello") {
			c.JID, c.Install = "ldap1@example.org", "5f0c7a1d2b01"
		}
		if rapid.Bool().Draw(t, "except") {
			c.Except = []changelog.ID{{}, {1}, {1, 2}}
		}
	case changelog.OpForget:
		c.Peer = 1 + c.CSN.SID%changelog.MaxSID
	case changelog.OpSettle:
		c.ID = changelog.ID{1}
		c.Records = []string{"0123abcd", "ff"}
	}
	return c
}

// What belongs to one kind of operation is refused with any other.
func TestMisplacedKeeping(t *testing.T) {
	good := changelog.Change{Seq: 1, CSN: changelog.CSN{Time: 1, SID: 1}}
	for name, spoil := range map[string]func(*changelog.Change){
		"heartbeat of an entry":  func(c *changelog.Change) { c.Op, c.ID = changelog.OpHeartbeat, changelog.ID{1} },
		"heartbeat, JID alone":   func(c *changelog.Change) { c.Op, c.JID = changelog.OpHeartbeat, "a@b" },
		"exceptions of a forget": func(c *changelog.Change) { c.Op, c.Peer, c.Except = changelog.OpForget, 2, []changelog.ID{{1}} },
		"exceptions twice":       func(c *changelog.Change) { c.Op, c.Except = changelog.OpHeartbeat, []changelog.ID{{1}, {1}} },
		"too many exceptions": func(c *changelog.Change) {
			c.Op = changelog.OpHeartbeat
			for i := range changelog.MaxExcept + 1 {
				c.Except = append(c.Except, changelog.ID{byte(i >> 8), byte(i), 1})
			}
		},
		"heartbeat with a peer":   func(c *changelog.Change) { c.Op, c.Peer = changelog.OpHeartbeat, 2 },
		"forget without a peer":   func(c *changelog.Change) { c.Op = changelog.OpForget },
		"forget of itself":        func(c *changelog.Change) { c.Op, c.Peer = changelog.OpForget, 1 },
		"settle without an entry": func(c *changelog.Change) { c.Op, c.Records = changelog.OpSettle, []string{"ab"} },
		"settle of nothing":       func(c *changelog.Change) { c.Op, c.ID = changelog.OpSettle, changelog.ID{1} },
		"settle of what is no id": func(c *changelog.Change) {
			c.Op, c.ID, c.Records = changelog.OpSettle, changelog.ID{1}, []string{"a b"}
		},
		"delete with records": func(c *changelog.Change) { c.Op, c.ID, c.Records = changelog.OpDelete, changelog.ID{1}, []string{"ab"} },
		"delete of a peer":    func(c *changelog.Change) { c.Op, c.ID, c.Peer = changelog.OpDelete, changelog.ID{1}, 2 },
		"modify with a JID": func(c *changelog.Change) {
			c.Op, c.ID, c.JID, c.Install = changelog.OpModify, changelog.ID{1}, "a@b", "x"
		},
		"settle that moves": func(c *changelog.Change) {
			c.Op, c.ID, c.Records, c.Moved = changelog.OpSettle, changelog.ID{1}, []string{"ab"}, true
		},
		"forget with a modification": func(c *changelog.Change) {
			c.Op, c.Peer, c.Mods = changelog.OpForget, 2, []changelog.Mod{{Op: changelog.ModReplace, Attr: "a"}}
		},
	} {
		c := good
		spoil(&c)
		if err := c.Check(); !errors.Is(err, changelog.ErrChange) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChangeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyChange(t)
		raw, _ := c.AppendBinary(nil)
		var back changelog.Change
		if err := back.UnmarshalBinary(raw); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Fatal(diff)
		}
		cut := rapid.IntRange(0, len(raw)-1).Draw(t, "cut")
		if err := back.UnmarshalBinary(raw[:cut]); !errors.Is(err, changelog.ErrChange) {
			t.Fatalf("cut to %d of %d bytes: %v", cut, len(raw), err)
		}
	})
}

func FuzzUnmarshalChange(f *testing.F) {
	c := changelog.Change{Seq: 1, CSN: changelog.CSN{Time: 1, SID: 1}, Op: changelog.OpModify, ID: changelog.ID{1},
		Mods: []changelog.Mod{{Op: changelog.ModAdd, Attr: "cn", Values: []string{"x"}}}}
	raw, _ := c.AppendBinary(nil)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		var c changelog.Change
		if c.UnmarshalBinary(b) != nil {
			return
		}
		again, _ := c.AppendBinary(nil)
		var d changelog.Change
		if err := d.UnmarshalBinary(again); err != nil || !cmp.Equal(c, d) {
			t.Errorf("%+v reads as %+v, %v", c, d, err)
		}
	})
}

// onEach runs a test on a store in a file and on one in memory.
func onEach(t *testing.T, test func(*testing.T, *store.Store)) {
	t.Helper()
	for name, open := range map[string]func() (*store.Store, error){
		"file":   func() (*store.Store, error) { return store.Open(filepath.Join(t.TempDir(), "log.db")) },
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

// inLog runs fn on the log of a transaction that is committed.
func inLog(t *testing.T, s *store.Store, fn func(*changelog.Log)) {
	t.Helper()
	if err := s.Update(func(tx *store.Tx) error { fn(tx.Log); return nil }); err != nil {
		t.Fatal(err)
	}
}

func change(sid changelog.SID, seq uint64) *changelog.Change {
	return &changelog.Change{Seq: seq, CSN: changelog.CSN{Time: int64(seq), SID: sid}, Op: changelog.OpDelete, ID: changelog.ID{byte(sid)}}
}

func TestLogIsGapless(t *testing.T) { onEach(t, logIsGapless) }

func logIsGapless(t *testing.T, s *store.Store) {
	inLog(t, s, func(l *changelog.Log) {
		for _, step := range []struct {
			sid  changelog.SID
			seq  uint64
			want error
		}{{1, 2, changelog.ErrGap}, {1, 1, nil}, {1, 1, changelog.ErrKnown}, {1, 3, changelog.ErrGap}, {2, 1, nil}, {1, 2, nil}} {
			if err := l.Append(change(step.sid, step.seq)); !errors.Is(err, step.want) {
				t.Errorf("append %d/%d: %v, want %v", step.sid, step.seq, err, step.want)
			}
		}
		late := change(1, 3)
		late.CSN.Time = 1
		if err := l.Append(late); !errors.Is(err, changelog.ErrChange) {
			t.Errorf("change with an earlier CSN: %v", err)
		}
		v, err := l.Vector()
		if err != nil || v.String() != "1:2,2:1" {
			t.Errorf("vector %s, %v", v, err)
		}
	})
}

// TestLogGoesOnAfterAnothersHello promises that the changes of a server are taken
// after the later hello of another install that gave the number up.
func TestLogGoesOnAfterAnothersHello(t *testing.T) { onEach(t, logGoesOnAfterAnothersHello) }

func logGoesOnAfterAnothersHello(t *testing.T, s *store.Store) {
	inLog(t, s, func(l *changelog.Log) {
		hello := &changelog.Change{Seq: 1, CSN: changelog.CSN{Time: 50, SID: 7}, Op: changelog.OpHeartbeat, JID: "ldap7@example.org", Install: "gave up"}
		if err := errors.Join(l.Append(hello), l.Append(change(7, 2))); err != nil {
			t.Error(err)
		}
		late := change(7, 3)
		late.CSN.Time = 2
		if err := l.Append(late); !errors.Is(err, changelog.ErrChange) {
			t.Errorf("a third change that is no later than the second: %v", err)
		}
	})
}

func TestLogSinceAndTrim(t *testing.T) { onEach(t, logSinceAndTrim) }

func logSinceAndTrim(t *testing.T, db *store.Store) {
	inLog(t, db, func(l *changelog.Log) {
		for seq := uint64(1); seq <= 5; seq++ {
			for sid := changelog.SID(1); sid <= 3; sid++ {
				if err := l.Append(change(sid, seq)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n, err := l.Trim(2, 3, 100); n != 3 || err != nil {
			t.Errorf("trimmed %d, %v", n, err)
		}
		if err := l.Know(9); err != nil {
			t.Fatal(err)
		}
	})
	inLog(t, db, func(l *changelog.Log) {
		got := changelog.Vector{}
		n := 0
		err := l.Since(changelog.Seqs{1: 4, 2: 3, 3: 5}, nil, func(c *changelog.Change) bool {
			n++
			got[c.SID()] = changelog.Mark{Seq: c.Seq}
			return true
		})
		if err != nil || n != 3 || got.String() != "1:5,2:5" {
			t.Errorf("got %d changes up to %s, %v", n, got, err)
		}
		if err := l.Since(changelog.Seqs{1: 5, 2: 2}, nil, func(*changelog.Change) bool { return true }); !errors.Is(err, changelog.ErrGap) {
			t.Errorf("log that was trimmed too far: %v", err)
		}
		if c, err := l.Get(2, 3); c != nil || err != nil {
			t.Errorf("trimmed change: %v, %v", c, err)
		}
		if v, _ := l.Vector(); len(v) != 4 || v[9].Seq != 0 {
			t.Errorf("vector %v", v)
		}
		for sid, want := range map[changelog.SID]uint64{1: 1, 2: 4, 9: 0} {
			at, ok, err := l.Oldest(sid)
			if at.Seq != want || ok != (want > 0) || ok && at.CSN != change(sid, want).CSN || err != nil {
				t.Errorf("oldest of %s: %v, %v, %v", sid, at, ok, err)
			}
		}
		for seq, want := range map[uint64]changelog.CSN{3: {}, 4: change(2, 4).CSN} {
			if at, err := l.Time(2, seq); at != want || err != nil {
				t.Errorf("time of 2/%d: %v, %v", seq, at, err)
			}
		}
	})
}

// TestLogBeginsInTheMiddle promises that a log that has been told where to begin
// goes on from there, and serves nobody who is not as far.
func TestLogBeginsInTheMiddle(t *testing.T) { onEach(t, logBeginsInTheMiddle) }

func logBeginsInTheMiddle(t *testing.T, db *store.Store) {
	inLog(t, db, func(l *changelog.Log) {
		at := changelog.Mark{Seq: 10, CSN: change(2, 10).CSN}
		if err := l.Begin(2, at); err != nil {
			t.Fatal(err)
		}
		if m, _ := l.Mark(2); m != at {
			t.Errorf("mark %v", m)
		}
		for _, bad := range []struct {
			sid  changelog.SID
			at   changelog.Mark
			want error
		}{
			{2, at, changelog.ErrKnown},
			{2, changelog.Mark{Seq: 11}, changelog.ErrChange},
			{3, changelog.Mark{Seq: 1, CSN: at.CSN}, changelog.ErrChange},
			{2, changelog.Mark{}, changelog.ErrChange},
		} {
			if err := l.Begin(bad.sid, bad.at); !errors.Is(err, bad.want) {
				t.Errorf("begin %d at %v: %v, want %v", bad.sid, bad.at, err, bad.want)
			}
		}
		if err := l.Append(change(2, 10)); !errors.Is(err, changelog.ErrKnown) {
			t.Errorf("append what is covered: %v", err)
		}
		if err := errors.Join(l.Append(change(2, 11)), l.Append(change(5, 1))); err != nil {
			t.Fatal(err)
		}
		if err := l.Begin(2, changelog.Mark{Seq: 20, CSN: change(2, 20).CSN}); !errors.Is(err, changelog.ErrKnown) {
			t.Errorf("begin behind stored changes: %v", err)
		}
		count := func(have changelog.Seqs) (n int, err error) {
			return n, l.Since(have, nil, func(*changelog.Change) bool { n++; return true })
		}
		for _, older := range []changelog.Seqs{nil, {2: 9}, {2: 1, 5: 1}} {
			if _, err := count(older); !errors.Is(err, changelog.ErrGap) {
				t.Errorf("since %v: %v", older, err)
			}
		}
		if n, err := count(changelog.Seqs{2: 10}); n != 2 || err != nil {
			t.Errorf("since the beginning: %d %v", n, err)
		}
	})
}

func TestSinceIsCausal(t *testing.T) { onEach(t, sinceIsCausal) }

// sinceIsCausal promises that changes come by ascending CSN, however many there are of a
// server, and none beyond what is asked for.
func sinceIsCausal(t *testing.T, db *store.Store) {
	const each = 100
	inLog(t, db, func(l *changelog.Log) {
		for sid := changelog.SID(1); sid <= 3; sid++ {
			for seq := uint64(1); seq <= each; seq++ {
				if err := l.Append(change(sid, seq)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	inLog(t, db, func(l *changelog.Log) {
		var last changelog.CSN
		got := changelog.Seqs{}
		err := l.Since(changelog.Seqs{1: 40}, changelog.Seqs{2: 50}, func(c *changelog.Change) bool {
			if !last.Before(c.CSN) {
				t.Errorf("%s after %s", c.CSN, last)
			}
			last = c.CSN
			got[c.SID()]++
			return true
		})
		if err != nil || got[1] != each-40 || got[2] != 50 || got[3] != each {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
