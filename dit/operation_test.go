package dit_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// library is a replica with a few entries.
func library(t *testing.T) *replica {
	r := newReplica(1, testRules(t))
	unit, person := attr("objectClass", "organizationalUnit"), attr("objectClass", "inetOrgPerson")
	for _, e := range []struct {
		dn    string
		attrs []dit.Attribute
	}{
		{"ou=t,dc=x", []dit.Attribute{unit}},
		{"ou=p,ou=t,dc=x", []dit.Attribute{unit}},
		{"ou=q,ou=p,ou=t,dc=x", []dit.Attribute{unit}},
		{"cn=a,ou=t,dc=x", []dit.Attribute{
			person, attr("cn", "a", "b"), attr("sn", "s"), attr("employeeNumber", "41"), attr("description", "d"), attr("jpegPhoto", "p1"),
		}},
		{"cn=g,ou=t,dc=x", []dit.Attribute{attr("objectClass", "groupOfNames"), attr("member", "cn=m1", "cn=m2")}},
	} {
		if _, err := r.do(t, dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, e.dn), Attrs: e.attrs}, testID(e.dn), 0); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestAuthorModify(t *testing.T) {
	type m = dit.Modification
	mods := func(list ...m) []m { return list }
	for name, c := range map[string]struct {
		dn   string
		mods []m
		want []changelog.Mod
		code int
	}{
		"add":                      {"cn=a", mods(m{dit.AddValues, "description", []string{"e"}}), []changelog.Mod{added("description", "e")}, 0},
		"add what is there":        {"cn=a", mods(m{dit.AddValues, "description", []string{"D"}}), nil, dit.AttributeOrValueExists},
		"add twice":                {"cn=a", mods(m{dit.AddValues, "mail", []string{"x", "X"}}), nil, dit.AttributeOrValueExists},
		"add nothing":              {"cn=a", mods(m{dit.AddValues, "mail", nil}), nil, dit.InvalidAttributeSyntax},
		"add and delete":           {"cn=a", mods(m{dit.AddValues, "mail", []string{"x"}}, m{dit.DeleteValues, "mail", []string{"x"}}), nil, 0},
		"add a single value":       {"cn=a", mods(m{dit.DeleteValues, "employeeNumber", []string{"41"}}, m{dit.AddValues, "employeeNumber", []string{"42"}}), []changelog.Mod{replaced("employeeNumber", "42")}, 0},
		"add without equality":     {"cn=a", mods(m{dit.AddValues, "jpegPhoto", []string{"p2"}}), []changelog.Mod{replaced("jpegPhoto", "p1", "p2")}, 0},
		"delete":                   {"cn=a", mods(m{dit.DeleteValues, "cn", []string{"B"}}), []changelog.Mod{deleted("cn", "b")}, 0},
		"delete what is not there": {"cn=a", mods(m{dit.DeleteValues, "cn", []string{"c"}}), nil, dit.NoSuchAttribute},
		"delete the attribute":     {"cn=a", mods(m{dit.DeleteValues, "description", nil}), []changelog.Mod{replaced("description")}, 0},
		"delete no attribute":      {"cn=a", mods(m{dit.DeleteValues, "mail", nil}), nil, dit.NoSuchAttribute},
		"delete the name":          {"cn=a", mods(m{dit.DeleteValues, "cn", []string{"a"}}), nil, dit.NotAllowedOnRDN},
		"replace the name":         {"cn=a", mods(m{dit.ReplaceValues, "cn", []string{"c"}}), nil, dit.NotAllowedOnRDN},
		"replace":                  {"cn=a", mods(m{dit.ReplaceValues, "description", []string{"d", "e"}}), []changelog.Mod{replaced("description", "d", "e")}, 0},
		"replace, then add":        {"cn=a", mods(m{dit.ReplaceValues, "description", nil}, m{dit.AddValues, "description", []string{"d"}}), []changelog.Mod{replaced("description", "d")}, 0},
		"replace members":          {"cn=g", mods(m{dit.ReplaceValues, "member", []string{"cn=m2", "cn=m3"}}), []changelog.Mod{deleted("member", "cn=m1"), added("member", "cn=m3")}, 0},
		"replace by the same":      {"cn=g", mods(m{dit.ReplaceValues, "member", []string{"cn=m2", "cn=m1"}}), nil, 0},
		"delete all members":       {"cn=g", mods(m{dit.DeleteValues, "member", nil}), []changelog.Mod{deleted("member", "cn=m1", "cn=m2")}, 0},
		"increment":                {"cn=a", mods(m{dit.IncrementValues, "employeeNumber", []string{"-2"}}), []changelog.Mod{replaced("employeeNumber", "39")}, 0},
		"increment what is no int": {"cn=a", mods(m{dit.IncrementValues, "sn", []string{"1"}}), nil, dit.ConstraintViolation},
		"increment by what is not": {"cn=a", mods(m{dit.IncrementValues, "employeeNumber", []string{"x"}}), nil, dit.InvalidAttributeSyntax},
		"increment by two values":  {"cn=a", mods(m{dit.IncrementValues, "employeeNumber", []string{"1", "2"}}), nil, dit.ConstraintViolation},
		"increment nothing":        {"cn=a", mods(m{dit.IncrementValues, "uidNumber", []string{"1"}}), nil, dit.NoSuchAttribute},
		"marks":                    {"cn=a", mods(m{dit.ReplaceValues, "ldapsyncGlue", nil}, m{dit.AddValues, "objectClass", []string{"ldapsyncConflict"}}), nil, dit.InvalidAttributeSyntax},
		"marks alone":              {"cn=a", mods(m{dit.ReplaceValues, "ldapsyncGlue", nil}), nil, 0},
		"unknown modification":     {"cn=a", mods(m{9, "sn", []string{"1"}}), nil, dit.UnwillingToPerform},
		"no entry":                 {"cn=z", mods(m{dit.ReplaceValues, "sn", []string{"1"}}), nil, dit.NoSuchObject},
	} {
		t.Run(name, func(t *testing.T) {
			r := library(t)
			got, err := r.state().Author(dit.Operation{Op: changelog.OpModify, DN: parseDN(t, c.dn+",ou=t,dc=x"), Modifications: c.mods}, dit.ID{})
			checkCode(t, err, c.code)
			var mods []changelog.Mod
			if got != nil {
				mods = got.Mods
			}
			if d := cmp.Diff(c.want, mods, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

func checkCode(t *testing.T, err error, want int) {
	t.Helper()
	var result *dit.ResultError
	switch {
	case err == nil && want == 0:
	case errors.As(err, &result) && result.Code == want && err.Error() != "":
	default:
		t.Errorf("error %v, want code %d", err, want)
	}
}

func TestAuthorTree(t *testing.T) {
	for name, c := range map[string]struct {
		op   dit.Operation
		want *changelog.Change
		code int
	}{
		"add": {
			dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "cn=n,ou=p,ou=t,dc=x"), Attrs: []dit.Attribute{attr("sn", "s"), attr("objectClass", "person")}},
			&changelog.Change{
				Op: changelog.OpAdd, DN: "cn=n,ou=p,ou=t,dc=x", RDN: "cn=n", Superior: testID("ou=p,ou=t,dc=x"),
				Mods: []changelog.Mod{added("cn", "n"), added("objectClass", "person"), added("sn", "s")},
			}, 0,
		},
		"add again":            {dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "CN=A,ou=t,dc=x")}, nil, dit.EntryAlreadyExists},
		"add below nothing":    {dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "cn=a,ou=z,ou=t,dc=x")}, nil, dit.NoSuchObject},
		"add elsewhere":        {dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "cn=a,dc=y")}, nil, dit.NoSuchObject},
		"add without a name":   {dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "ldapsyncConflictId=x,ou=t,dc=x")}, nil, dit.NamingViolation},
		"add the root":         {dit.Operation{Op: changelog.OpAdd}, nil, dit.UnwillingToPerform},
		"delete":               {dit.Operation{Op: changelog.OpDelete, DN: parseDN(t, "cn=a,ou=t,dc=x")}, &changelog.Change{Op: changelog.OpDelete, ID: testID("cn=a,ou=t,dc=x"), DN: "cn=a,ou=t,dc=x"}, 0},
		"delete nothing":       {dit.Operation{Op: changelog.OpDelete, DN: parseDN(t, "cn=z,ou=t,dc=x")}, nil, dit.NoSuchObject},
		"delete with children": {dit.Operation{Op: changelog.OpDelete, DN: parseDN(t, "ou=p,ou=t,dc=x")}, nil, dit.NotAllowedOnNonLeaf},
		"rename": {
			dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "cn=a,ou=t,dc=x"), NewRDN: parseDN(t, "cn=z")[0], DeleteOldRDN: true},
			&changelog.Change{Op: changelog.OpModDN, ID: testID("cn=a,ou=t,dc=x"), DN: "cn=a,ou=t,dc=x", RDN: "cn=z", DeleteOldRDN: true}, 0,
		},
		"rename to the same": {
			dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "cn=a,ou=t,dc=x"), NewRDN: parseDN(t, "cn=A")[0]},
			&changelog.Change{Op: changelog.OpModDN, ID: testID("cn=a,ou=t,dc=x"), DN: "cn=a,ou=t,dc=x", RDN: "cn=A"}, 0,
		},
		"rename onto another": {dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "cn=a,ou=t,dc=x"), NewRDN: parseDN(t, "cn=G")[0]}, nil, dit.EntryAlreadyExists},
		"rename to nothing":   {dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "cn=a,ou=t,dc=x")}, nil, dit.NamingViolation},
		"rename the suffix":   {dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "ou=t,dc=x"), NewRDN: parseDN(t, "cn=G")[0]}, nil, dit.UnwillingToPerform},
		"move": {
			dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "cn=a,ou=t,dc=x"), NewRDN: parseDN(t, "cn=a")[0], DeleteOldRDN: true, NewSuperior: parseDN(t, "ou=q,ou=p,ou=t,dc=x")},
			&changelog.Change{Op: changelog.OpModDN, ID: testID("cn=a,ou=t,dc=x"), DN: "cn=a,ou=t,dc=x", Moved: true, Superior: testID("ou=q,ou=p,ou=t,dc=x")}, 0,
		},
		"move to where it is": {
			dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "cn=a,ou=t,dc=x"), NewRDN: parseDN(t, "cn=a")[0], NewSuperior: parseDN(t, "ou=t,dc=x")}, nil, 0,
		},
		"move below itself": {
			dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "ou=p,ou=t,dc=x"), NewRDN: parseDN(t, "ou=p")[0], NewSuperior: parseDN(t, "ou=q,ou=p,ou=t,dc=x")}, nil, dit.UnwillingToPerform,
		},
		"move below nothing": {
			dit.Operation{Op: changelog.OpModDN, DN: parseDN(t, "ou=p,ou=t,dc=x"), NewRDN: parseDN(t, "ou=p")[0], NewSuperior: parseDN(t, "ou=z,ou=t,dc=x")}, nil, dit.NoSuchObject,
		},
		"unknown operation": {dit.Operation{DN: parseDN(t, "ou=p,ou=t,dc=x")}, nil, dit.UnwillingToPerform},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := library(t).state().Author(c.op, dit.ID{})
			checkCode(t, err, c.code)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestGlueIsRestored writes to an entry that was deleted while another server
