package replica_test

import (
	"strings"
	"testing"

	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
)

// show returns the one conflict of a kind as every node shows it.
func (c *cluster) show(kind dit.Kind) (shown replica.Conflict) {
	c.t.Helper()
	listed := c.only(kind)
	for _, nd := range c.nodes {
		var err error
		if shown, err = nd.Conflict(listed.ID, false); err != nil {
			c.t.Fatal(err)
		}
		for _, side := range []replica.ConflictSide{shown.Lost, shown.Won} {
			if side.CSN.IsZero() || side.Server == "" || side.Value+side.Parent+side.Op == "" || side.Change == nil {
				c.t.Errorf("%s: of a side is said no more than %+v", nd.name, side)
			}
		}
	}
	return shown
}

// TestShowSaysWhoDidWhat promises that both sides of a conflict are told of, also where
// its record holds no value: what was done, by whom, where and when.
func TestShowSaysWhoDidWhat(t *testing.T) {
	box := "ou=box," + suffix
	drop := func(name string) directory.Write { return directory.Write{Op: directory.Delete, DN: name} }
	move := func(name, below string) directory.Write {
		rdn, _, _ := strings.Cut(name, ",")
		return directory.Write{Op: directory.ModDN, DN: name, NewRDN: rdn, NewSuperior: below}
	}
	for _, tt := range []struct {
		kind          dit.Kind
		first, second directory.Write
		lost, won     string
		other         string
	}{
		{dit.ChangeOnDeleted, modify(ann, replace("title", "Dr.")), drop(ann), "modify title=Dr.", "delete", ""},
		{dit.GlueShown, drop(box), addEntry("cn=in,"+box, "objectClass", "device"), "delete", "cn=in", "cn=in," + box},
		{dit.NameConflict, person("bob"), person("bob"), "uid=bob", "uid=bob", "uid=bob,ou=people," + suffix},
		{dit.MoveSkipped, move(box, "ou=people,"+suffix), move("ou=people,"+suffix, box), "", "", ""},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			c, a, _ := two(t)
			a.write(addEntry(box, "objectClass", "organizationalUnit"))
			c.settled()
			c.apart(tt.first, tt.second)
			shown := c.show(tt.kind)
			text := func(s replica.ConflictSide) string {
				out := s.Value + s.Op
				if s.Op == "modify" {
					for _, m := range s.Change.Mods {
						out += " " + m.Attr + "=" + strings.Join(m.Values, "+")
					}
				}
				return out
			}
			if tt.kind == dit.MoveSkipped {
				if shown.Won.Parent == "" || shown.Won.CSN == shown.Lost.CSN || shown.Other.IsZero() || shown.Other == shown.Entry {
					t.Errorf("the move it met is not named: %+v", shown)
				}
				return
			}
			if text(shown.Lost) != tt.lost || text(shown.Won) != tt.won || shown.OtherDN != tt.other {
				t.Errorf("%s and %s, other %s", text(shown.Lost), text(shown.Won), shown.OtherDN)
			}
			if !strings.HasPrefix(shown.Command, "ldapsync conflicts restore "+shown.ID) {
				t.Errorf("restored by %q", shown.Command)
			}
		})
	}
}

// TestShowOfWhatWasDenied promises that what is restored can be read before, but for
// passwords, and that it is not too long for that.
func TestShowOfWhatWasDenied(t *testing.T) {
	c, _, b := two(t)
	b.setRole(roles.ReadOnly)
	if err := b.SetRole(roles.ReadOnly); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 30)
	for i := range many {
		many[i] = strings.Repeat(string(rune('a'+i)), 300)
	}
	b.do(modify(ann, replace("description", many...), replace("userPassword", "another")))
	c.eventually(func() string {
		if len(b.list(replica.ConflictQuery{Kinds: []dit.Kind{replica.DeniedByRole}})) == 0 {
			return "not denied"
		}
		return ""
	})
	listed := b.list(replica.ConflictQuery{Kinds: []dit.Kind{replica.DeniedByRole}})[0]
	shown, err := b.Conflict(listed.ID, false)
	if err != nil || shown.Lost.Change == nil || len(shown.Lost.Change.Mods) != 2 || strings.Contains(shown.Text, "modifyTimestamp") {
		t.Fatalf("%+v %v", shown, err)
	}
	for _, m := range shown.Lost.Change.Mods {
		switch {
		case m.Attr == "userPassword":
			if len(m.Values) != 0 || m.Hidden != 1 {
				t.Errorf("a password is shown: %+v", m)
			}
		case len(m.Values)+m.More != len(many) || m.More == 0 || len(m.Values[0]) > 210:
			t.Errorf("%d values are shown, the first of %d octets, %d left out", len(m.Values), len(m.Values[0]), m.More)
		}
	}
	if shown.Lost.Op != "modify" || shown.Command != "ldapsync conflicts restore "+shown.ID {
		t.Errorf("%+v", shown)
	}
}
