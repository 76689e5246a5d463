package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dn"
	"ldapsync/image"
	"ldapsync/plan"
	"ldapsync/schema"
	"ldapsync/store"
)

var suffix = dn.DN{{{Attr: "dc", Value: "x"}}}

// entry is what an entry is in the directory or is to be there: its number, that of
// its superior, its name and its attributes, "cn=x sn=y".
type entry struct {
	id, parent byte
	rdn, attrs string
}

func number(id byte) changelog.ID {
	if id == 0 {
		return changelog.ID{}
	}
	return changelog.ID{15: id}
}

// image returns an entry as a directory holds it that has confirmed it.
func (e entry) image(t *testing.T) *store.Image {
	rdn, err := dn.ParseRDN(e.rdn)
	if err != nil {
		t.Fatal(err)
	}
	m := &store.Image{ID: number(e.id), Parent: number(e.parent), RDN: e.rdn, RDNKey: rdn.Key(schema.Standard()), Confirmed: true}
	m.CSN.Time = int64(e.id)
	for _, pair := range strings.Fields(e.attrs) {
		name, value, _ := strings.Cut(pair, "=")
		if n := len(m.Attrs); n > 0 && m.Attrs[n-1].Name == name {
			m.Attrs[n-1].Values = append(m.Attrs[n-1].Values, value)
			continue
		}
		m.Attrs = append(m.Attrs, directory.Attribute{Name: name, Values: []string{value}})
	}
	return m
}

// show returns a write in one line, with the entryCSN it depends on.
func show(w directory.Write) string {
	s := map[directory.WriteOp]string{directory.Add: "add ", directory.Modify: "modify ", directory.ModDN: "modrdn ", directory.Delete: "delete "}[w.Op] + w.DN
	switch w.Op {
	case directory.ModDN:
		s += " to " + w.NewRDN
		if w.NewSuperior != "" {
			s += " below " + w.NewSuperior
		}
		if w.DeleteOldRDN {
			s += " deleting"
		}
	case directory.Modify:
		for _, m := range w.Mods {
			s += fmt.Sprintf(" %s %s %s", m.Op, m.Attr, strings.Join(m.Values, ","))
		}
	}
	if w.Op != directory.Add {
		s += fmt.Sprintf(" if %d", w.IfCSN.Time)
	}
	return s
}

var (
	root   = entry{1, 0, "dc=x", "objectClass=domain dc=x"}
	people = entry{2, 1, "ou=p", "objectClass=organizationalUnit ou=p"}
	groups = entry{3, 1, "ou=g", "objectClass=organizationalUnit ou=g"}
	ann    = entry{4, 2, "cn=ann", "objectClass=person cn=ann sn=a"}
	rooms  = entry{6, 1, "ou=r", "objectClass=organizationalUnit ou=r"}
	bob    = entry{5, 2, "cn=bob", "objectClass=person cn=bob sn=b"}
)

func (e entry) named(rdn, attrs string) entry { return entry{e.id, e.parent, rdn, attrs} }

func (e entry) below(parent entry) entry { return entry{e.id, parent.id, e.rdn, e.attrs} }

