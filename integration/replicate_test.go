package integration_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

func TestDirectoryAndEveryOperationArrive(t *testing.T) {
	for _, stock := range []bool{false, true} {
		t.Run(fmt.Sprintf("stock=%v", stock), func(t *testing.T) {
			s := newSite(t, func(o *cluster.Options) { o.StockProsody = stock })
			s.load(s.a, 1200, 20)
			s.join()
			if st, err := s.b.Status(); err != nil || st.Counters.Captured != 0 {
				t.Errorf("the copy was taken for %d changes of its clients, %v", st.Counters.Captured, err)
			}
			s.addBig()
			everyOperation(s, s.a)
			everyOperation(s, s.b)
			noEcho(s)
		})
	}
}

// addBig adds a value far beyond one stanza.
func (s *site) addBig() {
	s.t.Helper()
	photo := strings.Repeat("\xff\xd8\x00jpeg", 60_000)
	s.apply(s.b, "dn: uid=big,ou=people,%s\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Big\nsn: Big\njpegPhoto:: %s\n",
		suffix, base64.StdEncoding.EncodeToString([]byte(photo)))
	s.equal()
}

func everyOperation(s *site, on *cluster.Server) {
	s.t.Helper()
	me := on.Name
	people := "ou=people," + suffix
	for _, step := range []struct{ what, ldif string }{
		{"container", "dn: ou=%[1]s,%[2]s\nchangetype: add\nobjectClass: organizationalUnit\n\ndn: ou=sub,ou=%[1]s,%[2]s\nchangetype: add\nobjectClass: organizationalUnit\n"},
		{"add", "dn: uid=%[1]s,%[2]s\nchangetype: add\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\ncn: %[1]s Žluťoučký\nsn: S\n" +
			"uidNumber: 1000\ngidNumber: 100\nhomeDirectory: /home/x\nmail: a@example.org\ndescription;lang-de: Größe\nuserPassword: secret\n"},
		{"modify add", "dn: uid=%[1]s,%[2]s\nchangetype: modify\nadd: mail\nmail: b@example.org\nmail: c@example.org\n-\n"},
		{"modify delete value", "dn: uid=%[1]s,%[2]s\nchangetype: modify\ndelete: mail\nmail: a@example.org\n-\n"},
		{"modify replace", "dn: uid=%[1]s,%[2]s\nchangetype: modify\nreplace: sn\nsn: New\n-\nreplace: title\ntitle: Dr\n-\n"},
		{"modify increment", "dn: uid=%[1]s,%[2]s\nchangetype: modify\nincrement: uidNumber\nuidNumber: 7\n-\n"},
		{"modify delete attribute", "dn: uid=%[1]s,%[2]s\nchangetype: modify\ndelete: title\n-\n"},
		{"rename", "dn: uid=%[1]s,%[2]s\nchangetype: modrdn\nnewrdn: uid=%[1]s-renamed\ndeleteoldrdn: 1\n"},
		{"rename keeping the old value", "dn: uid=%[1]s-renamed,%[2]s\nchangetype: modrdn\nnewrdn: uid=%[1]s-again\ndeleteoldrdn: 0\n"},
		{"rename in case only", "dn: uid=%[1]s-again,%[2]s\nchangetype: modrdn\nnewrdn: uid=%[1]s-AGAIN\ndeleteoldrdn: 1\n"},
		{"move", "dn: uid=%[1]s-AGAIN,%[2]s\nchangetype: moddn\nnewrdn: uid=%[1]s\ndeleteoldrdn: 1\nnewsuperior: ou=sub,ou=%[1]s,%[2]s\n"},
		{"move of a subtree", "dn: ou=sub,ou=%[1]s,%[2]s\nchangetype: moddn\nnewrdn: ou=sub-%[1]s\ndeleteoldrdn: 1\nnewsuperior: " + suffix + "\n"},
		{"modify below it", "dn: uid=%[1]s,ou=sub-%[1]s," + suffix + "\nchangetype: modify\nadd: description\ndescription: moved\n-\n"},
		{"delete", "dn: uid=%[1]s,ou=sub-%[1]s," + suffix + "\nchangetype: delete\n\ndn: ou=sub-%[1]s," + suffix + "\nchangetype: delete\n\ndn: ou=%[1]s,%[2]s\nchangetype: delete\n"},
	} {
		s.apply(on, step.ldif, me, people)
		s.equal()
	}
	s.apply(on, "dn: uid=%[1]s-one,%[2]s\nchangetype: add\nobjectClass: inetOrgPerson\ncn: x\nsn: x\n\n"+
		"dn: uid=%[1]s-one,%[2]s\nchangetype: modrdn\nnewrdn: uid=%[1]s-two\ndeleteoldrdn: 0\n\n"+
		"dn: uid=%[1]s-two,%[2]s\nchangetype: modrdn\nnewrdn: uid=%[1]s-three\ndeleteoldrdn: 1\n", me, people)
	s.equal()
	if out, err := s.b.Slapd.LDAPSearch("(&(uid="+me+"-one)(uid="+me+"-three)(!(uid="+me+"-two)))", "1.1"); err != nil || !strings.Contains(out, "dn:") {
		s.t.Errorf("the value that a rename kept is gone: %v", err)
	}
	user := openldap.SamplePerson(suffix, 3)
	if _, err := on.Slapd.LDAPPasswd("-s", "new-"+me, user); err != nil {
		s.t.Fatal(err)
	}
	s.equal()
	for _, server := range s.Servers {
		if out, err := server.Slapd.Run("", "ldapwhoami", "-x", "-D", user, "-w", "new-"+me); err != nil {
			s.t.Errorf("new password at %s: %v %s", server.Name, err, out)
		}
	}
}