// added a child to it.
func TestGlueIsRestored(t *testing.T) {
	a := library(t)
	b := newReplica(2, testRules(t))
	for _, c := range logOf(t, a) {
		b.merge(t, c)
	}
	gone, err := a.do(t, dit.Operation{Op: changelog.OpDelete, DN: parseDN(t, "ou=q,ou=p,ou=t,dc=x")}, dit.ID{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	child := dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "cn=c,ou=q,ou=p,ou=t,dc=x"), Attrs: []dit.Attribute{attr("objectClass", "person"), attr("sn", "s")}}
	if _, err := b.do(t, child, testID("c"), 20); err != nil {
		t.Fatal(err)
	}
	b.merge(t, gone)
	id := testID("ou=q,ou=p,ou=t,dc=x")
	shown, err := b.state().View(id)
	if err != nil || shown == nil || !shown.Glue {
		t.Fatalf("%+v %v, want glue", shown, err)
	}
	if _, err := b.state().Author(dit.Operation{Op: changelog.OpDelete, DN: parseDN(t, "ou=q,ou=p,ou=t,dc=x")}, dit.ID{}); err == nil {
		t.Error("glue with a child can be deleted")
	}
	c, err := b.do(t, dit.Operation{
		Op: changelog.OpModify, DN: parseDN(t, "ou=q,ou=p,ou=t,dc=x"),
		Modifications: []dit.Modification{{Op: dit.AddValues, Attr: "description", Values: []string{"back"}}},
	}, dit.ID{}, 30)
	if err != nil || c == nil || !c.Undelete {
		t.Fatalf("%+v %v, want undelete", c, err)
	}
	shown, err = b.state().View(id)
	if err != nil || shown.Glue || !slices.ContainsFunc(shown.Attrs, func(a dit.Attribute) bool { return a.Name == "description" }) {
		t.Errorf("%+v %v, want the entry back", shown, err)
	}
	if life, err := b.state().Life(id); err != nil || life != dit.Live {
		t.Errorf("life %v %v", life, err)
	}
}

