package directorytest

import (
	"errors"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// answersTellCSNs checks that Apply returns the entryCSN that each write gave
// its entry, and for those that were made only.
func (s *suite) answersTellCSNs() {
	p := s.people(3)
	unit := s.unit("a", s.Suffix)
	moved := directory.Write{Op: directory.ModDN, ID: p[1].ID, DN: p[1].DN, NewRDN: "uid=p001", NewSuperior: unit.DN}
	made, err := s.Directory.Apply(s.Context(), []directory.Write{
		unit, modify(p[0], replace("description", "x")), moved, remove(p[2]),
	})
	if err != nil || len(made) != 4 {
		s.Fatalf("%d answers, %v", len(made), err)
	}
	for i, w := range []directory.Write{unit, p[0], moved} {
		if got := s.read(w.ID).CSN; made[i] != got || got.IsZero() {
			s.Errorf("write %d answered %s, the entry has %s", i, made[i], got)
		}
	}
	if !made[3].IsZero() {
		s.Errorf("a delete answered %s", made[3])
	}
	again, err := s.Directory.Apply(s.Context(), []directory.Write{
		with(modify(p[0], replace("description", "y")), made[1]), modify(p[0], replace("sn")), modify(p[1], replace("sn", "x")),
	})
	var at *directory.WriteError
	switch {
	case !errors.As(err, &at):
		s.Error(err)
	case !at.Kept:
		if len(again) > 0 {
			s.Errorf("%d answers to a batch that was undone", len(again))
		}
	case len(again) != 1 || again[0] != s.read(p[0].ID).CSN || !made[1].Before(again[0]):
		s.Errorf("answered %s after %s to a batch that failed at write %d", again, made[1], at.Index)
	}
}

// ownWritesAreKnown checks Entry.Own, as read and as reported.
func (s *suite) ownWritesAreKnown() {
	p := s.people(2)
	m := s.follow(nil)
	m.Refreshed()
	is := func(what string, id changelog.ID, want bool) {
		s.Helper()
		if got := s.read(id).Own; got != want {
			s.Errorf("%s: own %v", what, got)
		}
	}
	is("added with stamps", p[0].ID, false)
	renamed := directory.Write{ID: p[0].ID, DN: "uid=renamed," + s.Suffix}
	s.apply(directory.Write{Op: directory.ModDN, ID: p[0].ID, DN: p[0].DN, NewRDN: "uid=renamed", DeleteOldRDN: true})
	is("renamed", p[0].ID, true)
	m.Until("reported as our own", func() bool { return m.entries[p[0].ID].DN == renamed.DN && m.entries[p[0].ID].Own })
	s.apply(modify(renamed, replace("description", "x"), replace("modifiersName", "cn=other,dc=elsewhere")))
	is("modified with stamps", p[0].ID, false)
	s.apply(modify(renamed, replace("description", "y")))
	is("modified without stamps", p[0].ID, true)
	is("not written since", p[1].ID, false)
}
