package directorytest

import (
	"errors"
	"slices"

	"ldapsync/changelog"
	"ldapsync/directory"
)

func (s *suite) staleWrites() {
	p := s.people(3)
	unit := s.unit("a", s.Suffix)
	s.apply(unit, s.person("b", unit.DN))
	csn := s.read(p[0].ID).CSN
	old := csn
	old.Time--
	first := modify(p[2], replace("description", "before"))
	for name, w := range map[string]directory.Write{
		"modify of another state": with(modify(p[0], replace("sn", "x")), old),
		"delete of another state": with(remove(p[0]), old),
		"moddn of another state":  with(directory.Write{Op: directory.ModDN, ID: p[0].ID, DN: p[0].DN, NewRDN: "uid=x"}, old),
		"modify of nothing":       modify(directory.Write{ID: s.absent(), DN: "uid=x," + s.Suffix}, replace("sn", "x")),
		"delete of nothing":       {Op: directory.Delete, ID: s.absent(), DN: "uid=x," + s.Suffix},
		"delete of a parent":      remove(unit),
		"moddn to a taken name":   {Op: directory.ModDN, ID: p[0].ID, DN: p[0].DN, NewRDN: "uid=p001"},
		"add of a taken name":     s.person("p001", s.Suffix),
		"add below nothing":       s.person("x", "ou=none,"+s.Suffix),
	} {
		for _, batch := range [][]directory.Write{{w}, {first, w}} {
			_, err := s.Directory.Apply(s.Context(), batch)
			var at *directory.WriteError
			if !errors.Is(err, directory.ErrStale) || !errors.As(err, &at) || at.Index != len(batch)-1 {
				s.Errorf("%s, in a batch of %d: %v", name, len(batch), err)
			}
		}
	}
	s.apply(with(modify(p[0], replace("sn", "x")), csn), first)
	if last(s.read(p[0].ID), "sn") != "x" {
		s.Error("a write with the right CSN was not made")
	}
}

func (s *suite) refusedWrites() {
	p := s.people(3)
	first := modify(p[2], replace("description", "before"))
	for name, c := range map[string]struct {
		write directory.Write
		code  int
	}{
		"required attribute": {modify(p[0], replace("sn")), 65},
		"unknown attribute":  {modify(p[0], replace("noSuchAttribute", "x")), 17},
		"bad syntax":         {modify(p[0], replace("telephoneNumber", "")), 21},
		"second value":       {modify(p[0], replace("displayName", "a", "b")), 19},
		"class forbids":      {modify(p[0], replace("uidNumber", "1")), 65},
		"unknown class":      {s.add("cn=x,"+s.Suffix, attr("objectClass", "noSuchClass"), attr("cn", "x")), 21},
		"naming value":       {modify(p[0], replace("uid", "other")), 64},
		"bad name":           {directory.Write{Op: directory.Delete, ID: p[0].ID, DN: "no name"}, 34},
	} {
		for _, batch := range [][]directory.Write{{c.write}, {first, c.write}, {first, c.write, first}} {
			_, err := s.Directory.Apply(s.Context(), batch)
			var refused *directory.RefusedError
			var at *directory.WriteError
			if !errors.As(err, &refused) || refused.Code != c.code {
				s.Errorf("%s, in a batch of %d: %v, want code %d", name, len(batch), err, c.code)
			} else if !errors.As(err, &at) || at.Index != min(1, len(batch)-1) || refused.Text == "" {
				s.Errorf("%s, in a batch of %d: index or text wrong: %v", name, len(batch), err)
			}
		}
	}
	s.apply(remove(p[0]), modify(p[1], replace("description", "goes on")))
}