func TestAwaited(t *testing.T) {
	a := library(t)
	log := logOf(t, a)
	b := newReplica(2, a.rules)
	awaited := func() bool {
		t.Helper()
		on, err := b.state().Awaited(testID("ou=p,ou=t,dc=x"))
		if err != nil {
			t.Fatal(err)
		}
		return on
	}
	if awaited() {
		t.Error("awaited by nothing")
	}
	if b.merge(t, log[2]); !awaited() {
		t.Error("an entry below it has arrived, and it is not awaited")
	}
	if b.merge(t, log[1]); awaited() {
		t.Error("it has arrived and is awaited")
	}
}

// logOf makes the changes that made the entries of library once more.
func logOf(t *testing.T, r *replica) []*changelog.Change {
	t.Helper()
	var out []*changelog.Change
	again := newReplica(r.sid, r.rules)
	for _, name := range []string{"ou=t,dc=x", "ou=p,ou=t,dc=x", "ou=q,ou=p,ou=t,dc=x"} {
		c, err := again.do(t, dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, name), Attrs: []dit.Attribute{attr("objectClass", "organizationalUnit")}}, testID(name), 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// TestMoveBelowMerged refuses to move a container below an entry that is shown
// below it, though the entry belongs to another of the same name.
func TestMoveBelowMerged(t *testing.T) {
	a, b := library(t), newReplica(2, testRules(t))
	for _, c := range logOf(t, a)[:1] {
		b.merge(t, c)
	}
	unit := []dit.Attribute{attr("objectClass", "organizationalUnit")}
	for _, name := range []string{"ou=p,ou=t,dc=x", "ou=z,ou=p,ou=t,dc=x"} {
		c, err := b.do(t, dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, name), Attrs: unit}, testID("b"+name), 1000)
		if err != nil {
			t.Fatal(err)
		}
		a.merge(t, c)
	}
	_, err := a.state().Author(dit.Operation{
		Op: changelog.OpModDN, DN: parseDN(t, "ou=p,ou=t,dc=x"), NewRDN: parseDN(t, "ou=p")[0], NewSuperior: parseDN(t, "ou=z,ou=p,ou=t,dc=x"),
	}, dit.ID{})
	checkCode(t, err, dit.UnwillingToPerform)
}

