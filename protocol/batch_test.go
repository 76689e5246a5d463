package protocol_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ldapsync/changelog"
	"ldapsync/protocol"
	"ldapsync/xmpp/element"
)

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := aBatch(3).Draw(t, "batch")
		for _, e := range []*element.Element{b.Plain(), b.Element()} {
			checkSafe(t, e)
			back, err := element.Parse(e.Bytes(), element.StanzaLimits)
			if err != nil {
				t.Fatalf("%v in %s", err, e)
			}
			got, err := protocol.ParseBatch(back, protocol.DefaultLimits)
			if err != nil {
				t.Fatalf("%v in %s", err, e)
			}
			if d := same(b, got); d != "" {
				t.Fatal(d)
			}
			if h, err := protocol.ParseHead(back); err != nil || h != b.Head() {
				t.Fatalf("head %v, %v, want %v", h, err, b.Head())
			}
		}
	})
}

// checkSafe fails if e holds anything that a server may change on the way when
// it parses and writes out again with nothing but the five entities escaped.
func checkSafe(t *rapid.T, e *element.Element) {
	if strings.ContainsRune(e.Text, '\r') {
		t.Fatalf("carriage return in text %q", e.Text)
	}
	for _, a := range e.Attrs {
		if strings.ContainsAny(a.Value, "\r\n\t") {
			t.Fatalf("white space in attribute %q", a.Value)
		}
	}
	if err := xml.EscapeText(&bytes.Buffer{}, []byte(e.Text)); err != nil || strings.ContainsAny(e.Text, "\x00\x01\x7f\ufffe") {
		t.Fatalf("illegal text %q", e.Text)
	}
	for _, c := range e.Children {
		checkSafe(t, c)
	}
}

func TestElementCompressesLongBatches(t *testing.T) {
	short := protocol.Batch{Suffix: suffix, SID: 1, Epoch: 3, Changes: people(1, 1, 1)}
	long := protocol.Batch{Suffix: suffix, SID: 1, Epoch: 3, Changes: people(1, 1, 50)}
	if enc := short.Element().Attr("enc"); enc != "" {
		t.Errorf("one change has enc=%q", enc)
	}
	e := long.Element()
	if e.Attr("enc") != "zlib" {
		t.Errorf("fifty changes are plain")
	}
	if plain, packed := len(long.Plain().Bytes()), len(e.Bytes()); packed*4 > plain {
		t.Errorf("%d octets became %d", plain, packed)
	}
}

// The wire form of one change of each kind, as documented.
func TestChangeForm(t *testing.T) {
	id, parent := changelog.ID{0x6d, 15: 1}, changelog.ID{0x77, 15: 2}
	change := func(op changelog.Op, edit func(*changelog.Change)) changelog.Change {
		c := changelog.Change{Seq: 7, CSN: csn(1, 0), Op: op, ID: id, DN: "uid=ann," + suffix}
		edit(&c)
		return c
	}
	const head = `<change seq='7' csn='20261120101500.000000Z#000000#001#000000' op=`
	const uuid = ` id='6d000000-0000-0000-0000-000000000001' dn='uid=ann,dc=example,dc=org'`
	for _, tc := range []struct {
		change changelog.Change
		want   string
	}{
		{change(changelog.OpAdd, func(c *changelog.Change) {
			c.RDN, c.Superior, c.Seen = "uid=ann", parent, changelog.Seqs{3: 7, 2: 40}
			c.Mods = []changelog.Mod{{Op: changelog.ModAdd, Attr: "uid", Values: []string{"ann", "a\rn"}}}
		}), head + `'add'` + uuid + ` seen='2:40,3:7' rdn='uid=ann' superior='77000000-0000-0000-0000-000000000002'>` +
			`<mod op='add' attr='uid'><v>ann</v><v b64='1'>YQ1u</v></mod></change>`},
		{change(changelog.OpModify, func(c *changelog.Change) {
			c.Undelete = true
			c.Mods = []changelog.Mod{{Op: changelog.ModReplace, Attr: "mail"}}
		}), head + `'modify'` + uuid + ` undelete='1'><mod op='replace' attr='mail'/></change>`},
		{change(changelog.OpDelete, func(*changelog.Change) {}), head + `'delete'` + uuid + `/>`},
		{change(changelog.OpModDN, func(c *changelog.Change) {
			c.RDN, c.DeleteOldRDN, c.Moved, c.Superior = "uid=\nanna", true, true, parent
		}), head + `'moddn'` + uuid + ` newrdn-b64='dWlkPQphbm5h' deleteoldrdn='1' newsuperior='77000000-0000-0000-0000-000000000002'/>`},
	} {
		b := protocol.Batch{Suffix: suffix, SID: 1, Epoch: 3, Changes: []changelog.Change{tc.change}}
		want := `<changes xmlns='urn:ldapsync:0' suffix='dc=example,dc=org' sid='1' epoch='3' first='7' last='7'>` + tc.want + `</changes>`
		if d := same(want, b.Plain().String()); d != "" {
			t.Error(d)
		}
	}
}

