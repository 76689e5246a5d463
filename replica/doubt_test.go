package replica_test

import (
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
)

func unit(name string) directory.Write {
	return addEntry(name, "objectClass", "organizationalUnit")
}

// holding returns two servers that hold some entries.
func holding(t *testing.T, entries ...directory.Write) (h *history, a, b *lossy) {
	t.Helper()
	h = newHistory(t, 1)
	a, b = h.nodes[0], h.nodes[1]
	a.must(a.dir.Do(append(base(), entries...)...))
	a.up()
	b.up()
	h.settle()
	return h, a, b
}

// interrupted makes a server lose the reports of its directory.
func (nd *lossy) interrupted() {
	nd.capture.End(directory.ErrUnavailable)
	nd.capture, nd.search = nil, nil
}

// stands checks that in the end an entry has a name on all servers.
func (h *history) stands(id changelog.ID, name string) {
	h.t.Helper()
	h.settle()
	for _, nd := range h.nodes {
		if got := nd.dir.Find(mustDN(name)); got != id {
			h.t.Errorf("%s: not where the client moved it: %q", nd.name, nd.dir.Dump())
		}
	}
}

// TestMoveBelowATakenName promises that a client's move below a container stands,
// though that container then gets the name of the one below which an unanswered write
// of ours was to move the entry, and nothing in the entry says who moved it.
func TestMoveBelowATakenName(t *testing.T) {
	x, one, two := "ou=x,ou=people,"+suffix, "ou=one,"+suffix, "ou=two,"+suffix
	h, a, b := holding(t, unit(x), unit(one), unit(two))
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
	h.stands(id, "ou=y,ou=one,"+suffix)
}

// TestNameOfAWriteThatLedElsewhere promises that an entry keeps its name where a write of
// ours was to take it and went below another superior, which had been given that name:
// what clients put below the entry is found there after the reports were interrupted, too.
func TestNameOfAWriteThatLedElsewhere(t *testing.T) {
	box, moved, deep := "ou=box,"+suffix, "ou=moved,"+suffix, "ou=c,ou=b,ou=a,"+suffix
	person := func(name string) directory.Write {
		return addEntry(name, "objectClass", "inetOrgPerson", "cn", "Ann", "sn", "Ann")
	}
	h, a, b := holding(t, unit(box), unit("ou=a,"+suffix), unit("ou=b,ou=a,"+suffix), unit(deep))
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
	b.interrupted()
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
	one, two, three := "ou=one,"+suffix, "ou=two,"+suffix, "ou=three,"+suffix
	h, a, b := holding(t, unit(one), unit(two), unit(three))
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
	b.interrupted()
	b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: "ou=x," + one, NewRDN: "ou=x", NewSuperior: "ou=one," + one}))
	h.stands(id, "ou=x,ou=one,"+one)
}

// TestMoveAfterAnotherWrite promises the same where a write of ours has since renamed
// what all of that is below, or the one that had the name, so that nothing tells any more
// who had it.
func TestMoveAfterAnotherWrite(t *testing.T) {
	box, crate, three := "ou=box,"+suffix, "ou=crate,"+suffix, "ou=three,"+suffix
	for name, tt := range map[string]struct{ above, renamed, rdn, then string }{
		"what all of that is below": {box, box, "ou=crate", crate},
		"the one that had the name": {suffix, "ou=two," + suffix, "ou=last", suffix},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := "ou=one,"+tt.above, "ou=two,"+tt.above
			h, a, b := holding(t, unit(box), unit(one), unit(two), unit(three))
			a.must(a.dir.Do(unit("ou=x," + one)))
			id := a.dir.Find(mustDN("ou=x," + one))
			for a.step() {
			}
			b.must(b.dir.Do(
				directory.Write{Op: directory.ModDN, DN: one, NewRDN: "ou=first"},
				directory.Write{Op: directory.ModDN, DN: two, NewRDN: "ou=one"},
			))
			if _, _, err := b.rep.StepApply(t.Context()); err != nil {
				t.Fatal(err)
			}
			events, err := b.search.Next(2) // what the clients did, not what came of the write
			b.must(err)
			b.must(b.capture.Step(t.Context(), events))
			a.must(a.dir.Do(
				directory.Write{Op: directory.ModDN, DN: tt.renamed, NewRDN: tt.rdn},
				directory.Write{Op: directory.ModDN, DN: "ou=x,ou=one," + tt.then, NewRDN: "ou=x", NewSuperior: three},
			))
			for a.step() {
			}
			b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: "ou=x," + one, NewRDN: "ou=x", NewSuperior: "ou=first," + tt.above}))
			if _, _, err := b.rep.StepApply(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.interrupted()
			h.stands(id, "ou=x,ou=first,"+tt.then)
		})
	}
}

// TestWriteThatLedBelowWhatWasMoved promises that what an unanswered write of ours put below
// another entry, which a client had given the name of the superior, is no client's move,
// though a client has since renamed what all of that is below.
func TestWriteThatLedBelowWhatWasMoved(t *testing.T) {
	box, crate := "ou=box,"+suffix, "ou=crate,"+suffix
	one, two := "ou=one,"+box, "ou=two,"+box
	for name, moved := range map[string]bool{"added": false, "moved": true} {
		t.Run(name, func(t *testing.T) {
			h, a, b := holding(t, unit(box), unit(one), unit(two), unit("ou=x,"+suffix))
			x := "ou=x," + one
			if moved {
				a.must(a.dir.Do(directory.Write{Op: directory.ModDN, DN: "ou=x," + suffix, NewRDN: "ou=x", NewSuperior: one}))
			} else {
				a.must(a.dir.Do(unit(x)))
			}
			id := a.dir.Find(mustDN(x))
			for a.step() {
			}
			b.must(b.dir.Do(
				directory.Write{Op: directory.ModDN, DN: one, NewRDN: "ou=first"},
				directory.Write{Op: directory.ModDN, DN: two, NewRDN: "ou=one"},
			))
			h.now = h.now.Add(time.Minute)
			b.mute = true
			if _, _, err := b.rep.StepApply(t.Context()); err == nil {
				t.Fatal("the write was answered")
			}
			b.mute = false
			b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: box, NewRDN: "ou=crate"}))
			h.stands(id, "ou=x,ou=first,"+crate)
		})
	}
}

// TestMoveInTheSecondOfAWrite promises that a client's move stands though the directory did
// not tell which entryCSN our write gave, and the client left the same stamps: it wrote in
// the second that our write noted, and under the same name.
func TestMoveInTheSecondOfAWrite(t *testing.T) {
	one, two := "ou=one,"+suffix, "ou=two,"+suffix
	h, a, b := holding(t, unit(one), unit(two))
	a.must(a.dir.Do(unit("ou=x," + one)))
	id := a.dir.Find(mustDN("ou=x," + one))
	for a.step() {
	}
	b.silent = true
	if _, _, err := b.rep.StepApply(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.interrupted()
	b.must(b.dir.Do(directory.Write{Op: directory.ModDN, DN: "ou=x," + one, NewRDN: "ou=x", NewSuperior: two}))
	h.stands(id, "ou=x,"+two)
}
