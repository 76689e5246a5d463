package simulate

import (
	"strings"
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/schema"
)

// withFoo returns the standard schema with an attribute fooCustom that a person
// may have.
func withFoo(t *testing.T) *schema.Schema {
	t.Helper()
	types := []string{"( 1.3.6.1.4.1.32473.1.1 NAME 'fooCustom' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )"}
	for a := range standard.AttributeTypes() {
		types = append(types, a.Definition)
	}
	var classes []string
	for c := range standard.ObjectClasses() {
		text := c.Definition
		if c == standard.Class("inetOrgPerson") {
			text = strings.Replace(text, " MAY ( ", " MAY ( fooCustom $ ", 1)
		}
		classes = append(classes, text)
	}
	s, err := schema.Parse(types, classes)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Allows([]string{"inetOrgPerson"}, "fooCustom") {
		t.Fatal("no person may have a fooCustom")
	}
	return s
}

// differing counts the entries that differ in two directories, which hold the
// same ones.
func differing(t *testing.T, a, b *node) (n int) {
	t.Helper()
	ids := a.server.IDs()
	if len(ids) != len(b.server.IDs()) {
		t.Errorf("%d entries and %d", len(ids), len(b.server.IDs()))
	}
	for _, id := range ids {
		if mine, theirs := a.snapshot(id), b.snapshot(id); mine.differs(theirs) != "" {
			n++
		}
	}
	return n
}

func TestSystemE08(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		x, y := "cn=x,"+suffixText, personDN
		a.do(adding(x, "objectClass", "inetOrgPerson", "sn", "1"))
		w.quiet()
		foo := withFoo(t)
		for _, nd := range []*node{a, c} {
			nd.server.SetSchema(foo)
			nd.stepTime()
		}
		a.do(replace(x, "fooCustom", "1"))
		a.do(replace(y, "mail", "y@x"))
		w.quiet()
		st, err := b.rep.Status()
		if err != nil || st.ParkedCount != 1 || len(st.Parked) != 1 {
			t.Fatalf("parked %+v, %v", st.Parked, err)
		}
		if p := st.Parked[0]; p.DN != x || p.Code != 17 || !strings.Contains(p.Text, "fooCustom") || p.Since.IsZero() || p.CSN.SID != a.rep.Identity().SID {
			t.Errorf("parked %+v", p)
		}
		w.everywhere(t, y, "mail", "y@x")
		if !a.holds(b.dump()) {
			t.Error("the states differ")
		}
		if n := differing(t, a, b); n != 1 {
			t.Errorf("%d entries differ", n)
		}
		search, writes := b.search, 0
		b.server.SetRefuse(func(directory.Write) error { writes++; return nil })
		b.server.SetSchema(foo)
		b.stepTime()
		w.quiet()
		w.everywhere(t, x, "fooCustom", "1")
		if b.search != search || writes != 1 || differing(t, a, b) > 0 {
			t.Errorf("%d writes, synchronised anew: %v", writes, b.search != search)
		}
	})
}

// TestParkedEntryIsNamedAsWhatHoldsForgettingBack: everybody says whose directory
// it is, until an administrator gives the entry up.
func TestParkedEntryIsNamedAsWhatHoldsForgettingBack(t *testing.T) {
	system(t, 3, func(w *world) {
		a, b := w.nodes[0], w.nodes[1]
		b.refusing[theOne] = true
		a.do(replace(personDN, "mail", "a@x"))
		w.quiet()
		refused := w.authored(1)[len(w.authored(1))-1]
		gone := a.server.Find(mustDN("ou=b," + suffixText))
		a.do(directory.Write{Op: directory.Delete, DN: "ou=b," + suffixText})
		held := func(by changelog.SID) {
			t.Helper()
			for _, nd := range w.nodes {
				st, err := nd.rep.Status()
				if err != nil {
					t.Fatal(err)
				}
				before, holding := st.Held()
				if (by > 0) != (before == refused.CSN) || by > 0 && holding != by {
					t.Errorf("%s: held back at %s by %d", nd.name, before, holding)
				}
				for _, m := range st.Members {
					if m.Stuck != (m.SID == by) {
						t.Errorf("%s: %d is stuck: %v, lacks %s", nd.name, m.SID, m.Stuck, m.Lacks)
					}
				}
			}
		}
		w.months(w.nodes...)
		held(2)
		if a.life(gone) != dit.Deleted {
			t.Errorf("it was forgotten: %v", a.life(gone))
		}
		if err := b.rep.DropParked(theOne); err != nil {
			t.Fatal(err)
		}
		w.months(w.nodes...)
		held(0)
		if a.life(gone) != dit.Unborn {
			t.Errorf("it is not forgotten: %v", a.life(gone))
		}
	})
}
