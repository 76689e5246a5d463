package image_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/image"
	"ldapsync/schema"
	"ldapsync/store"
)

var terms = image.Terms{Schema: schema.Standard()}

// attrs returns attributes of name, value pairs.
func attrs(pairs ...string) (out []directory.Attribute) {
	for i := 0; i < len(pairs); i += 2 {
		if n := len(out); n > 0 && out[n-1].Name == pairs[i] {
			out[n-1].Values = append(out[n-1].Values, pairs[i+1])
			continue
		}
		out = append(out, directory.Attribute{Name: pairs[i], Values: []string{pairs[i+1]}})
	}
	return out
}

// of returns the image of an entry below parent.
func of(parent byte, rdn string, pairs ...string) *store.Image {
	name, err := dn.ParseRDN(rdn)
	if err != nil {
		panic(err)
	}
	return &store.Image{ID: changelog.ID{9}, Parent: changelog.ID{parent}, RDN: rdn, RDNKey: name.Key(terms.Schema), Attrs: attrs(pairs...)}
}

func loose(m *store.Image) *store.Image {
	m.Loose = true
	return m
}

func TestSameAndAlike(t *testing.T) {
	base := of(1, "cn=x", "cn", "x", "sn", "a", "sn", "b", "modifyTimestamp", "1")
	for name, c := range map[string]struct {
		other       *store.Image
		same, alike bool
	}{
		"itself":               {base, true, true},
		"none":                 {nil, false, false},
		"gone":                 {&store.Image{Gone: true}, false, false},
		"another order":        {of(1, "cn=x", "modifyTimestamp", "1", "sn", "b", "sn", "a", "cn", "x"), true, true},
		"other names":          {of(1, "cn=x", "commonName", "x", "surname", "a", "sn", "b", "modifyTimestamp", "1"), true, true},
		"another stamp":        {of(1, "cn=x", "cn", "x", "sn", "a", "sn", "b", "modifyTimestamp", "2"), false, true},
		"unknown stamps":       {loose(of(1, "cn=x", "cn", "x", "sn", "a", "sn", "b", "modifyTimestamp", "2")), true, true},
		"another creator":      {of(1, "cn=x", "cn", "x", "sn", "a", "sn", "b", "modifyTimestamp", "1", "creatorsName", "cn=c"), false, true},
		"another superior":     {of(2, "cn=x", "cn", "x", "sn", "a", "sn", "b", "modifyTimestamp", "1"), false, false},
		"another spelling":     {of(1, "cn=x", "cn", "X", "sn", "a", "sn", "b", "modifyTimestamp", "1"), false, false},
		"a name in other case": {of(1, "cn=X", "cn", "x", "sn", "a", "sn", "b", "modifyTimestamp", "1"), false, false},
		"a value less":         {of(1, "cn=x", "cn", "x", "sn", "a", "modifyTimestamp", "1"), false, false},
	} {
		if same, alike := terms.Same(base, c.other), terms.Alike(base, c.other); same != c.same || alike != c.alike {
			t.Errorf("%s: same %t, alike %t", name, same, alike)
		}
		if terms.Same(c.other, base) != c.same {
			t.Errorf("%s: not same both ways", name)
		}
	}
	if !terms.Same(nil, &store.Image{Gone: true}) {
		t.Error("nothing and gone are not the same")
	}
}

