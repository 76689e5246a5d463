package integration_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/control"
	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// conflicts returns what a server lists, and checks the exit code.
func (s *site) conflicts(server *cluster.Server, args ...string) []control.Conflict {
	s.t.Helper()
	out, err := server.Command(append([]string{"conflicts", "list", "--json"}, args...)...).Output()
	var page control.ConflictsPage
	if e := json.Unmarshal(out, &page); e != nil {
		s.t.Fatalf("%s: %v %v %s", server.Name, err, e, out)
	}
	var exit *exec.ExitError
	if code := 4; len(page.Conflicts) > 0 && (!errors.As(err, &exit) || exit.ExitCode() != code) || len(page.Conflicts) == 0 && err != nil {
		s.t.Errorf("%s: exit code with %d conflicts: %v", server.Name, len(page.Conflicts), err)
	}
	return page.Conflicts
}

// listed returns what all servers list.
func (s *site) listed(args ...string) []control.Conflict {
	s.t.Helper()
	all := s.conflicts(s.a, args...)
	if d := cmp.Diff(all, s.conflicts(s.b, args...)); d != "" {
		s.t.Fatalf("the servers list others:\n%s", d)
	}
	return all
}

func (s *site) ldapsync(server *cluster.Server, args ...string) string {
	s.t.Helper()
	out, err := server.Ldapsync(args...)
	if err != nil {
		s.t.Fatalf("%s: %v %s", strings.Join(args, " "), err, out)
	}
	return out
}

// TestConflictsOnRealServers makes conflicts between two sites, lists them on
// both, restores one on the other side, brings back what was deleted, and drops
// the rest everywhere.
func TestConflictsOnRealServers(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 10, 1)
	s.join()
	one, two, three := openldap.SamplePerson(suffix, 1), openldap.SamplePerson(suffix, 2), openldap.SamplePerson(suffix, 3)
	group := "cn=readers,ou=groups," + suffix
	s.apply(s.a, "dn: %s\nchangetype: add\nobjectClass: groupOfNames\nmember: %s\n", group, one)
	s.equal()
	s.b.Link.Cut()
	const change = "dn: %s\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: %s\n-\nreplace: userPassword\nuserPassword: %s\n-\n"
	s.apply(s.a, change, one, "17", "secret-one")
	s.apply(s.b, change, one, "18", "secret-two")
	s.apply(s.a, "dn: %s\nchangetype: delete\n\ndn: %s\nchangetype: delete\n", two, three)
	s.apply(s.b, "dn: %s\nchangetype: modify\nreplace: title\ntitle: kept\n-\n\ndn: %s\nchangetype: modify\nadd: member\nmember: %s\n-\n", two, group, three)
	s.b.Link.Heal()
	s.equal()

	all := s.listed()
	byKind := map[string][]control.Conflict{}
	for _, c := range all {
		byKind[c.Kind] = append(byKind[c.Kind], c)
		if strings.Contains(c.Lost.Text+c.Won.Text, "secret") {
			t.Errorf("a password is shown: %+v", c)
		}
	}
	if len(byKind["value-superseded"]) != 2 || len(byKind["change-on-deleted"]) != 1 || len(byKind["dangling-reference"]) != 1 || len(all) != 4 {
		t.Fatalf("listed are %+v", all)
	}
	var number control.Conflict
	for _, c := range byKind["value-superseded"] {
		if c.Attribute == "employeeNumber" {
			number = c
		}
	}
	if number.Lost.Text != "17" || number.Lost.Server != s.a.JID || number.Won.Text != "18" || number.Won.Server != s.b.JID {
		t.Errorf("what lost to what: %+v", number)
	}
	if out := s.ldapsync(s.a, "conflicts", "show", number.ID[:6]); !strings.Contains(out, "17") || !strings.Contains(out, s.b.JID) {
		t.Errorf("show: %s", out)
	}

	s.ldapsync(s.b, "conflicts", "restore", number.ID)
	s.ldapsync(s.b, "conflicts", "restore", byKind["dangling-reference"][0].ID)
	s.ldapsync(s.a, "undelete", two)
	s.equal()
	for _, server := range s.Servers {
		out, err := server.Slapd.LDAPSearch("(|(employeeNumber=17)(title=kept)("+strings.SplitN(three, ",", 2)[0]+"))", "1.1")
		if n := strings.Count(out, "dn:"); err != nil || n != 3 {
			t.Errorf("%s holds %d of the three that came back: %v", server.Name, n, err)
		}
	}
	if left := s.listed(); len(left) != 1 || left[0].Attribute != "userPassword" {
		t.Errorf("left are %+v", left)
	}

	s.must(s.b.KillDaemon())
	s.start(s.b)
	s.equal()
	if out := s.ldapsync(s.b, "conflicts", "drop", "--all"); !strings.HasPrefix(out, "1 dropped") {
		t.Errorf("drop: %s", out)
	}
	s.equal()
	if left := s.listed(); len(left) > 0 {
		t.Errorf("dropped, and still listed: %+v", left)
	}
	s.history(one)
}

// history checks who is said to have changed an entry.
func (s *site) history(name string) {
	s.t.Helper()
	for _, server := range s.Servers {
		var h control.History
		if err := json.Unmarshal([]byte(s.ldapsync(server, "history", name, "--json")), &h); err != nil {
			s.t.Fatal(err)
		}
		var ops []string
		for _, c := range h.Changes {
			ops = append(ops, c.Op+" "+strings.SplitN(c.Server, "@", 2)[0])
			if made := len(c.Mods) > 1; made != (c.By != "") {
				s.t.Errorf("who is said to have made %+v", c)
			}
		}
		want := []string{"add ldap1", "modify ldap1", "modify ldap2", "modify ldap2", "settle ldap2"}
		if d := cmp.Diff(want, ops); d != "" || h.Truncated {
			s.t.Errorf("%s: history (truncated %v): %s", server.Name, h.Truncated, d)
		}
	}
}

// TestHistoryOnRealServers promises that what one client does within a second, a rename
// included, is told as that client's, also by the name that the entry had before.
func TestHistoryOnRealServers(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 3, 1)
	s.join()
	name := openldap.SamplePerson(suffix, 1)
	_, site, _ := strings.Cut(name, ",")
	const change = "dn: %s\nchangetype: modify\nreplace: description\ndescription: %s\n-\n"
	s.apply(s.a, change+"\n"+change+"\n"+change+"\ndn: %s\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n", name, "1", name, "2", name, "3", name)
	s.equal()
	s.apply(s.b, "dn: %s\nchangetype: modrdn\nnewrdn: uid=again\ndeleteoldrdn: 1\n", "uid=renamed,"+site)
	s.equal()
	for _, server := range s.Servers {
		var h control.History
		if err := json.Unmarshal([]byte(s.ldapsync(server, "history", name, "--json")), &h); err != nil {
			t.Fatal(err)
		}
		var ops []string
		for _, c := range h.Changes {
			ops = append(ops, c.Op+" "+strings.SplitN(c.Server, "@", 2)[0])
			if c.By == "" || c.By != h.Changes[0].By {
				t.Errorf("%s: who is said to have made %+v", server.Name, c)
			}
		}
		want := []string{"add ldap1", "modify ldap1", "modify ldap1", "modify ldap1", "moddn ldap1", "moddn ldap2"}
		if d := cmp.Diff(want, ops); d != "" || h.DN != "uid=again,"+site {
			t.Errorf("%s: history of %s: %s", server.Name, h.DN, d)
		}
	}
}