// TestMake plans what leads from what a directory has to what it is to have; every
// entry is marked, the last first.
func TestMake(t *testing.T) {
	marked := bob.named("cn=n+ldapsyncConflictId="+number(4).String(),
		"objectClass=person objectClass=ldapsyncConflict cn=n sn=b ldapsyncConflictId="+number(4).String())
	for name, c := range map[string]struct {
		have, want   []entry
		held         []entry
		writes       []string
		blocked      []string
		done, doubts int
	}{
		"nothing to do": {have: []entry{root, people}, want: []entry{root, people}, done: 2},
		"superiors are added first": {want: []entry{root, people, ann}, writes: []string{
			"add dc=x", "add ou=p,dc=x", "add cn=ann,ou=p,dc=x"}},
		"what is below is deleted first": {have: []entry{root, people, ann}, want: []entry{root}, done: 1, writes: []string{
			"delete cn=ann,ou=p,dc=x if 4", "delete ou=p,dc=x if 2"}},
		"a name is set free first": {have: []entry{root, people, ann}, want: []entry{root, people, bob.named("cn=ann", ann.attrs)}, done: 2, writes: []string{
			"delete cn=ann,ou=p,dc=x if 4", "add cn=ann,ou=p,dc=x"}},
		"a move follows its new superior": {have: []entry{root, people, ann}, want: []entry{root, people, groups, ann.below(groups)}, done: 2, writes: []string{
			"add ou=g,dc=x", "modrdn cn=ann,ou=p,dc=x to cn=ann below ou=g,dc=x if 4"}},
		"a superior and what it is below change places": {have: []entry{root, people, groups.below(people)}, want: []entry{root, people.below(groups), groups}, done: 1,
			writes: []string{"modrdn ou=g,ou=p,dc=x to ou=g below dc=x if 3", "modrdn ou=p,dc=x to ou=p below ou=g,dc=x if 2"}},
		"names change hands": {
			have: []entry{root, people, ann, bob}, done: 2,
			want: []entry{root, people, ann.named("cn=bob", bob.attrs), bob.named("cn=ann", ann.attrs)},
			writes: []string{
				"modify cn=ann,ou=p,dc=x add objectClass ldapsyncConflict if 4",
			},
			blocked: []string{"cn=ann"},
		},
		"another's mark is replaced by way of a name that shares nothing": {
			have: []entry{root, people, ann.named("cn=ann+ldapsyncConflictId=x", "objectClass=person objectClass=ldapsyncConflict cn=ann sn=a ldapsyncConflictId=x")}, done: 2,
			want: []entry{root, people, ann.named("cn=ann+ldapsyncConflictId=y", "objectClass=person objectClass=ldapsyncConflict cn=ann sn=a ldapsyncConflictId=y")},
			writes: []string{
				"modrdn cn=ann+ldapsyncConflictId=x,ou=p,dc=x to cn=" + number(4).String() + "+ldapsyncConflictId=x if 4",
			},
		},
		"another's mark is replaced": {
			have: []entry{root, people, ann.named("cn=t+ldapsyncConflictId=x", "objectClass=person objectClass=ldapsyncConflict cn=ann cn=t sn=a ldapsyncConflictId=x")}, done: 2,
			want: []entry{root, people, ann.named("cn=ann+ldapsyncConflictId=y", "objectClass=person objectClass=ldapsyncConflict cn=ann sn=a ldapsyncConflictId=y")},
			writes: []string{
				"modrdn cn=t+ldapsyncConflictId=x,ou=p,dc=x to cn=ann+ldapsyncConflictId=y deleting if 4",
			},
		},
		"names with marks change hands": {
			have: []entry{root, people,
				ann.named("cn=n+ldapsyncConflictId=x", "objectClass=person objectClass=ldapsyncConflict cn=n sn=a ldapsyncConflictId=x"), bob.named("cn=n", "objectClass=person cn=n sn=b")}, done: 2,
			want: []entry{root, people,
				ann.named("cn=n", "objectClass=person cn=n sn=a"), bob.named("cn=n+ldapsyncConflictId=x", "objectClass=person objectClass=ldapsyncConflict cn=n sn=b ldapsyncConflictId=x")},
			writes: []string{
				"modrdn cn=n+ldapsyncConflictId=x,ou=p,dc=x to cn=" + number(4).String() + "+ldapsyncConflictId=x if 4",
				"modify cn=n,ou=p,dc=x add objectClass ldapsyncConflict if 5",
			},
		},
		"names of which one has the other's mark change hands": {
			have: []entry{root, people, ann.named("cn=n", "objectClass=person objectClass=ldapsyncConflict cn=n sn=a"), marked}, done: 2,
			want: []entry{root, people, marked.named("cn=n", "objectClass=person cn=n sn=b"),
				ann.named(marked.rdn, "objectClass=person objectClass=ldapsyncConflict cn=n sn=a ldapsyncConflictId="+number(4).String())},
			writes: []string{
				"modrdn cn=n,ou=p,dc=x to cn=" + number(4).String() + "+ldapsyncConflictId=" + number(4).String() + " if 4",
				"modrdn " + marked.rdn + ",ou=p,dc=x to cn=n if 5",
			},
		},
		"one write for each entry": {have: []entry{root, people, ann}, want: []entry{root, people, ann.named("cn=eve", "objectClass=person cn=eve sn=e")}, done: 2,
			writes: []string{"modrdn cn=ann,ou=p,dc=x to cn=eve if 4"}},
		"values that change": {have: []entry{root, people, ann}, want: []entry{root, people, ann.named("cn=ann", "objectClass=person cn=ann sn=a sn=c")}, done: 2,
			writes: []string{"modify cn=ann,ou=p,dc=x add sn c if 4"}},
		"no superior": {have: []entry{root}, want: []entry{root, ann}, done: 1, blocked: []string{"cn=ann"}},
		"held":        {have: []entry{root}, want: []entry{root, people}, held: []entry{people}, done: 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := made(t, c.have, c.want, c.held, nil)
			var writes, blocked []string
			for _, u := range p.Units {
				writes = append(writes, show(u.Write))
			}
			for _, b := range p.Blocked {
				blocked = append(blocked, b.RDN.String())
			}
			if d := cmp.Diff(c.writes, writes); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.blocked, blocked); d != "" || len(p.Done) != c.done || len(p.Unconfirmed) != 0 {
				t.Errorf("%d are done, %d unconfirmed; blocked: %s", len(p.Done), len(p.Unconfirmed), d)
			}
		})
	}
}