// failureEndsBatch checks what is there and what is reported after a batch that
// failed in the middle.
func (s *suite) failureEndsBatch() {
	p := s.people(5)
	m := s.follow(nil)
	m.Refreshed()
	kept := false
	for range 20 {
		added := s.person("added", s.Suffix)
		_, err := s.Directory.Apply(s.Context(), []directory.Write{
			modify(p[0], replace("description", "before")), added, remove(p[1]),
			{Op: directory.ModDN, ID: p[3].ID, DN: p[3].DN, NewRDN: "uid=renamed", DeleteOldRDN: true},
			modify(p[2], replace("sn")),
			modify(p[4], replace("title", "after")),
		})
		var refused *directory.RefusedError
		var at *directory.WriteError
		if !errors.As(err, &refused) || !errors.As(err, &at) || at.Index != 4 {
			s.Fatal(err)
		}
		if last(s.read(p[4].ID), "title") != "" {
			s.Fatal("a write after the one that failed was made")
		}
		kept = at.Kept
		s.checkKept(kept, p)
		if kept {
			s.apply(remove(added), directory.Write{Op: directory.Add, ID: p[1].ID, DN: p[1].DN, Attrs: p[1].Attrs},
				directory.Write{Op: directory.ModDN, ID: p[3].ID, DN: "uid=renamed," + s.Suffix, NewRDN: "uid=p003", DeleteOldRDN: true})
		}
		s.apply(modify(p[0], replace("description")), modify(p[2], replace("description", "done")))
	}
	s.apply(modify(p[4], replace("description", "at the end")))
	m.Has(p[4].DN, "description", "at the end")
	m.Equals(s.Directory, s.ids)
	if n := m.Kinds(directory.Gone); !kept && n > 0 {
		s.Error("deletes that were undone are reported")
	}
	m.Stop()
	m = s.follow(m)
	m.Refreshed()
	m.Equals(s.Directory, s.ids)
}

// checkKept checks that the writes before the one that failed were all made, or
// none was.
func (s *suite) checkKept(kept bool, p []directory.Write) {
	s.Helper()
	deleted, err := s.Directory.Read(s.Context(), []changelog.ID{p[1].ID})
	if err != nil {
		s.Fatal(err)
	}
	for what, made := range map[string]bool{
		"modify": last(s.read(p[0].ID), "description") == "before",
		"delete": len(deleted) == 0,
		"moddn":  s.read(p[3].ID).DN == "uid=renamed,"+s.Suffix,
	} {
		if made != kept {
			s.Errorf("%s before the write that failed: made %v, want %v", what, made, kept)
		}
	}
}

// oddModifications are those whose meaning servers might disagree about.
func (s *suite) oddModifications() {
	p := s.people(1)[0]
	mod := func(op changelog.ModOp, attr string, values ...string) changelog.Mod {
		return changelog.Mod{Op: op, Attr: attr, Values: values}
	}
	s.apply(modify(p, replace("jpegPhoto", "\xff\xd8\xff\x00"), replace("description", "a", "b"), replace("description;lang-de", "c")))
	s.apply(modify(p))
	s.apply(modify(p, replace("title"), replace("description"), mod(changelog.ModAdd, "description", "B ")))
	if got := last(s.read(p.ID), "description"); got != "B " {
		s.Errorf("replace with nothing, then add: %q", got)
	}
	if got := last(s.read(p.ID), "description;lang-de"); got != "c" {
		s.Errorf("another option's value after a replace: %q", got)
	}
	s.apply(modify(p, mod(changelog.ModDelete, "description", "b"), replace("jpegPhoto", "\xff\xd8\xff\x01")))
	if got := s.read(p.ID); last(got, "description") != "" || last(got, "jpegPhoto") != "\xff\xd8\xff\x01" {
		s.Errorf("delete of a value spelled otherwise: %+v", got)
	}
	var refused *directory.RefusedError
	for what, m := range map[string]changelog.Mod{
		"delete of a value that is not there": mod(changelog.ModDelete, "sn", "none"),
		"add of a value that is there":        mod(changelog.ModAdd, "sn", "SN"),
	} {
		if _, err := s.Directory.Apply(s.Context(), []directory.Write{modify(p, m)}); !errors.As(err, &refused) {
			s.Errorf("%s: %v", what, err)
		}
	}
}

func (s *suite) readMany() {
	p := s.people(260)
	ids := append(slices.Clone(s.ids), s.absent())
	got, err := s.Directory.Read(s.Context(), ids)
	if err != nil || len(got) != len(p)+1 {
		s.Fatalf("read %d entries of %d: %v", len(got), len(p)+1, err)
	}
	for _, none := range [][]changelog.ID{nil, {s.absent()}} {
		if got, err := s.Directory.Read(s.Context(), none); err != nil || len(got) > 0 {
			s.Errorf("read of no entry: %v, %v", got, err)
		}
	}
}

func (s *suite) schemaIsThere() {
	sch, err := s.Directory.Schema(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if sch.Attribute("mail") == nil || sch.Class("inetOrgPerson") == nil {
		s.Error("mail or inetOrgPerson is not in the schema")
	}
}