// noEcho counts for ten seconds in which nobody writes.
func noEcho(s *site) {
	s.t.Helper()
	before := published(s)
	end := time.Now().Add(10 * time.Second)
	for range time.Tick(time.Second) {
		if now := published(s); now != before {
			s.t.Fatalf("published %s, before %s, although nobody wrote", now, before)
		}
		if time.Now().After(end) {
			return
		}
	}
}

func published(s *site) string {
	s.t.Helper()
	out := ""
	for _, server := range s.Servers {
		st, err := server.Status()
		s.must(err)
		out += fmt.Sprintf("%s %d+%d ", server.Name, st.Counters.Published, st.Counters.Captured)
	}
	return out
}

func TestBothSidesWriteDuringAPartition(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 30, 3)
	s.join()
	s.b.Link.Cut()
	people := "ou=people," + suffix
	for i, server := range s.Servers {
		s.apply(server, "dn: uid=twin,%[1]s\nchangetype: add\nobjectClass: inetOrgPerson\ncn: %[2]s\nsn: twin\n", people, server.Name)
		s.apply(server, "dn: %[1]s\nchangetype: modify\nadd: mail\nmail: %[2]s@example.org\n-\nreplace: title\ntitle: %[2]s\n-\n", openldap.SamplePerson(suffix, 1), server.Name)
		s.apply(server, "dn: ou=box%[2]d,%[1]s\nchangetype: add\nobjectClass: organizationalUnit\n\ndn: ou=both,%[1]s\nchangetype: add\nobjectClass: organizationalUnit\n\n"+
			"dn: uid=in-%[3]s,ou=both,%[1]s\nchangetype: add\nobjectClass: inetOrgPerson\ncn: x\nsn: x\n", people, i, server.Name)
	}
	// names swapped on one side, both entries changed on the other
	one, two := "uid=u00004", "uid=u00005"
	at := func(i int) string { return strings.SplitN(openldap.SamplePerson(suffix, i), ",", 2)[1] }
	s.apply(s.a, "dn: %[1]s,%[2]s\nchangetype: modrdn\nnewrdn: uid=spare\ndeleteoldrdn: 1\n", one, at(4))
	s.apply(s.a, "dn: %[1]s,%[2]s\nchangetype: moddn\nnewrdn: %[3]s\ndeleteoldrdn: 1\nnewsuperior: %[4]s\n", two, at(5), one, at(4))
	s.apply(s.a, "dn: uid=spare,%[1]s\nchangetype: moddn\nnewrdn: %[2]s\ndeleteoldrdn: 1\nnewsuperior: %[3]s\n", at(4), two, at(5))
	s.apply(s.b, "dn: %s,%s\nchangetype: modify\nreplace: title\ntitle: was four\n-\n", one, at(4))
	s.apply(s.b, "dn: %s,%s\nchangetype: modify\nreplace: title\ntitle: was five\n-\n", two, at(5))
	// a container deleted on one side and filled on the other
	s.apply(s.a, "dn: ou=services,%s\nchangetype: delete\n", suffix)
	s.apply(s.b, "dn: cn=late,ou=services,%s\nchangetype: add\nobjectClass: device\n", suffix)
	s.b.Link.Heal()
	s.equal()

	out, err := s.a.Slapd.LDAPSearch("(|(sn=twin)(ou=both)(uid=in-*)(title=was *)(cn=late)(ou=services))", "title", "ldapsyncGlue", "ldapsyncConflictOf")
	s.must(err)
	for _, want := range []string{
		// slapd prints the parts of an RDN in an order of its own
		"dn: uid=twin,ou=people,", "+uid=twin,ou=people,", "dn: ou=both,ou=people,", "+ou=both,ou=people,",
		"dn: uid=in-ldap1,ou=both,ou=people,", "dn: uid=in-ldap2,ou=both,ou=people,", "title: was four", "title: was five",
		"dn: cn=late,ou=services,", "ldapsyncGlue: TRUE",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("missing %q in:\n%s", want, out)
		}
	}
	// what the view made goes by itself when its reason goes
	s.apply(s.b, "dn: uid=twin,%s\nchangetype: delete\n", people)
	s.apply(s.a, "dn: cn=late,ou=services,%s\nchangetype: delete\n", suffix)
	s.equal()
	out, err = s.b.Slapd.LDAPSearch("(|(sn=twin)(ou=services))", "1.1")
	s.must(err)
	if !strings.Contains(out, "dn: uid=twin,ou=people,") || strings.Contains(out, "ou=services,dc") || strings.Contains(out, "ldapsyncConflictId=") {
		t.Errorf("after the winner and the last child were deleted:\n%s", out)
	}
}
