package protocol_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

func TestPullRoundTrip(t *testing.T) {
	for _, p := range []protocol.Pull{
		{Suffix: suffix},
		{Suffix: "o=\x01", SID: 4095, Max: 8192, Have: changelog.Seqs{1: 700, 2: 0, 4095: 1<<64 - 1}},
		{Suffix: suffix, From: &protocol.Resume{SID: 1, Seq: 701, Digest: strings.Repeat("0a", 32), Part: 3}},
	} {
		got, err := protocol.ParsePull(wire(t, p.Element()))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(p, got); d != "" {
			t.Error(d)
		}
	}
}

func TestPullPage(t *testing.T) {
	for asked, want := range map[int]int{0: protocol.MaxItem, 1: protocol.MinItem, 8192: 8192, 1 << 30: protocol.MaxItem} {
		if got := (protocol.Pull{Max: asked}).Page(); got != want {
			t.Errorf("max %d: %d", asked, got)
		}
	}
}

func TestPulledRoundTrip(t *testing.T) {
	items, _, err := protocol.Pack(suffix, 1, 3, people(1, 1, 30), protocol.MaxItem)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []protocol.Pulled{
		{Suffix: suffix},
		{Suffix: suffix, Trimmed: true},
		{Suffix: suffix, Removed: csn(1, 1)},
		{Suffix: suffix, Removed: csn(1, 1), Own: true},
		{Suffix: suffix, More: true, Payloads: []*element.Element{items[0].Payload}},
	} {
		got, err := protocol.ParsePulled(wire(t, p.Element()))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(p, got); d != "" {
			t.Error(d)
		}
	}
}

func TestPulledBusy(t *testing.T) {
	b := &protocol.Busy{Suffix: suffix, Retry: 20 * time.Second, Others: []string{"ldap3@example.org/ldapsync"}}
	_, err := protocol.ParsePulled(wire(t, b.Element()))
	var got *protocol.Busy
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	if d := same(b, got); d != "" {
		t.Error(d)
	}
}

func TestPullRefuses(t *testing.T) {
	const pull = `<pull xmlns='urn:ldapsync:0' suffix='o=x'`
	const from = `<from sid='1' seq='2' n='1' sha256='0000000000000000000000000000000000000000000000000000000000000000'/>`
	for name, doc := range map[string]string{
		"no suffix":    `<pull xmlns='urn:ldapsync:0'/>`,
		"max":          pull + ` max='-1'/>`,
		"sid":          pull + `><csn sid='0' seq='1'/></pull>`,
		"no seq":       pull + `><csn sid='1'/></pull>`,
		"twice":        pull + `><csn sid='1' seq='1'/><csn sid='1' seq='1'/></pull>`,
		"unknown":      pull + `><also/></pull>`,
		"from twice":   pull + `>` + from + from + `</pull>`,
		"part 0":       pull + `>` + strings.Replace(from, `n='1'`, `n='0'`, 1) + `</pull>`,
		"digest":       pull + `>` + strings.Replace(from, `'0000`, `'000`, 1) + `</pull>`,
		"pulled":       `<pulled xmlns='urn:ldapsync:0'/>`,
		"pulled other": `<pulled xmlns='urn:ldapsync:0' suffix='o=x'><x/></pulled>`,
		"trimmed":      `<pulled xmlns='urn:ldapsync:0' suffix='o=x' trimmed='1'><part/></pulled>`,
		"removed":      `<pulled xmlns='urn:ldapsync:0' suffix='o=x' removed='now'/>`,
		"pulled full":  `<pulled xmlns='urn:ldapsync:0' suffix='o=x'>` + strings.Repeat("<part/>", 5000) + `</pulled>`,
		"busy":         `<busy xmlns='urn:ldapsync:0' suffix='o=x'/>`,
		"busy forever": `<busy xmlns='urn:ldapsync:0' suffix='o=x' retry='86401'/>`,
		"busy nobody":  `<busy xmlns='urn:ldapsync:0' suffix='o=x' retry='1'><other/></busy>`,
		"busy many":    `<busy xmlns='urn:ldapsync:0' suffix='o=x' retry='1'>` + strings.Repeat("<other jid='a@b'/>", 65) + `</busy>`,
	} {
		e, err := element.Parse([]byte(doc), element.StanzaLimits)
		if err != nil {
			t.Fatal(err)
		}
		if e.Is(protocol.NS, "pull") {
			_, err = protocol.ParsePull(e)
		} else {
			_, err = protocol.ParsePulled(e)
		}
		if !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePull(f *testing.F) {
	f.Add(protocol.Pull{Suffix: suffix, Max: 9, Have: changelog.Seqs{1: 2}}.Element().Bytes())
	f.Add(protocol.Pulled{Suffix: suffix, More: true}.Element().Bytes())
	f.Add((&protocol.Busy{Suffix: suffix, Others: []string{"a@b"}}).Element().Bytes())
	f.Fuzz(func(t *testing.T, doc []byte) {
		e, err := element.Parse(doc, element.StanzaLimits)
		if err != nil {
			return
		}
		_, _ = protocol.ParsePulled(e)
		p, err := protocol.ParsePull(e)
		if err != nil {
			return
		}
		if again, err := protocol.ParsePull(wire(t, p.Element())); err != nil || same(p, again) != "" {
			t.Fatal(err, same(p, again))
		}
	})
}
