package protocol_test

import (
	"errors"
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

func replica() protocol.Replica {
	return protocol.Replica{
		SID: 1, Install: "f3a1c2", Version: "0.1.0", Role: "master", State: "catching-up",
		Schema: "sha256:12ab", Digest: "sha256:34cd", Service: "pubsub.example.org", Node: "urn:ldapsync:0:1:abc",
		Vector: changelog.Vector{1: {Seq: 815, CSN: csn(1, 1)}, 2: {Seq: 40, CSN: csn(2, 2)}, 7: {}},
	}
}

func TestReplicaRoundTrip(t *testing.T) {
	odd := replica()
	odd.Install, odd.Version, odd.Vector = "\x00", " a\n", nil
	for _, r := range []protocol.Replica{replica(), odd, {SID: 4095, Install: "x", Role: "read-only", State: "ready"}} {
		got, err := protocol.ParseReplica(wire(t, r.Element()))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(r, got); d != "" {
			t.Error(d)
		}
	}
}

func TestReplicaEveryServer(t *testing.T) {
	r := replica()
	for sid := changelog.SID(1); sid.Valid(); sid++ {
		r.Vector[sid] = changelog.Mark{Seq: 1<<64 - 1, CSN: csn(sid, int(sid))}
	}
	got, err := protocol.ParseReplica(wire(t, r.Element()))
	if err != nil {
		t.Fatal(err)
	}
	if d := same(r, got); d != "" {
		t.Error(d)
	}
}

// A later version may say more.
func TestReplicaPassesOverTheUnknown(t *testing.T) {
	e := replica().Element().With(element.New(protocol.NS, "load"), element.New("urn:x", "csn"))
	e.SetAttr("mood", "fine")
	got, err := protocol.ParseReplica(e)
	if err != nil {
		t.Fatal(err)
	}
	if d := same(replica(), got); d != "" {
		t.Error(d)
	}
}

func TestReplicaRefuses(t *testing.T) {
	doc := replica().Element().String()
	for name, swap := range map[string][2]string{
		"name":      {`replica`, `replicas`},
		"sid":       {`sid='1'`, `sid='0'`},
		"install":   {`install='f3a1c2'`, ``},
		"role":      {`role='master'`, `role='Master'`},
		"state":     {`state='catching-up'`, ``},
		"long":      {`0.1.0`, strings.Repeat("1", 200)},
		"mark sid":  {`<csn sid='1'`, `<csn sid='3'`},
		"mark":      {`20261120101501`, `20261120101561`},
		"twice":     {`<csn sid='7' seq='0'/>`, `<csn sid='2' seq='0'/>`},
		"CSN of 0":  {`seq='815'`, `seq='0'`},
		"no CSN":    {`sid='7' seq='0'`, `sid='7' seq='1'`},
		"no seq":    {`sid='7' seq='0'`, `sid='7'`},
		"extra":     {`sid='7' seq='0'`, `sid='7' seq='0' x='1'`},
		"other sid": {`#001#`, `#002#`},
	} {
		bad := strings.ReplaceAll(doc, swap[0], swap[1])
		if bad == doc {
			t.Fatalf("%s: %q is not in %s", name, swap[0], doc)
		}
		e, err := element.Parse([]byte(bad), element.StanzaLimits)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := protocol.ParseReplica(e); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func FuzzParseReplica(f *testing.F) {
	f.Add(replica().Element().Bytes())
	f.Fuzz(func(t *testing.T, doc []byte) {
		e, err := element.Parse(doc, element.StanzaLimits)
		if err != nil {
			return
		}
		r, err := protocol.ParseReplica(e)
		if err != nil {
			return
		}
		if again, err := protocol.ParseReplica(wire(t, r.Element())); err != nil || same(r, again) != "" {
			t.Fatal(err, same(r, again))
		}
	})
}