func zlibbed(doc string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(doc))
	w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// good is a batch that tests spoil.
const good = `<changes xmlns='urn:ldapsync:0' suffix='dc=example,dc=org' sid='1' epoch='3' first='1' last='1'>` +
	`<change seq='1' csn='20261120101500.000000Z#000000#001#000000' op='modify' id='6d000000-0000-0000-0000-000000000001' dn='x' seen='2:1'>` +
	`<mod op='replace' attr='mail'><v>a</v></mod></change></changes>`

func TestParseBatchRefuses(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the example", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	packed := func(inner string) string {
		return `<changes xmlns='urn:ldapsync:0' suffix='dc=example,dc=org' sid='1' epoch='3' first='1' last='1' enc='zlib'>` + inner + `</changes>`
	}
	for name, doc := range map[string]string{
		"other element":       `<pull xmlns='urn:ldapsync:0'/>`,
		"other namespace":     strings.Replace(good, "urn:ldapsync:0", "urn:ldapsync:1", 1),
		"no suffix":           swap(` suffix='dc=example,dc=org'`, ``),
		"long suffix":         swap(`dc=example`, strings.Repeat("x", 2000)),
		"suffix twice":        swap(` sid='1'`, ` suffix-b64='YQ==' sid='1'`),
		"sid 0":               swap(` sid='1'`, ` sid='0'`),
		"sid too large":       swap(` sid='1'`, ` sid='4096'`),
		"sid of a change":     swap(`#001#`, `#002#`),
		"signed sid":          swap(` sid='1'`, ` sid='+1'`),
		"no epoch":            swap(` epoch='3'`, ``),
		"leading zero":        swap(`epoch='3'`, `epoch='03'`),
		"first 0":             swap(`first='1'`, `first='0'`),
		"first above last":    swap(`first='1'`, `first='2'`),
		"too few":             swap(`last='1'`, `last='2'`),
		"far too few":         swap(`last='1'`, `last='18446744073709551615'`),
		"seq":                 swap(`seq='1'`, `seq='2'`),
		"CSN":                 swap(`20261120`, `20261320`),
		"operation":           swap(`op='modify'`, `op='increment'`),
		"id":                  swap(`6d000000`, `6d00000`),
		"zero id":             swap(`6d000000-0000-0000-0000-000000000001`, `00000000-0000-0000-0000-000000000000`),
		"seen order":          swap(`2:1`, `3:1,2:1`),
		"seen zero":           swap(`2:1`, `2:0`),
		"seen twice":          swap(`2:1`, `2:1,2:1`),
		"seen form":           swap(`2:1`, `2`),
		"attribute of others": swap(`dn='x'`, `dn='x' newrdn='uid=a'`),
		"unknown attribute":   swap(`dn='x'`, `dn='x' when='now'`),
		"unknown element":     swap(`<mod `, `<note/><mod `),
		"foreign element":     swap(`<mod `, `<note xmlns='urn:x'/><mod `),
		"text":                swap(`<mod `, `text<mod `),
		"modification":        swap(`op='replace'`, `op='increment'`),
		"no attr":             swap(` attr='mail'`, ``),
		"no value to add":     strings.NewReplacer(`op='replace'`, `op='add'`, `<v>a</v>`, ``).Replace(good),
		"b64 flag":            swap(`<v>`, `<v b64='true'>`),
		"b64":                 swap(`<v>a`, `<v b64='1'>a`),
		"b64 trailing bits":   swap(`<v>a`, `<v b64='1'>YR==`),
		"value with element":  swap(`<v>a`, `<v><v/>a`),
		"encoding":            swap(`sid='1'`, `sid='1' enc='gzip'`),
		"not zlib":            packed("YWJjZGVm"),
		"cut zlib":            packed(zlibbed(good)[:80]),
		"not XML":             packed(zlibbed("<changes")),
		"inner other":         packed(zlibbed(strings.Replace(good, "epoch='3'", "epoch='4'", 1))),
		"inner packed":        packed(zlibbed(packed(zlibbed(good)))),
		"inner two":           packed(zlibbed(good + good)),
		"child beside zlib":   packed(zlibbed(good) + "<change/>"),
	} {
		t.Run(name, func(t *testing.T) {
			e, err := element.Parse([]byte(doc), element.StanzaLimits)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := protocol.ParseBatch(e, protocol.DefaultLimits); !errors.Is(err, protocol.ErrMalformed) {
				t.Errorf("got %+v, %v", b, err)
			}
		})
	}
}