// TestGlueHasNoPassword deletes an entry of nothing but a password.
func TestGlueHasNoPassword(t *testing.T) {
	for _, classes := range [][]string{{"simpleSecurityObject"}, {"account", "simpleSecurityObject"}} {
		r := library(t)
		id := testID("account")
		for _, op := range []dit.Operation{
			{Op: changelog.OpAdd, DN: parseDN(t, "uid=u,ou=t,dc=x"), Attrs: []dit.Attribute{attr("objectClass", classes...), attr("userPassword", "secret")}},
			{Op: changelog.OpAdd, DN: parseDN(t, "cn=c,uid=u,ou=t,dc=x"), Attrs: []dit.Attribute{attr("objectClass", "person"), attr("sn", "s")}},
		} {
			if _, err := r.do(t, op, id, 0); err != nil {
				t.Fatal(err)
			}
			id = testID("child")
		}
		gone := &changelog.Change{Op: changelog.OpDelete, ID: testID("account")}
		r.stamp(gone, 0)
		r.merge(t, gone)
		shown, err := r.state().View(testID("account"))
		if err != nil || shown == nil || !shown.Glue {
			t.Fatalf("%+v %v", shown, err)
		}
		want := []dit.Attribute{
			attr("ldapsyncGlue", "TRUE"),
			attr("objectClass", classes[0], "ldapsyncConflict"),
			attr("uid", "u"),
		}
		if len(classes) == 1 {
			want[1].Values = []string{"ldapsyncConflict", classes[0]}
		}
		if d := cmp.Diff(want, shown.Attrs); d != "" {
			t.Error(d)
		}
	}
}

// TestMergeRefuses gives changes that no server makes.
func TestMergeRefuses(t *testing.T) {
	kv := dit.NewMemory()
	good := changelog.Change{Op: changelog.OpAdd, Seq: 1, CSN: changelog.CSN{Time: epoch, SID: 1}, ID: testID("a"), RDN: "cn=a"}
	for name, spoil := range map[string]func(*changelog.Change){
		"no sequence number": func(c *changelog.Change) { c.Seq = 0 },
		"below itself":       func(c *changelog.Change) { c.Superior = c.ID },
		"bad name":           func(c *changelog.Change) { c.RDN = "cn" },
		"name of marks":      func(c *changelog.Change) { c.RDN = "ldapsyncConflictId=x" },
	} {
		c := good
		spoil(&c)
		if _, err := dit.Open(kv, testRules(t)).Merge(&c); !errors.Is(err, changelog.ErrChange) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if kv.Len() != 0 {
		t.Errorf("%d keys were written", kv.Len())
	}
	s := dit.Open(kv, testRules(t))
	for i := range 2 {
		touched, err := s.Merge(&good)
		if err != nil || len(touched) != 1-i {
			t.Errorf("merge %d: touched %v, %v", i, touched, err)
		}
	}
}
