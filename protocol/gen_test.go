package protocol_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

const suffix = "dc=example,dc=org"

// same compares what was sent with what was read; cmp alone is slow.
func same(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// wire passes e through text, as a stanza does.
func wire(t testing.TB, e *element.Element) *element.Element {
	t.Helper()
	got, err := element.Parse(e.Bytes(), element.StanzaLimits)
	if err != nil {
		t.Fatalf("%v in %.300s", err, e)
	}
	return got
}

func csn(sid changelog.SID, n int) changelog.CSN {
	at := time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	return changelog.CSN{Time: at.UnixMicro(), SID: sid}
}

func entry(n int) changelog.ID { return changelog.ID{0x6d, 0x61, 14: byte(n >> 8), 15: byte(n + 1)} }

// person is a realistic add of about 450 octets of LDIF.
func person(sid changelog.SID, seq int) changelog.Change {
	uid := fmt.Sprintf("user%06d", seq)
	value := func(attr string, vs ...string) changelog.Mod {
		return changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: vs}
	}
	return changelog.Change{
		Seq: uint64(seq), CSN: csn(sid, seq), Op: changelog.OpAdd, ID: entry(seq),
		Seen: changelog.Seqs{2: 40, 3: uint64(seq)},
		DN:   "uid=" + uid + ",ou=people," + suffix, RDN: "uid=" + uid, Superior: changelog.ID{1},
		Mods: []changelog.Mod{
			value("objectClass", "top", "person", "organizationalPerson", "inetOrgPerson"),
			value("uid", uid), value("cn", "Ännchen "+uid), value("sn", uid),
			value("mail", uid+"@example.org"), value("telephoneNumber", fmt.Sprintf("+49 30 %07d", seq*7919)),
			value("userPassword", fmt.Sprintf("{SSHA}%032x", seq*104729)),
			value("entryCSN", csn(sid, seq).String()), value("creatorsName", "cn=admin,"+suffix),
		},
	}
}

func people(sid changelog.SID, first, n int) []changelog.Change {
	out := make([]changelog.Change, n)
	for i := range out {
		out[i] = person(sid, first+i)
	}
	return out
}

// octets draws text, text with XML's traps in it, and arbitrary bytes.
func octets() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("a<>&'\"]\r\n\t \x00\x01\x7f\u0085\ufffd\ufffe\ufeff\u2028ä"))),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", " ", "]]>", "&amp;", "a\r\nb", "\xff"}),
	)
}

func someOctets() *rapid.Generator[string] {
	return octets().Filter(func(s string) bool { return s != "" })
}

func anID() *rapid.Generator[changelog.ID] {
	return rapid.Custom(func(t *rapid.T) (id changelog.ID) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		id[0] |= 1
		return id
	})
}

// aKeeping draws a change that alters no entry.
func aKeeping(sid changelog.SID, seq uint64) *rapid.Generator[changelog.Change] {
	return rapid.Custom(func(t *rapid.T) changelog.Change {
		c := changelog.Change{Seq: seq, CSN: csn(sid, int(seq%1000))}
		c.Op = rapid.SampledFrom([]changelog.Op{changelog.OpHeartbeat, changelog.OpForget, changelog.OpSettle}).Draw(t, "op")
		switch c.Op {
		case changelog.OpHeartbeat:
			c.Seen = changelog.Seqs{2: 40, 3: 7}
			if rapid.Bool().Draw(t, "hello") {
				c.JID, c.Install = "l\u00e4dap@example.org", "5f0c"
			}
			if c.Except = rapid.SliceOfN(anID(), 0, 3).Draw(t, "except"); len(c.Except) == 0 {
				c.Except = nil
			}
			slices.SortFunc(c.Except, changelog.ID.Compare)
		case changelog.OpForget:
			c.Peer = sid%changelog.MaxSID + 1
		case changelog.OpSettle:
			c.ID, c.DN = anID().Draw(t, "entry"), octets().Draw(t, "dn")
			c.Records = rapid.SliceOfN(rapid.StringMatching("[0-9a-f]{8,16}"), 1, 4).Draw(t, "records")
		}
		return c
	})
}

