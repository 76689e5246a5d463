package protocol_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

// parts cuts change seq of server sid into items of the smallest size.
func parts(t *testing.T, sid changelog.SID, seq, size int) (changelog.Change, []protocol.Item) {
	t.Helper()
	c := person(sid, seq)
	c.DN = noise(size)
	items, _, err := protocol.Pack(suffix, sid, 3, []changelog.Change{c}, protocol.MinItem)
	if err != nil {
		t.Fatal(err)
	}
	return c, items
}

func TestAssemblerAnyOrder(t *testing.T) {
	c, items := parts(t, 1, 5, 30_000)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var a protocol.Assembler
		order := append(slices.Clone(items[1:]), items[2:]...)
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, it := range order {
			if _, ok, err := a.Add("peer", wire(t, it.Payload)); ok || err != nil {
				t.Fatalf("complete without part 1: %v", err)
			}
		}
		b, ok, err := a.Add("peer", wire(t, items[0].Payload))
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if d := same(protocol.Batch{Suffix: suffix, SID: 1, Epoch: 3, Changes: []changelog.Change{c}}, b); d != "" {
			t.Fatal(d)
		}
	}
}

func TestAssemblerKeepsSourcesApart(t *testing.T) {
	_, items := parts(t, 1, 5, 10_000)
	var a protocol.Assembler
	for i, it := range items {
		source := []string{"one", "two"}[i%2]
		if _, ok, err := a.Add(source, it.Payload); ok || err != nil {
			t.Fatal("parts of two sources made a change", err)
		}
	}
	a.Forget("one")
	for i, it := range items {
		_, ok, err := a.Add("one", it.Payload)
		if err != nil || ok != (i == len(items)-1) {
			t.Errorf("part %d: %v %v", i+1, ok, err)
		}
	}
}

// An attacker who begins changes and never ends them gets nowhere, and the
// newest change still comes through.
func TestAssemblerBounds(t *testing.T) {
	var a protocol.Assembler
	for seq := 1; seq <= 40; seq++ {
		_, items := parts(t, 2, seq, 10_000)
		if _, ok, err := a.Add("attacker", items[0].Payload); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	_, oldest := parts(t, 2, 1, 10_000)
	for _, it := range oldest[1:] {
		if _, ok, _ := a.Add("attacker", it.Payload); ok {
			t.Error("the oldest change was kept")
		}
	}
	_, items := parts(t, 1, 1, 10_000)
	for i, it := range items {
		if _, ok, err := a.Add("peer", it.Payload); err != nil || ok != (i == len(items)-1) {
			t.Errorf("part %d: %v %v", i+1, ok, err)
		}
	}
}

// However many sources begin changes, what is held stays bounded.
func TestAssemblerBoundsTheWhole(t *testing.T) {
	c := person(1, 1)
	c.DN = noise(100_000)
	items, _, err := protocol.Pack(suffix, 1, 3, []changelog.Change{c}, protocol.MaxItem)
	if err != nil {
		t.Fatal(err)
	}
	var a protocol.Assembler
	for source := range 1500 {
		if _, ok, err := a.Add(strconv.Itoa(source), items[0].Payload); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	complete := func(source int) bool {
		done := false
		for _, it := range items[1:] {
			_, ok, _ := a.Add(strconv.Itoa(source), it.Payload)
			done = done || ok
		}
		return done
	}
	if complete(0) {
		t.Error("the oldest change was kept")
	}
	if !complete(1499) {
		t.Error("the newest change was not kept")
	}
}

func TestAssemblerRefuses(t *testing.T) {
	_, items := parts(t, 1, 5, 5_000)
	spoil := func(n int, edit func(e *element.Element)) []*element.Element {
		var out []*element.Element
		for i, it := range items {
			e := wire(t, it.Payload)
			if i == n || n < 0 {
				edit(e)
			}
			out = append(out, e)
		}
		return out
	}
	set := func(name, value string) func(*element.Element) {
		return func(e *element.Element) { e.SetAttr(name, value) }
	}
	for name, payloads := range map[string][]*element.Element{
		"n 0":           spoil(0, set("n", "0")),
		"n above of":    spoil(0, set("n", "99")),
		"of too large":  spoil(0, set("of", "99999")),
		"seq 0":         spoil(0, set("seq", "0")),
		"sid":           spoil(0, set("sid", "2")),
		"digest form":   spoil(0, set("sha256", "00")),
		"unknown":       spoil(0, set("more", "1")),
		"not base64":    spoil(0, func(e *element.Element) { e.Text = "?" }),
		"other digest":  spoil(-1, set("sha256", strings.Repeat("0", 64))),
		"other content": spoil(1, func(e *element.Element) { e.Text = "AAAA" }),
		"other seq":     spoil(-1, set("seq", "6")),
		"other epoch":   spoil(-1, set("epoch", "4")),
		"other suffix":  spoil(-1, set("suffix", "dc=x")),
		"other CSN":     spoil(-1, set("csn", csn(1, 77).String())),
		"neither":       {element.New(protocol.NS, "pull")},
	} {
		var a protocol.Assembler
		var err error
		for _, e := range payloads {
			var ok bool
			var fault error
			if _, ok, fault = a.Add("peer", e); ok {
				t.Errorf("%s: accepted", name)
			}
			err = errors.Join(err, fault)
		}
		if !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAssembler(f *testing.F) {
	f.Add([]byte(good), []byte(good))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var a protocol.Assembler
		for _, doc := range [][]byte{one, two, one} {
			e, err := element.Parse(doc, element.StanzaLimits)
			if err != nil {
				return
			}
			_, _ = protocol.ParseHead(e)
			_, _, _ = protocol.ParseLast(e)
			if _, _, err := a.Add("peer", e); err != nil && !errors.Is(err, protocol.ErrMalformed) {
				t.Fatalf("untyped error %v", err)
			}
		}
	})
}
