package replica_test

import (
	"errors"
	"strings"
	"testing"

	"ldapsync/directory"
	"ldapsync/replica"
)

func dropped(name string) directory.Write { return directory.Write{Op: directory.Delete, DN: name} }

func renamed(name, rdn string) directory.Write {
	return directory.Write{Op: directory.ModDN, DN: name, NewRDN: rdn, DeleteOldRDN: true}
}

func uid(name string) string { return "uid=" + name + ",ou=people," + suffix }

// TestHistoryByAnOldName promises that an entry is found by every name that the log
// knows it to have had, and that who else had the name is said.
func TestHistoryByAnOldName(t *testing.T) {
	c := newCluster(t, 1)
	a := c.nodes[0]
	a.start(1)
	a.do(base()...)
	told := func(name, want string, others ...string) {
		t.Helper()
		c.settled()
		page := a.toldOf(name)
		if page.DN != want || len(page.Others) != len(others) {
			t.Fatalf("%s is %s, beside %v", name, page.DN, page.Others)
		}
		for i, n := range page.Others {
			if n.DN != others[i] {
				t.Errorf("beside it is %v", n)
			}
		}
	}
	a.write(person("v"))
	a.write(renamed(uid("v"), "uid=w"))
	told("UID=V , ou=people,"+suffix, uid("w"))

	a.write(renamed("ou=people,"+suffix, "ou=staff"))
	told(uid("v"), "uid=w,ou=staff,"+suffix)
	a.write(renamed("ou=staff,"+suffix, "ou=people"))

	a.write(person("v", "description", "another"))
	told(uid("v"), uid("v"), uid("w"))
	a.write(dropped(uid("v")))
	c.settled()
	var refused *replica.RequestError
	if _, err := a.History(uid("v"), false, 0, ""); !errors.As(err, &refused) || strings.Count(refused.HintText, "00000000") < 2 ||
		!strings.Contains(refused.HintText, "(now "+uid("w")+")") || !strings.Contains(refused.HintText, " as "+uid("v")+")") {
		t.Errorf("two had the name: %v, %+v", err, refused)
	}
	a.write(dropped(uid("w")))
	told(uid("w"), uid("w"))

	a.write(person("v"))
	told(uid("v"), uid("v"), uid("w"), uid("v"))
	if page := a.toldOf(a.toldOf(uid("v")).ID.String()); len(page.Others) > 0 {
		t.Errorf("asked for by its id, it is told of beside %v", page.Others)
	}
	trim(t, a)
	told(uid("v"), uid("v"), uid("v"))
}