// aChange draws any change that a server can have made.
func aChange(sid changelog.SID, seq uint64) *rapid.Generator[changelog.Change] {
	return rapid.OneOf(anAlteration(sid, seq), anAlteration(sid, seq), aKeeping(sid, seq))
}

func anAlteration(sid changelog.SID, seq uint64) *rapid.Generator[changelog.Change] {
	return rapid.Custom(func(t *rapid.T) changelog.Change {
		c := changelog.Change{
			Seq:  seq,
			CSN:  changelog.CSN{Time: rapid.Int64Range(0, 4e15).Draw(t, "time"), Count: rapid.Uint32Range(0, 1<<24-1).Draw(t, "count"), SID: sid},
			Op:   rapid.SampledFrom([]changelog.Op{changelog.OpAdd, changelog.OpModify, changelog.OpDelete, changelog.OpModDN}).Draw(t, "op"),
			ID:   anID().Draw(t, "entry"),
			DN:   octets().Draw(t, "dn"),
			Seen: changelog.Seqs(rapid.MapOf(rapid.Map(rapid.Uint16Range(1, 4095), func(n uint16) changelog.SID { return changelog.SID(n) }), rapid.Uint64Min(1)).Draw(t, "seen")),
		}
		c.Undelete = rapid.Bool().Draw(t, "undelete")
		switch c.Op {
		case changelog.OpAdd:
			c.RDN = someOctets().Draw(t, "rdn")
			if rapid.Bool().Draw(t, "below") {
				c.Superior = anID().Draw(t, "superior")
			}
			c.Mods = rapid.SliceOfN(aMod(changelog.ModAdd), 0, 4).Draw(t, "mods")
		case changelog.OpModify:
			c.Mods = rapid.SliceOfN(aMod(changelog.ModAdd, changelog.ModDelete, changelog.ModReplace), 0, 4).Draw(t, "mods")
		case changelog.OpModDN:
			c.RDN = octets().Draw(t, "newrdn")
			c.DeleteOldRDN = rapid.Bool().Draw(t, "deleteoldrdn")
			if c.Moved = c.RDN == "" || rapid.Bool().Draw(t, "moved"); c.Moved {
				c.Superior = rapid.SampledFrom([]changelog.ID{{}, {2}}).Draw(t, "newsuperior")
			}
		}
		return c
	})
}

func aMod(ops ...changelog.ModOp) *rapid.Generator[changelog.Mod] {
	return rapid.Custom(func(t *rapid.T) changelog.Mod {
		m := changelog.Mod{Op: rapid.SampledFrom(ops).Draw(t, "mod"), Attr: someOctets().Draw(t, "attr")}
		least := 1
		if m.Op == changelog.ModReplace {
			least = 0
		}
		m.Values = rapid.SliceOfN(octets(), least, 3).Draw(t, "values")
		return m
	})
}

// aBatch draws a batch of one to n changes.
func aBatch(n int) *rapid.Generator[protocol.Batch] {
	return rapid.Custom(func(t *rapid.T) protocol.Batch {
		b := protocol.Batch{
			Suffix: someOctets().Filter(func(s string) bool { return len(s) <= protocol.MaxSuffix }).Draw(t, "suffix"),
			SID:    changelog.SID(rapid.Uint16Range(1, 4095).Draw(t, "sid")),
			Epoch:  rapid.Uint64().Draw(t, "epoch"),
		}
		first := rapid.Uint64Range(1, 1<<63).Draw(t, "first")
		for i := range rapid.IntRange(1, n).Draw(t, "changes") {
			b.Changes = append(b.Changes, aChange(b.SID, first+uint64(i)).Draw(t, "change"))
		}
		return b
	})
}

// noise is octets that do not compress.
func noise(n int) string {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return string(b)
}
