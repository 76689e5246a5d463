package protocol_test

import (
	"testing"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

func TestParseLast(t *testing.T) {
	mark := func(seq int) changelog.Mark { return changelog.Mark{Seq: uint64(seq), CSN: csn(1, seq)} }
	check := func(e *element.Element, want changelog.Mark) {
		t.Helper()
		head, got, err := protocol.ParseLast(wire(t, e))
		if err != nil || got != want || head.SID != 1 || head.Suffix != suffix {
			t.Errorf("%+v %+v, %v, want %+v", head, got, err, want)
		}
	}
	for _, n := range []int{1, 3, 50} {
		check(protocol.Batch{Suffix: suffix, SID: 1, Epoch: 3, Changes: people(1, 7, n)}.Element(), mark(6+n))
	}
	_, items := parts(t, 1, 5, 30_000)
	for _, it := range items {
		check(it.Payload, mark(5))
	}
	for name, e := range map[string]*element.Element{
		"none": nil, "else": element.New("x", "y"), "empty": element.New(protocol.NS, "changes"), "part": element.New(protocol.NS, "part"),
	} {
		if _, m, err := protocol.ParseLast(e); err == nil || m.Seq != 0 {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}
