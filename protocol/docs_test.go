package protocol_test

import (
	"os"
	"regexp"
	"testing"

	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

var fence = regexp.MustCompile("(?s)```(xml|xsd)\n(.*?)```")

// Every example of the specification is XML, and what is in our namespace is
// read by this package and written with the same meaning.
func TestSpecificationExamples(t *testing.T) {
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	var assembler protocol.Assembler
	for _, m := range fence.FindAllSubmatch(text, -1) {
		e, err := element.Parse(m[2], element.StanzaLimits)
		if err != nil {
			t.Errorf("%v in\n%s", err, m[2])
			continue
		}
		found[string(m[1])]++
		for _, payload := range payloads(e) {
			found[payload.Name.Local]++
			checkExample(t, &assembler, payload, found)
		}
	}
	want := map[string]int{
		"xml": 20, "xsd": 1, "replica": 1, "changes": 5, "part": 2, "assembled": 1, "pull": 2, "pulled": 2, "busy": 1,
		"snapshot": 2, "snapped": 1,
	}
	if d := same(want, found); d != "" {
		t.Error("the specification has other examples than this test checks", d)
	}
}

// payloads returns the elements of our namespace, outermost, and batches
// within them.
func payloads(e *element.Element) []*element.Element {
	var out []*element.Element
	if e.Name.Space == protocol.NS {
		out = append(out, e)
		if e.Name.Local != "pulled" {
			return out
		}
	}
	for _, c := range e.Children {
		out = append(out, payloads(c)...)
	}
	return out
}

func checkExample(t *testing.T, a *protocol.Assembler, e *element.Element, found map[string]int) {
	t.Helper()
	switch e.Name.Local {
	case "replica":
		again(t, e, protocol.ParseReplica, protocol.Replica.Element)
	case "changes":
		parse := func(e *element.Element) (protocol.Batch, error) {
			return protocol.ParseBatch(e, protocol.DefaultLimits)
		}
		again(t, e, parse, protocol.Batch.Plain)
	case "part":
		_, ok, err := a.Add("example", e)
		if err != nil {
			t.Error(err)
		}
		if ok {
			found["assembled"]++
		}
	case "pull":
		again(t, e, protocol.ParsePull, protocol.Pull.Element)
	case "pulled":
		// Formatting lies between the payloads; they are checked on their own.
		if _, err := protocol.ParsePulled(e); err != nil {
			t.Error(err)
		}
	case "snapshot":
		again(t, e, protocol.ParseSnapshot, protocol.Snapshot.Element)
	case "snapped":
		var pages protocol.Pages
		p, complete, err := pages.Add(e)
		if err != nil || !complete || len(p.Records) != 1 || len(p.Members) != 1 {
			t.Error(p, complete, err)
		}
	case "busy":
		again(t, e, protocol.ParseBusy, (*protocol.Busy).Element)
	}
}

// again parses e, writes what it got, and parses that.
func again[T any](t *testing.T, e *element.Element, parse func(*element.Element) (T, error), write func(T) *element.Element) {
	t.Helper()
	first, err := parse(e)
	if err != nil {
		t.Errorf("%v in\n%s", err, e)
		return
	}
	second, err := parse(wire(t, write(first)))
	if err != nil {
		t.Error(err)
	}
	if d := same(first, second); d != "" {
		t.Error(d)
	}
}
