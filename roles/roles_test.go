package roles_test

import (
	"testing"

	"ldapsync/roles"
)

func TestRole(t *testing.T) {
	for _, tt := range []struct {
		role              roles.Role
		name, affiliation string
		writes            bool
	}{
		{roles.None, "none", "none", false},
		{roles.ReadOnly, "read-only", "member", false},
		{roles.Master, "master", "admin", true},
		{roles.Controller, "controller", "owner", true},
		{roles.Role(9), "none", "none", false},
	} {
		if tt.role.String() != tt.name || tt.role.Affiliation() != tt.affiliation || tt.role.Writes() != tt.writes {
			t.Errorf("%d: %s, %s, %v", tt.role, tt.role, tt.role.Affiliation(), tt.role.Writes())
		}
	}
}

func TestFromAffiliation(t *testing.T) {
	for affiliation, want := range map[string]roles.Role{
		"owner": roles.Controller, "admin": roles.Master, "member": roles.ReadOnly,
		"none": roles.None, "outcast": roles.None, "": roles.None, "Owner": roles.None,
	} {
		if got := roles.FromAffiliation(affiliation); got != want {
			t.Errorf("%q: %s", affiliation, got)
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, want := range []roles.Role{roles.ReadOnly, roles.Master, roles.Controller} {
		if got, err := roles.ParseRole(want.String()); got != want || err != nil {
			t.Errorf("%s: %s, %v", want, got, err)
		}
	}
	for _, s := range []string{"", "none", "Master", "admin", "readonly"} {
		if got, err := roles.ParseRole(s); err == nil || got != roles.None {
			t.Errorf("%q is %s", s, got)
		}
	}
}

func TestAccepts(t *testing.T) {
	const own, relayed = true, false
	for _, tt := range []struct {
		name        string
		author      roles.Role
		known       bool
		relay       roles.Role
		relayAuthor bool
		want        bool
	}{
		{"a master's own", roles.Master, true, roles.Master, own, true},
		{"a controller's own", roles.Controller, true, roles.Controller, own, true},
		{"a read-only server's own", roles.ReadOnly, true, roles.ReadOnly, own, false},
		{"a stranger's own", roles.None, true, roles.None, own, false},
		{"of one not known, its own", roles.None, false, roles.Master, own, false},
		{"a master's by a read-only server", roles.Master, true, roles.ReadOnly, relayed, true},
		{"a demoted server's by a master", roles.ReadOnly, true, roles.Master, relayed, true},
		{"a removed server's by a controller", roles.None, true, roles.Controller, relayed, true},
		{"of one not known, by a master", roles.None, false, roles.Master, relayed, true},
		{"a demoted server's by a read-only server", roles.ReadOnly, true, roles.ReadOnly, relayed, false},
		{"of one not known, by a read-only server", roles.Master, false, roles.ReadOnly, relayed, false},
		{"a demoted server's by a stranger", roles.ReadOnly, true, roles.None, relayed, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := roles.Accepts(tt.author, tt.known, tt.relay, tt.relayAuthor); got != tt.want {
				t.Error(got)
			}
		})
	}
}
