package dit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
)

// TestForgetWhatMayComeToBeDemanded is about the value that is shown of those that were
// removed, once a class demands one: what was forgotten before that makes no difference.
func TestForgetWhatMayComeToBeDemanded(t *testing.T) {
	mod := func(op changelog.ModOp, attr string, values ...string) changelog.Change {
		return changelog.Change{Op: changelog.OpModify, Mods: []changelog.Mod{{Op: op, Attr: attr, Values: values}}}
	}
	remove := func(values ...string) changelog.Change { return mod(changelog.ModDelete, "sn", values...) }
	replace := func(values ...string) changelog.Change { return mod(changelog.ModReplace, "sn", values...) }
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprint("v", 1000+i))
	}
	for name, c := range map[string]struct {
		rdn           string
		sn            []string
		before, after []changelog.Change
		shown         string
	}{
		"removed before all were": {"cn=e", []string{"z"}, []changelog.Change{replace("a")}, []changelog.Change{replace()}, "a"},
		"removed by its name, and an older one with all": {"cn=e", []string{"a"}, []changelog.Change{mod(changelog.ModAdd, "sn", "b"), remove("b")},
			[]changelog.Change{replace()}, "b"},
		"removed at once, and added one after the other": {"cn=e", []string{"z"}, []changelog.Change{mod(changelog.ModAdd, "sn", "a"), remove("a", "z")}, nil, "a"},
		"removed at once": {"cn=e", []string{"a", "b"}, []changelog.Change{remove("a", "b")}, nil, "b"},
		"removed by its name, and kept by that of the entry": {"sn=n", []string{"m", "n"}, []changelog.Change{remove("n")},
			[]changelog.Change{{Op: changelog.OpModDN, RDN: "cn=e", DeleteOldRDN: true}, replace()}, "n"},
		"one of many":           {"cn=e", many, []changelog.Change{remove("v1007")}, []changelog.Change{replace()}, "v1007"},
		"the first of many":     {"cn=e", many, []changelog.Change{remove("v1009"), remove("v1007")}, []changelog.Change{replace()}, "v1007"},
		"the last of many":      {"cn=e", many, []changelog.Change{remove("v1007"), remove("v1009")}, []changelog.Change{replace()}, "v1009"},
		"one between of many":   {"cn=e", many, []changelog.Change{remove("v1007"), remove("v1009"), remove("v1008")}, []changelog.Change{replace()}, "v1008"},
		"some of many at once":  {"cn=e", many, []changelog.Change{remove("v1007", "v1008", "v1009")}, []changelog.Change{replace()}, "v1009"},
		"one of many, renewed":  {"cn=e", many, []changelog.Change{remove("v1007"), mod(changelog.ModAdd, "sn", "v1")}, []changelog.Change{replace()}, "v1"},
		"many, and one by name": {"cn=e", many, []changelog.Change{replace("a"), mod(changelog.ModAdd, "sn", many...), remove("a")}, []changelog.Change{replace()}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			id, n := testID("e"), uint64(0)
			var changes []*changelog.Change
			then := func(hour int, list ...changelog.Change) []*changelog.Change {
				first := len(changes)
				for _, c := range list {
					n++
					c.ID = id
					changes = append(changes, dated(1, n, hour+int(n), nil, c))
				}
				return changes[first:]
			}
			rules := testRules(t)
			s := dit.Open(dit.NewMemory(), rules)
			mergeInto(t, s, then(0, append([]changelog.Change{{Op: changelog.OpAdd, RDN: c.rdn, Mods: []changelog.Mod{
				{Op: changelog.ModAdd, Attr: "objectClass", Values: []string{"organizationalUnit"}}, {Op: changelog.ModAdd, Attr: "sn", Values: c.sn},
			}}}, c.before...)...)...)
			now := changelog.CSN{Time: epoch + 100*time.Hour.Microseconds()}
			f := dit.Forgetting{Stable: func(changelog.CSN, uint64) bool { return true }, Before: now, Newest: now, Stored: changelog.Seqs{1: n}, Tombstones: forever, Records: time.Hour}
			for more, err := true, error(nil); more; {
				if more, err = s.Forget(f, 10); err != nil {
					t.Fatal(err)
				}
			}
			mergeInto(t, s, then(200, append(c.after, mod(changelog.ModAdd, "objectClass", "person"))...)...)
			showsAll(t, s, id, naive.New(rules, changes))
			shown, err := s.View(id)
			if err != nil || !slices.ContainsFunc(shown.Attrs, func(a dit.Attribute) bool { return a.Name == "sn" && slices.Equal(a.Values, []string{c.shown}) }) {
				t.Errorf("shown is %+v, %v", shown, err)
			}
		})
	}
}
