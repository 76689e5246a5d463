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
