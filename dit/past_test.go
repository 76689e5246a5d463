package dit_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestPastInventsNothing lets a server lose its state at a random moment, and the
// others go on: what its directory held then is no work of its clients.
func TestPastInventsNothing(t *testing.T) {
	compared := 0
	for name, p := range profiles {
		for seed := range 8 {
			w := newWorld(t, p, uint64(seed))
			for range 40 {
				w.step()
			}
			lost := w.replicas[0]
			base := dit.Base{Seqs: maps.Clone(lost.seen), Selves: []changelog.SID{lost.sid}}
			held := w.views(lost)
			for range 20 {
				w.step()
			}
			w.settle()
			for _, shown := range held {
				if shown.Glue {
					continue
				}
				now := dit.Held{Parent: shown.Parent, RDN: shown.RDN, Attrs: shown.Attrs}
				past, err := w.replicas[1].state().Past(shown.ID, base, now)
				if err != nil || past == nil {
					t.Fatalf("%s/%d: %v, %v", name, seed, past, err)
				}
				compared++
				where := fmt.Sprintf("%s/%d %s", name, seed, shown.ID)
				if mods := w.rules.Diff(past.Attrs, now.Attrs); len(mods) > 0 {
					t.Errorf("%s: the clients did %+v", where, mods)
				}
				if past.Parent != now.Parent || past.RDN.Key(w.rules.Schema) != now.RDN.Key(w.rules.Schema) || past.Lost {
					t.Errorf("%s: %+v became %+v", where, past.Held, now)
				}
			}
		}
	}
	if compared < 100 {
		t.Errorf("%d entries were compared", compared)
	}
}

// TestPastFindsWhatClientsDid changes a copy of the directory while others change
// the room.
func TestPastFindsWhatClientsDid(t *testing.T) {
	entry := "cn=a,ou=t,dc=x"
	for name, tt := range map[string]struct {
		news []dit.Modification
		// local replaces values in what the directory holds.
		local map[string][]string
		want  []changelog.Mod
		lost  bool
	}{
		"value added":          {nil, map[string][]string{"description": {"d", "e"}}, []changelog.Mod{added("description", "e")}, false},
		"value removed":        {nil, map[string][]string{"cn": {"a"}}, []changelog.Mod{deleted("cn", "b")}, false},
		"attribute removed":    {nil, map[string][]string{"description": nil}, []changelog.Mod{replaced("description")}, false},
		"spelling":             {nil, map[string][]string{"description": {"D"}}, []changelog.Mod{added("description", "D")}, false},
		"unknown attribute":    {nil, map[string][]string{"title": {"t"}}, []changelog.Mod{added("title", "t")}, false},
		"only news":            {[]dit.Modification{{Op: dit.ReplaceValues, Attr: "description", Values: []string{"n"}}}, nil, nil, false},
		"news of another":      {[]dit.Modification{{Op: dit.ReplaceValues, Attr: "description", Values: []string{"n"}}}, map[string][]string{"title": {"t"}}, []changelog.Mod{added("title", "t")}, false},
		"both add":             {[]dit.Modification{{Op: dit.AddValues, Attr: "description", Values: []string{"n"}}}, map[string][]string{"description": {"d", "e"}}, []changelog.Mod{added("description", "e")}, false},
		"both remove the same": {[]dit.Modification{{Op: dit.DeleteValues, Attr: "cn", Values: []string{"b"}}}, map[string][]string{"cn": {"a"}}, nil, false},
		"both replace":         {[]dit.Modification{{Op: dit.ReplaceValues, Attr: "description", Values: []string{"n"}}}, map[string][]string{"description": {"e"}}, nil, true},
		"both replace one":     {[]dit.Modification{{Op: dit.ReplaceValues, Attr: "employeeNumber", Values: []string{"42"}}}, map[string][]string{"employeeNumber": {"43"}}, nil, true},
		"one is removed":       {[]dit.Modification{{Op: dit.DeleteValues, Attr: "description"}}, map[string][]string{"description": {"d", "e"}}, []changelog.Mod{added("description", "e")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := library(t)
			shown, err := r.state().View(testID(entry))
			if err != nil {
				t.Fatal(err)
			}
			base := dit.Base{Seqs: maps.Clone(r.seen), Selves: []changelog.SID{9}}
			if _, err := r.do(t, dit.Operation{Op: changelog.OpModify, DN: parseDN(t, entry), Modifications: tt.news}, dit.ID{}, 1000); err != nil {
				t.Fatal(err)
			}
			now := dit.Held{Parent: shown.Parent, RDN: shown.RDN}
			for _, a := range shown.Attrs {
				if _, changed := tt.local[a.Name]; !changed {
					now.Attrs = append(now.Attrs, a)
				}
			}
			for name, values := range tt.local {
				now.Attrs = append(now.Attrs, attr(name, values...))
			}
			past, err := r.state().Past(testID(entry), base, now)
			if err != nil {
				t.Fatal(err)
			}
			got := r.rules.Diff(past.Attrs, now.Attrs)
			if fmt.Sprint(got) != fmt.Sprint(tt.want) || past.Lost != tt.lost {
				t.Errorf("%+v, lost %v; want %+v, %v", got, past.Lost, tt.want, tt.lost)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	r := library(t)
	id := testID("cn=a,ou=t,dc=x")
	base := dit.Base{Seqs: maps.Clone(r.seen)}
	all, before, err := r.state().Within(id, base)
	if err != nil || !all || before.IsZero() {
		t.Errorf("%v %s %v", all, before, err)
	}
	op := dit.Operation{Op: changelog.OpModify, DN: parseDN(t, "cn=a,ou=t,dc=x"), Modifications: []dit.Modification{{Op: dit.AddValues, Attr: "title", Values: []string{"t"}}}}
	if _, err := r.do(t, op, dit.ID{}, 1000); err != nil {
		t.Fatal(err)
	}
	if all, newest, err := r.state().Within(id, base); err != nil || all || newest != before {
		t.Errorf("%v %s %v", all, newest, err)
	}
	if all, _, err := r.state().Within(testID("none"), base); err != nil || all {
		t.Errorf("%v %v", all, err)
	}
	if born, err := r.state().Born(id, base); err != nil || !born {
		t.Errorf("%v %v", born, err)
	}
	without := maps.Clone(base.Seqs)
	without[r.sid] = 0
	if born, err := r.state().Born(id, dit.Base{Seqs: without}); err != nil || born {
		t.Errorf("born before its superiors: %v %v", born, err)
	}
	ids, err := r.state().Entries(dit.ID{}, 3)
	if err != nil || len(ids) != 3 || !slices.IsSortedFunc(ids, func(a, b dit.ID) int { return strings.Compare(a.String(), b.String()) }) {
		t.Errorf("%v %v", ids, err)
	}
	if rest, err := r.state().Entries(ids[2], 10); err != nil || len(rest) != 2 {
		t.Errorf("%v %v", rest, err)
	}
}
