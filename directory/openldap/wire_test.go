package openldap

import (
	"errors"
	"strings"
	"testing"

	"ldapsync/directory/ber"
)

// element makes BER of nested parts for the tests.
func element(tag byte, parts ...[]byte) []byte { return ber.Element(tag, parts...) }

func octets(s string) []byte { return ber.String(ber.OctetString, s) }

const someID = "0123456789abcdef"

// contents strips the envelope from a message.
func contents(parts ...[]byte) string {
	return string(append(ber.Int(ber.Integer, 2), strings.Join(toStrings(parts), "")...))
}

func toStrings(parts [][]byte) []string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = string(p)
	}
	return out
}

func stateControl(state int64, id string, cookie ...[]byte) []byte {
	v := element(ber.Sequence, append([][]byte{ber.Int(ber.Enumerated, state), octets(id)}, cookie...)...)
	return element(responseControls, element(ber.Sequence, octets("1.2.3"), ber.Bool(true)),
		element(ber.Sequence, octets(oidSyncState), ber.Bool(false), octets(string(v))))
}

func anEntry(attrs ...[]byte) []byte {
	return element(searchEntry, octets("cn=x"), element(ber.Sequence, attrs...))
}

func info(value []byte) []byte {
	return element(intermediate, ber.String(ber.Context, oidSyncInfo), ber.String(ber.Context|1, string(value)))
}

func TestParseSyncMessage(t *testing.T) {
	m, err := parseSyncMessage(contents(
		anEntry(element(ber.Sequence, octets("cn"), element(ber.Set, octets("x"), octets("")))), stateControl(2, someID, octets("c"))))
	if err != nil || m.entry == nil || m.entry.dn != "cn=x" || m.entry.state != stateModify || string(m.entry.id[:]) != someID ||
		len(m.entry.attrs) != 1 || len(m.entry.attrs[0].values) != 2 || string(m.cookie) != "c" {
		t.Errorf("entry: %+v, %v", m, err)
	}
	m, err = parseSyncMessage(contents(info(ber.String(ber.Context, "new"))))
	if err != nil || string(m.cookie) != "new" || m.end != nil || m.set != nil {
		t.Errorf("new cookie: %+v, %v", m, err)
	}
	for tag, deletes := range map[byte]bool{1: true, 2: false} {
		m, err = parseSyncMessage(contents(info(element(ber.Context|ber.Constructed|tag, octets("c"), ber.Bool(false)))))
		if err != nil || m.end == nil || m.end.deletes != deletes || m.end.done {
			t.Errorf("end of a phase: %+v, %v", m, err)
		}
	}
	m, err = parseSyncMessage(contents(info(element(ber.Context|ber.Constructed|3, ber.Bool(true), element(ber.Set, octets(someID), octets(someID))))))
	if err != nil || m.set == nil || !m.set.deletes || len(m.set.ids) != 2 {
		t.Errorf("set: %+v, %v", m, err)
	}
	for name, msg := range map[string]string{
		"reference":          contents(element(searchReference, octets("ldap://x"))),
		"other intermediate": contents(element(intermediate, ber.String(ber.Context, "1.2.3"))),
	} {
		if m, err := parseSyncMessage(msg); err != nil || m.entry != nil || m.set != nil || m.end != nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestParseSyncMessageErrors(t *testing.T) {
	result := func(code int64) []byte {
		return element(searchDone, ber.Int(ber.Enumerated, code), octets(""), octets("why"))
	}
	for name, c := range map[string]struct {
		msg  string
		want error
	}{
		"nothing":             {"", ber.ErrMalformed},
		"no operation":        {contents(), ber.ErrMalformed},
		"unknown operation":   {contents(element(0x7f)), ber.ErrMalformed},
		"no state":            {contents(anEntry()), ber.ErrMalformed},
		"other controls only": {contents(anEntry(), element(responseControls)), ber.ErrMalformed},
		"empty UUID":          {contents(anEntry(), stateControl(1, "")), ber.ErrMalformed},
		"short UUID in a set": {contents(info(element(ber.Context|ber.Constructed|3, element(ber.Set, octets("short"))))), ber.ErrMalformed},
		"unknown sync info":   {contents(info(element(ber.Context | ber.Constructed | 4))), ber.ErrMalformed},
		"value not in a set":  {contents(anEntry(element(ber.Sequence, octets("cn"), octets("x"))), stateControl(1, someID)), ber.ErrMalformed},
		"success":             {contents(result(0)), errEnded},
	} {
		if _, err := parseSyncMessage(c.msg); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	_, err := parseSyncMessage(contents(result(53)))
	if code, text, ok := resultCode(err); !ok || code != 53 || text != "why" {
		t.Errorf("refusal: %v", err)
	}
}

func FuzzParseSyncMessage(f *testing.F) {
	f.Add(contents(anEntry(element(ber.Sequence, octets("cn"), element(ber.Set, octets("x")))), stateControl(1, someID)))
	f.Add(contents(info(element(ber.Context|ber.Constructed|3, element(ber.Set, octets(someID))))))
	f.Add(contents(info(element(ber.Context|ber.Constructed|2, octets("c")))))
	f.Fuzz(func(t *testing.T, msg string) {
		m, err := parseSyncMessage(msg)
		if (m == nil) == (err == nil) && err == nil {
			t.Errorf("%q: neither message nor error", msg)
		}
		_, _, _ = listed(msg)
	})
}

func TestParseCookie(t *testing.T) {
	const a, b = "20260102030405.000006Z#000000#001#000000", "20260102030405.000007Z#00000a#00b#000000"
	for in, want := range map[string]string{
		"rid=000,csn=" + a:                   "rid=000,csn=" + a,
		"rid=001,sid=002,csn=" + b + ";" + a: "rid=000,csn=" + a + ";" + b,
		"csn=" + a + ",delcsn=" + b:          "rid=000,csn=" + a,
		"rid=000":                            "",
		"":                                   "",
		"rid=000,csn=":                       "",
		"rid=000,csn=" + a + ";x":            "",
		"rid=000,csn=" + a + ",x=y":          "",
		"rid=000,csn=20260102030405Z#000000#001#000000": "",
		"rid=000,csn=" + a + "\x00":                     "",
	} {
		if got := string(parseCookie([]byte(in)).bytes()); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzParseCookie(f *testing.F) {
	f.Add("rid=000,sid=001,csn=20260102030405.000006Z#000000#001#000000;20260102030405.000006Z#000000#002#000000")
	f.Fuzz(func(t *testing.T, in string) {
		c := parseCookie([]byte(in))
		if c == nil {
			return
		}
		if again := parseCookie(c.bytes()); string(again.bytes()) != string(c.bytes()) {
			t.Errorf("%q: %q, then %q", in, c.bytes(), again.bytes())
		}
	})
}

func TestIndexedEqually(t *testing.T) {
	got := indexedEqually([]string{"default eq,sub", "{0}objectClass eq", "cn,sn pres,sub", "entryUUID", "{3}entryCSN,uid eq"})
	for attr, want := range map[string]bool{"objectclass": true, "cn": false, "entryuuid": true, "entrycsn": true, "uid": true, "mail": false} {
		if got[attr] != want {
			t.Errorf("%s: %v", attr, got[attr])
		}
	}
}
