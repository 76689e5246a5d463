package replica_test

import (
	"testing"

	"ldapsync/directory"
)

// TestMoveBelowATakenName promises that a client's move below a container stands,
// though that container then gets the name of the one below which an unanswered write
// of ours was to move the entry, and nothing in the entry says who moved it.
func TestMoveBelowATakenName(t *testing.T) {
	h := newHistory(t, 1)
	a, b := h.nodes[0], h.nodes[1]
	x, one, two := "ou=x,ou=people,"+suffix, "ou=one,"+suffix, "ou=two,"+suffix
	a.must(a.dir.Do(append(base(), addEntry(x, "objectClass", "organizationalUnit"),
		addEntry(one, "objectClass", "organizationalUnit"), addEntry(two, "objectClass", "organizationalUnit"))...))
	a.up()
	b.up()
	h.settle()
	id := a.dir.Find(mustDN(x))
	a.must(a.dir.Do(directory.Write{Op: directory.ModDN, DN: x, NewRDN: "ou=x", NewSuperior: one}))
	for a.step() {
	}
	b.deaf = true
	if _, _, err := b.rep.StepApply(t.Context()); err == nil {
		t.Fatal("the write was answered")
	}
	b.deaf = false
	b.must(b.dir.Do(
		directory.Write{Op: directory.ModDN, DN: x, NewRDN: "ou=y", NewSuperior: two},
		directory.Write{Op: directory.ModDN, DN: one, NewRDN: "ou=other"},
		directory.Write{Op: directory.ModDN, DN: two, NewRDN: "ou=one"},
	))
	h.settle()
	for _, nd := range h.nodes {
		if got := nd.dir.Find(mustDN("ou=y,ou=one," + suffix)); got != id {
			t.Errorf("%s: not where the client moved it: %q", nd.name, nd.dir.Dump())
		}
	}
}

// TestNameOfAWriteThatLedElsewhere promises that an entry keeps its name where a write of
// ours was to take it and went below another superior, which had been given that name:
// what clients put below the entry is found there after the reports were interrupted, too.
func TestNameOfAWriteThatLedElsewhere(t *testing.T) {
	h := newHistory(t, 1)
	a, b := h.nodes[0], h.nodes[1]
	box, moved, deep := "ou=box,"+suffix, "ou=moved,"+suffix, "ou=c,ou=b,ou=a,"+suffix
	unit := func(name string) directory.Write { return addEntry(name, "objectClass", "organizationalUnit") }
	person := func(name string) directory.Write {
		return addEntry(name, "objectClass", "inetOrgPerson", "cn", "Ann", "sn", "Ann")
	}
	a.must(a.dir.Do(append(base(), unit(box), unit("ou=a,"+suffix), unit("ou=b,ou=a,"+suffix), unit(deep))...))
	a.up()
	b.up()
	h.settle()
	a.must(a.dir.Do(person("uid=ann,"+box), person("uid=bob,uid=ann,"+box)))
	for a.step() {
	}
	b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: box, NewRDN: "ou=moved"}, unit(box), person("uid=ann,"+moved), person("uid=bob,uid=ann,"+moved)))
	bob := b.dir.Find(mustDN("uid=bob,uid=ann," + moved))
	if _, _, err := b.rep.StepApply(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, err := b.search.Next(4) // what the clients did, not what came of the write
	b.must(err)
	b.must(b.capture.Step(t.Context(), events))
	b.capture.End(directory.ErrUnavailable)
	b.capture, b.search = nil, nil
	b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: box, NewRDN: "ou=box", NewSuperior: deep}, unit("ou=below,uid=bob,uid=ann,"+moved)))
	id := b.dir.Find(mustDN("ou=below,uid=bob,uid=ann," + moved))
	h.settle()
	for _, nd := range h.nodes {
		if e := nd.dir.Entry(id); e == nil || nd.dir.Find(mustDN(e.DN).Parent()) != bob {
			t.Errorf("%s: not where the client put it: %q", nd.name, nd.dir.Dump())
		}
	}
}

// TestMoveToWhereAWriteWasToLead promises that a client's move counts as one though it
// leads to where a write of ours was to put the entry: that had gone below another, which
// clients had given the name of the superior. An older move elsewhere yields to it.
func TestMoveToWhereAWriteWasToLead(t *testing.T) {
	h := newHistory(t, 1)
	a, b := h.nodes[0], h.nodes[1]
	one, two, three := "ou=one,"+suffix, "ou=two,"+suffix, "ou=three,"+suffix
	unit := func(name string) directory.Write { return addEntry(name, "objectClass", "organizationalUnit") }
	a.must(a.dir.Do(append(base(), unit(one), unit(two), unit(three))...))
	a.up()
	b.up()
	h.settle()
	a.must(a.dir.Do(unit("ou=x," + one)))
	id := a.dir.Find(mustDN("ou=x," + one))
	for a.step() {
	}
	a.must(a.dir.Do(directory.Write{Op: directory.ModDN, DN: "ou=x," + one, NewRDN: "ou=x", NewSuperior: three}))
	b.must(b.dir.Do(
		directory.Write{Op: directory.ModDN, DN: one, NewRDN: "ou=one", NewSuperior: two},
		directory.Write{Op: directory.ModDN, DN: two, NewRDN: "ou=one"},
	))
	if _, _, err := b.rep.StepApply(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.capture.End(directory.ErrUnavailable)
	b.capture, b.search = nil, nil
	b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: "ou=x," + one, NewRDN: "ou=x", NewSuperior: "ou=one," + one}))
	h.settle()
	for _, nd := range h.nodes {
		if got := nd.dir.Find(mustDN("ou=x,ou=one," + one)); got != id {
			t.Errorf("%s: not where the client moved it last: %q", nd.name, nd.dir.Dump())
		}
	}
}

// TestMoveInTheSecondOfAWrite promises that a client's move stands though the directory did
// not tell which entryCSN our write gave, and the client left the same stamps: it wrote in
// the second that our write noted, and under the same name.
func TestMoveInTheSecondOfAWrite(t *testing.T) {
	h := newHistory(t, 1)
	a, b := h.nodes[0], h.nodes[1]
	one, two := "ou=one,"+suffix, "ou=two,"+suffix
	unit := func(name string) directory.Write { return addEntry(name, "objectClass", "organizationalUnit") }
	a.must(a.dir.Do(append(base(), unit(one), unit(two))...))
	a.up()
	b.up()
	h.settle()
	a.must(a.dir.Do(unit("ou=x," + one)))
	id := a.dir.Find(mustDN("ou=x," + one))
	for a.step() {
	}
	b.silent = true
	if _, _, err := b.rep.StepApply(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.capture.End(directory.ErrUnavailable)
	b.capture, b.search = nil, nil
	b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: "ou=x," + one, NewRDN: "ou=x", NewSuperior: two}))
	h.settle()
	for _, nd := range h.nodes {
		if got := nd.dir.Find(mustDN("ou=x," + two)); got != id {
			t.Errorf("%s: not where the client moved it: %q", nd.name, nd.dir.Dump())
		}
	}
}
