package dit_test

import (
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// TestOperationalAttributeIsCleared is about a change that does nothing but empty
// an attribute of which nothing is recorded.
func TestOperationalAttributeIsCleared(t *testing.T) {
	for _, op := range []changelog.ModOp{changelog.ModReplace, changelog.ModDelete} {
		r := library(t)
		id := testID("u")
		add := dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "cn=u,ou=t,dc=x"), Attrs: []dit.Attribute{
			attr("objectClass", "person"), attr("sn", "s"), attr("modifyTimestamp", "20300101000000Z"),
		}}
		if _, err := r.do(t, add, id, 0); err != nil {
			t.Fatal(err)
		}
		m := changelog.Mod{Op: op, Attr: "modifyTimestamp"}
		if op == changelog.ModDelete {
			m.Values = []string{"20300101000000Z"}
		}
		c := &changelog.Change{Op: changelog.OpModify, ID: id, Mods: []changelog.Mod{m}}
		r.stamp(c, 1000)
		r.merge(t, c)
		shown, err := r.state().View(id)
		if err != nil || shown == nil {
			t.Fatalf("%+v %v", shown, err)
		}
		for _, a := range shown.Attrs {
			if a.Name == "modifyTimestamp" {
				t.Errorf("%s: it is still %q", op, a.Values)
			}
		}
	}
}