func TestParseBatchLimits(t *testing.T) {
	b := protocol.Batch{Suffix: suffix, SID: 1, Changes: people(1, 1, 100)}
	for name, limits := range map[string]protocol.Limits{
		"changes": {Changes: 99, Bytes: 1 << 20, Nodes: 1 << 20},
		"bytes":   {Changes: 100, Bytes: 20_000, Nodes: 1 << 20},
		"nodes":   {Changes: 100, Bytes: 1 << 20, Nodes: 1000},
	} {
		if _, err := protocol.ParseBatch(wire(t, b.Element()), limits); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := protocol.ParseBatch(wire(t, b.Element()), protocol.DefaultLimits); err != nil {
		t.Error(err)
	}
}

// Forty-eight kilobytes can become fifty megabytes; they must not.
func TestParseBatchRefusesBomb(t *testing.T) {
	doc := strings.Replace(good, "<v>a</v>", "<v>"+strings.Repeat("a", 15<<20)+"</v>", 1)
	e := protocol.Batch{Suffix: suffix, SID: 1, Epoch: 3, Changes: people(1, 1, 1)}.Plain()
	e.SetAttr("enc", "zlib")
	e.Children, e.Text = nil, zlibbed(doc)
	if _, err := protocol.ParseBatch(wire(t, e), protocol.DefaultLimits); !errors.Is(err, protocol.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte(good))
	f.Add(protocol.Batch{Suffix: suffix, SID: 1, Epoch: 3, Changes: people(1, 1, 20)}.Element().Bytes())
	for _, c := range people(4095, 1, 2) {
		f.Add(protocol.Batch{Suffix: "\x00", SID: 4095, Changes: []changelog.Change{c}}.Plain().Bytes())
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		e, err := element.Parse(doc, element.StanzaLimits)
		if err != nil {
			return
		}
		b, err := protocol.ParseBatch(e, protocol.DefaultLimits)
		if err != nil {
			if !errors.Is(err, protocol.ErrMalformed) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		again, err := protocol.ParseBatch(wire(t, b.Element()), protocol.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if d := same(b, again); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzValue(f *testing.F) {
	for _, s := range []string{"", "a", " a", "a\r\nb", "\x00", "\xff", "]]>", "\ufffe", "ä", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := person(1, 1)
		c.DN, c.RDN = s, s+"x"
		c.Mods = []changelog.Mod{{Op: changelog.ModAdd, Attr: "a" + s, Values: []string{s}}}
		b := protocol.Batch{Suffix: suffix, SID: 1, Changes: []changelog.Change{c}}
		got, err := protocol.ParseBatch(wire(t, b.Plain()), protocol.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if d := same(b, got); d != "" {
			t.Fatal(d)
		}
	})
}