func TestMods(t *testing.T) {
	for name, c := range map[string]struct {
		from, to []string
		want     []changelog.Mod
	}{
		"nothing": {[]string{"sn", "a", "sn", "b"}, []string{"SN", "b", "sn", "a"}, nil},
		"single values are replaced": {[]string{"sn", "a", "sn", "b"}, []string{"sn", "a", "sn", "c"}, []changelog.Mod{
			{Op: changelog.ModDelete, Attr: "sn", Values: []string{"b"}}, {Op: changelog.ModAdd, Attr: "sn", Values: []string{"c"}}}},
		"no value stays":    {[]string{"sn", "a"}, []string{"sn", "A"}, []changelog.Mod{{Op: changelog.ModReplace, Attr: "sn", Values: []string{"A"}}}},
		"an attribute goes": {[]string{"sn", "a", "cn", "x"}, []string{"cn", "x"}, []changelog.Mod{{Op: changelog.ModReplace, Attr: "sn"}}},
		"no equality": {[]string{"jpegPhoto", "1", "jpegPhoto", "2"}, []string{"jpegPhoto", "1"}, []changelog.Mod{
			{Op: changelog.ModReplace, Attr: "jpegPhoto", Values: []string{"1"}}}},
		"stamps are written again": {[]string{"modifiersName", "cn=x"}, []string{"modifiersName", "cn=x"}, []changelog.Mod{
			{Op: changelog.ModReplace, Attr: "modifiersName", Values: []string{"cn=x"}}}},
	} {
		if d := cmp.Diff(c.want, terms.Mods(attrs(c.from...), attrs(c.to...))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"commonName=a+0.9.2342.19200300.100.1.1=b": "cn=a+uid=b", "uid=b+CN=A": "cn=A+uid=b", "odd=x": "odd=x"} {
		rdn, err := dn.ParseRDN(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := terms.Spelling(rdn); got != want {
			t.Errorf("%s is spelt %s, want %s", in, got, want)
		}
	}
	old := attrs("cn", "x", "cn", "y", "uid", "u")
	for name, c := range map[string]struct {
		to    string
		del   bool
		want  []directory.Attribute
		keeps bool
	}{
		"the old value stays":     {"cn=z", false, attrs("cn", "x", "cn", "y", "cn", "z", "uid", "u"), true},
		"the old value goes":      {"cn=z", true, attrs("cn", "y", "cn", "z", "uid", "u"), false},
		"it is in the new name":   {"cn=X+uid=u", true, attrs("cn", "x", "cn", "y", "uid", "u"), true},
		"an attribute it had not": {"sn=s", true, attrs("cn", "y", "uid", "u", "sn", "s"), false},
	} {
		got, err := terms.Renamed(old, "cn=x", c.to, c.del)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, d)
		}
		if keeps := terms.KeepsName(of(1, "cn=x"), of(1, c.to, pairs(got)...)); keeps != c.keeps {
			t.Errorf("%s: keeps its old name: %t", name, keeps)
		}
	}
}

func pairs(list []directory.Attribute) (out []string) {
	for _, a := range list {
		for _, v := range a.Values {
			out = append(out, a.Name, v)
		}
	}
	return out
}

func TestWasMade(t *testing.T) {
	old := of(1, "cn=x", "cn", "x", "sn", "a", "sn", "b", "description", "d")
	wrote := of(1, "cn=x", "cn", "x", "sn", "a", "sn", "c", "description", "e", "title", "t")
	for name, c := range map[string]struct {
		old, wrote, now *store.Image
		own, want       bool
	}{
		"as written":               {old, wrote, wrote, false, true},
		"as before":                {old, wrote, old, false, false},
		"was not there":            {nil, wrote, old, false, true},
		"our own move":             {old, loose(of(2, "cn=x")), old, true, true},
		"written, and one more":    {old, wrote, of(1, "cn=x", "cn", "x", "sn", "a", "sn", "c", "description", "e", "title", "t", "title", "u"), false, true},
		"not written, and another": {old, wrote, of(1, "cn=x", "cn", "x", "sn", "a", "sn", "b", "description", "f"), false, false},
		"one value taken back":     {old, wrote, of(1, "cn=x", "cn", "x", "sn", "a", "sn", "c", "description", "e"), false, true},
		"one value given":          {old, wrote, of(1, "cn=x", "cn", "x", "sn", "a", "sn", "b", "description", "d", "title", "t"), false, false},
	} {
		if got := terms.WasMade(c.old, c.wrote, c.now, c.own); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestOverruled(t *testing.T) {
	before := of(1, "cn=x", "cn", "x", "mail", "theirs", "modifyTimestamp", "1")
	base := of(1, "cn=x", "cn", "x")
	for name, c := range map[string]struct {
		after *store.Image
		want  bool
	}{
		"still shown":   {of(1, "cn=x", "cn", "x", "mail", "theirs", "sn", "ours"), false},
		"no more shown": {of(1, "cn=x", "cn", "x", "mail", "ours"), true},
		"gone":          {nil, true},
		"what was held": {of(1, "cn=x", "mail", "theirs"), false},
	} {
		if got := terms.Overruled(before, base, c.after); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	moved := of(2, "cn=x", "cn", "x")
	if !terms.Overruled(moved, base, base) || terms.Overruled(moved, base, moved) {
		t.Error("a move that the directory did not have is overruled when it is undone only")
	}
}
