package dit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ldapsync/changelog"
	"ldapsync/dit"
)

func attr(name string, values ...string) dit.Attribute {
	return dit.Attribute{Name: name, Values: values}
}

func added(name string, values ...string) changelog.Mod {
	return changelog.Mod{Op: changelog.ModAdd, Attr: name, Values: values}
}

func deleted(name string, values ...string) changelog.Mod {
	return changelog.Mod{Op: changelog.ModDelete, Attr: name, Values: values}
}

func replaced(name string, values ...string) changelog.Mod {
	return changelog.Mod{Op: changelog.ModReplace, Attr: name, Values: values}
}

func TestDiff(t *testing.T) {
	type attrs = []dit.Attribute
	type mods = []changelog.Mod
	for name, c := range map[string]struct {
		old, new attrs
		want     mods
	}{
		"nothing":                {attrs{attr("cn", "a")}, attrs{attr("cn", "a")}, nil},
		"order and spelling":     {attrs{attr("cn", "a", "b")}, attrs{attr("CN", "b"), attr("commonName", "a")}, nil},
		"new attribute":          {nil, attrs{attr("cn", "b", "a")}, mods{added("cn", "a", "b")}},
		"new value":              {attrs{attr("cn", "a")}, attrs{attr("cn", "a", "b")}, mods{added("cn", "b")}},
		"value gone":             {attrs{attr("cn", "a", "b")}, attrs{attr("cn", "b")}, mods{deleted("cn", "a")}},
		"one for another":        {attrs{attr("cn", "a", "b")}, attrs{attr("cn", "c", "b")}, mods{deleted("cn", "a"), added("cn", "c")}},
		"all for others":         {attrs{attr("cn", "a", "b")}, attrs{attr("cn", "c")}, mods{replaced("cn", "c")}},
		"attribute gone":         {attrs{attr("cn", "a")}, nil, mods{replaced("cn")}},
		"attribute emptied":      {attrs{attr("cn", "a")}, attrs{attr("cn")}, mods{replaced("cn")}},
		"spelled otherwise":      {attrs{attr("cn", "a", "b")}, attrs{attr("cn", "A", "b")}, mods{added("cn", "A")}},
		"single value":           {attrs{attr("uidNumber", "1")}, attrs{attr("uidNumber", "2")}, mods{replaced("uidNumber", "2")}},
		"new single value":       {nil, attrs{attr("uidNumber", "2")}, mods{replaced("uidNumber", "2")}},
		"single value spelled":   {attrs{attr("homeDirectory", "/a ")}, attrs{attr("homeDirectory", "/b")}, mods{replaced("homeDirectory", "/b")}},
		"no equality":            {attrs{attr("jpegPhoto", "a", "b")}, attrs{attr("jpegPhoto", "b")}, mods{replaced("jpegPhoto", "b")}},
		"members all replaced":   {attrs{attr("member", "cn=a")}, attrs{attr("member", "cn=b")}, mods{deleted("member", "cn=a"), added("member", "cn=b")}},
		"members gone":           {attrs{attr("member", "cn=a")}, nil, mods{deleted("member", "cn=a")}},
		"member spelled":         {attrs{attr("member", "cn=a,dc=x")}, attrs{attr("member", "CN=A, DC=X")}, mods{added("member", "CN=A, DC=X")}},
		"members with an option": {attrs{attr("member;x-a", "cn=a")}, nil, mods{deleted("member;x-a", "cn=a")}},
		"options apart":          {attrs{attr("cn;lang-de", "a")}, attrs{attr("cn", "a")}, mods{added("cn", "a"), replaced("cn;lang-de")}},
		"marks": {
			attrs{attr("objectClass", "person", "ldapsyncConflict"), attr("ldapsyncConflictOf", "1"), attr("ldapsyncGlue", "TRUE")},
			attrs{attr("objectClass", "person"), attr("ldapsyncConflictId", "2")}, nil,
		},
		"sorted": {attrs{attr("sn", "a")}, attrs{attr("cn", "b"), attr("sn", "c")}, mods{added("cn", "b"), replaced("sn", "c")}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, testRules(t).Diff(c.old, c.new), cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}
