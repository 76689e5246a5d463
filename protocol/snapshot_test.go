package protocol_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

func TestSnapshotRoundTrip(t *testing.T) {
	for _, s := range []protocol.Snapshot{
		{Suffix: suffix},
		{Suffix: "o=\x01", Max: 8192, After: &protocol.Place{ID: entry(3)}},
		{Suffix: suffix, After: &protocol.Place{ID: entry(3), Within: []byte{0, 1, 0xff}}, From: &protocol.PageResume{Digest: strings.Repeat("0a", 32), Part: 3}},
	} {
		got, err := protocol.ParseSnapshot(wire(t, s.Element()))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(s, got); d != "" {
			t.Error(d)
		}
	}
}

// page returns a page with a record of so many octets, which do not compress.
func page(size int) protocol.Page {
	rng := rand.New(rand.NewPCG(1, 2))
	record := make([]byte, size)
	for i := range record {
		record[i] = byte(rng.Uint32())
	}
	return protocol.Page{
		Suffix: suffix, More: true, Next: protocol.Place{ID: entry(9), Within: []byte("x")},
		Vector: changelog.Vector{1: {Seq: 7, CSN: csn(1, 7)}, 2: {}},
		Members: []changelog.Change{
			{Seq: 1, CSN: csn(1, 1), Op: changelog.OpHeartbeat, Seen: changelog.Seqs{2: 5}, JID: "a@b", Install: "x"},
			{Seq: 3, CSN: csn(2, 3), Op: changelog.OpForget, Peer: 3, Seen: changelog.Seqs{}},
		},
		Records: [][]byte{append([]byte{1}, make([]byte, 15)...), append([]byte{2}, record...)},
	}
}

// pull asks for a page until it is complete, as a server does.
func pull(t *testing.T, p protocol.Page, limit int) (got protocol.Page, replies int) {
	t.Helper()
	var pages protocol.Pages
	for {
		e, parts := p.Element(pages.From(), limit)
		if size := len(e.Bytes()); size > limit {
			t.Fatalf("%d octets for %d", size, limit)
		}
		replies++
		got, complete, err := pages.Add(wire(t, e))
		if err != nil {
			t.Fatal(err)
		}
		if complete != (replies == parts) {
			t.Fatalf("complete: %v, %d of %d", complete, replies, parts)
		}
		if complete {
			return got, replies
		}
	}
}

func TestPageRoundTrip(t *testing.T) {
	for _, c := range []struct{ size, limit, replies int }{{20, protocol.MinItem, 1}, {1 << 20, protocol.MaxItem, 22}} {
		want := page(c.size)
		got, replies := pull(t, want, c.limit)
		if d := same(want, got); d != "" || replies != c.replies {
			t.Errorf("%d replies, %s", replies, d)
		}
	}
	empty := protocol.Page{Suffix: suffix, Vector: changelog.Vector{}}
	if got, _ := pull(t, empty, protocol.MaxItem); same(empty, got) != "" {
		t.Error(same(empty, got))
	}
}

// TestPageChanges promises that a page that changes while its parts are asked for
// is sent from the beginning, and put together from its own parts only.
func TestPageChanges(t *testing.T) {
	old, now := page(200_000), page(200_001)
	var pages protocol.Pages
	e, _ := old.Element(nil, protocol.MaxItem)
	if _, _, err := pages.Add(wire(t, e)); err != nil {
		t.Fatal(err)
	}
	second, _ := now.Element(&protocol.PageResume{Digest: strings.Repeat("00", 32), Part: 2}, protocol.MaxItem)
	if _, _, err := pages.Add(wire(t, second)); err != nil {
		t.Fatal(err)
	}
	for {
		e, _ := now.Element(pages.From(), protocol.MaxItem)
		got, complete, err := pages.Add(wire(t, e))
		if err != nil {
			t.Fatal(err)
		}
		if complete {
			if !bytes.Equal(got.Records[1], now.Records[1]) {
				t.Error("another page")
			}
			break
		}
	}
	if _, _, err := pages.Add(wire(t, mustPart(old, 2))); !errors.Is(err, protocol.ErrMalformed) {
		t.Errorf("part of nothing: %v", err)
	}
}