// made plans what leads from one state to another; change may change the images.
func made(t *testing.T, have, want, held []entry, change func(*store.Image)) *plan.Plan {
	t.Helper()
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[changelog.ID]*store.Image{}
	for _, e := range want {
		wanted[number(e.id)] = e.image(t)
	}
	var p *plan.Plan
	err = s.Update(func(tx *store.Tx) error {
		for _, e := range have {
			m := e.image(t)
			if change != nil {
				change(m)
			}
			if err := tx.PutImage(m); err != nil {
				return err
			}
		}
		for id := byte(9); id > 0; id-- {
			if m, err := tx.Image(number(id)); err != nil || m == nil && wanted[number(id)] == nil {
				continue
			}
			if err := tx.MarkDirty(number(id), nil); err != nil {
				return err
			}
		}
		later := map[changelog.ID]bool{}
		for _, e := range held {
			later[number(e.id)] = true
		}
		base := plan.Base{Tx: tx, Terms: image.Terms{Schema: schema.Standard()}, Suffix: suffix,
			Wanted: func(id changelog.ID) (*store.Image, dn.RDN, error) {
				m := wanted[id]
				if m == nil {
					return nil, nil, nil
				}
				rdn, err := dn.ParseRDN(m.RDN)
				return m, rdn, err
			}}
		p, err = base.Make(later)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMakeWaits promises that nothing is planned for an entry whose last write has
// not been reported.
func TestMakeWaits(t *testing.T) {
	p := made(t, []entry{root, people}, []entry{root}, nil, func(m *store.Image) { m.Confirmed = m.ID == number(1) })
	if len(p.Units) != 0 || len(p.Blocked) != 0 || len(p.Unconfirmed) != 1 || p.Unconfirmed[0] != number(2) {
		t.Errorf("%+v", p)
	}
}

// TestCountsOn promises that what stands below a name that was not given is left
// out, and what needs one that was not set free.
func TestCountsOn(t *testing.T) {
	for name, c := range map[string]struct {
		have, want []entry
		counts     bool
	}{
		"below an addition":   {[]entry{root}, []entry{root, people, ann}, true},
		"besides an addition": {[]entry{root}, []entry{root, people, groups}, false},
		"a name set free":     {[]entry{root, people, ann}, []entry{root, people, bob.named("cn=ann", ann.attrs)}, true},
		"a name set free, spelt otherwise": {[]entry{root, people, ann},
			[]entry{root, people, bob.named("cn=Ann", "objectClass=person cn=Ann sn=b")}, true},
		"below what was moved": {[]entry{root, groups, rooms, ann.below(rooms)},
			[]entry{root, groups, rooms.below(groups), ann.below(rooms).named("cn=ann", "objectClass=person cn=ann sn=z")}, true},
	} {
		p := made(t, c.have, c.want, nil, nil)
		if len(p.Units) != 2 {
			t.Errorf("%s: %d units", name, len(p.Units))
			continue
		}
		first, second := p.Units[0], p.Units[1]
		if second.CountsOn(first) != c.counts || first.CountsOn(second) {
			t.Errorf("%s: %s; %s", name, show(first.Write), show(second.Write))
		}
	}
}

// TestCountsOnWhatMovedMeanwhile promises that what is added below an addition counts on
// it though something above both gets another name in between.
func TestCountsOnWhatMovedMeanwhile(t *testing.T) {
	box := entry{5, 1, "ou=b", "objectClass=organizationalUnit ou=b"}
	p := made(t, []entry{root, groups, box}, []entry{root, box, groups.below(box), rooms.below(groups), people.below(rooms)}, nil, nil)
	if len(p.Units) != 3 {
		t.Fatalf("%d units", len(p.Units))
	}
	first, move, last := p.Units[0], p.Units[1], p.Units[2]
	if move.Write.Op != directory.ModDN || !last.CountsOn(first) || !last.CountsOn(move) || move.CountsOn(first) {
		t.Errorf("%s; %s; %s", show(first.Write), show(move.Write), show(last.Write))
	}
}