func mustPart(p protocol.Page, n int) *element.Element {
	var pages protocol.Pages
	e, _ := p.Element(nil, protocol.MaxItem)
	for range n - 1 {
		_, _, _ = pages.Add(e)
		e, _ = p.Element(pages.From(), protocol.MaxItem)
	}
	return e
}

func TestSnapshotRefuses(t *testing.T) {
	const ask = `<snapshot xmlns='urn:ldapsync:0' suffix='o=x'`
	const id = ` id='6d61df00-1f5c-4a3e-9a0e-5f0c7a1d2b01'`
	const digest = ` sha256='0000000000000000000000000000000000000000000000000000000000000000'`
	const snapped = `<snapped xmlns='urn:ldapsync:0' suffix='o=x'>`
	const records = `<records n='1' of='1'` + digest + `/>`
	for name, doc := range map[string]string{
		"no suffix":     `<snapshot xmlns='urn:ldapsync:0'/>`,
		"max":           ask + ` max='-1'/>`,
		"id":            ask + `><after id='x'/></snapshot>`,
		"within":        ask + `><after within='!'` + id + `/></snapshot>`,
		"within long":   ask + `><after within='` + strings.Repeat("AAAA", 6000) + `'` + id + `/></snapshot>`,
		"after twice":   ask + `><after` + id + `/><after` + id + `/></snapshot>`,
		"from twice":    ask + `><from n='1'` + digest + `/><from n='1'` + digest + `/></snapshot>`,
		"part 0":        ask + `><from n='0'` + digest + `/></snapshot>`,
		"unknown":       ask + `><also/></snapshot>`,
		"snapped":       `<snapped xmlns='urn:ldapsync:0' suffix='o=x'/>`,
		"no next":       snapped + records + `</snapped>`,
		"no records":    snapped + `<next` + id + `/></snapped>`,
		"part 2 of 1":   snapped + `<next` + id + `/>` + strings.Replace(records, "n='1'", "n='2'", 1) + `</snapped>`,
		"part 2":        snapped + `<next` + id + `/><records n='2' of='3'` + digest + `/></snapped>`,
		"not announced": snapped + `<next` + id + `/>` + records + `</snapped>`,
		"two vectors":   snapped + `<csn sid='1' seq='0'/><csn sid='1' seq='0'/><next` + id + `/>` + records + `</snapped>`,
	} {
		e, err := element.Parse([]byte(doc), element.StanzaLimits)
		if err != nil {
			t.Fatal(err)
		}
		if e.Is(protocol.NS, "snapshot") {
			_, err = protocol.ParseSnapshot(e)
		} else {
			var pages protocol.Pages
			_, _, err = pages.Add(e)
		}
		if !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPageRefusesOtherChanges promises that a page brings no change of an entry.
func TestPageRefusesOtherChanges(t *testing.T) {
	p := page(1)
	p.Members = []changelog.Change{person(1, 1)}
	e, _ := p.Element(nil, protocol.MaxItem)
	var pages protocol.Pages
	if _, _, err := pages.Add(wire(t, e)); !errors.Is(err, protocol.ErrMalformed) {
		t.Error(err)
	}
}

func FuzzPages(f *testing.F) {
	whole, _ := page(30).Element(nil, protocol.MaxItem)
	f.Add(whole.Bytes(), []byte{})
	f.Add(mustPart(page(200_000), 1).Bytes(), mustPart(page(200_000), 2).Bytes())
	f.Add(protocol.Snapshot{Suffix: suffix, After: &protocol.Place{ID: entry(1), Within: []byte("x")}}.Element().Bytes(), []byte{})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var pages protocol.Pages
		for _, doc := range [][]byte{one, two} {
			e, err := element.Parse(doc, element.StanzaLimits)
			if err != nil {
				return
			}
			if s, err := protocol.ParseSnapshot(e); err == nil {
				if again, err := protocol.ParseSnapshot(wire(t, s.Element())); err != nil || same(s, again) != "" {
					t.Fatal(err, same(s, again))
				}
			}
			var busy *protocol.Busy
			p, complete, err := pages.Add(e)
			if err != nil && !errors.Is(err, protocol.ErrMalformed) && !errors.As(err, &busy) {
				t.Fatalf("untyped error %v", err)
			}
			if err == nil && complete {
				if again, _ := pull(t, p, protocol.MaxItem); same(p, again) != "" {
					t.Fatal(same(p, again))
				}
			}
		}
	})
}
