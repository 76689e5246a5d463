// Package directorytest is the test suite that every implementation of
// directory.Directory has to pass.
package directorytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// Subject is a directory to test, with the schemas core, cosine, inetorgperson
// and nis and with nothing in it.
type Subject struct {
	Directory directory.Directory
	// Suffix is a DN of dc's.
	Suffix string
	// Restart ends the server and starts it anew with its data.
	Restart func()
}

// Run runs the suite; open makes a new directory for each test.
func Run(t *testing.T, open func(*testing.T) Subject) {
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"EmptyThenFilled", (*suite).emptyThenFilled},
		{"ContentIsKept", (*suite).contentIsKept},
		{"EveryOperationIsReported", (*suite).everyOperationIsReported},
		{"ResumeReportsWhatChanged", (*suite).resumeReportsWhatChanged},
		{"ResumeFromEveryCookie", (*suite).resumeFromEveryCookie},
		{"ResumeAfterRestart", (*suite).resumeAfterRestart},
		{"UnusableCookies", (*suite).unusableCookies},
		{"StaleWrites", (*suite).staleWrites},
		{"RefusedWrites", (*suite).refusedWrites},
		{"FailureEndsBatch", (*suite).failureEndsBatch},
		{"BetweenWritesIsNotReported", (*suite).betweenWritesIsNotReported},
		{"OddModifications", (*suite).oddModifications},
		{"ReadMany", (*suite).readMany},
		{"WatchWhileWriting", (*suite).watchWhileWriting},
		{"WatchEnds", (*suite).watchEnds},
		{"SchemaIsThere", (*suite).schemaIsThere},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&suite{T: t, Subject: open(t)}) })
	}
}

type suite struct {
	*testing.T
	Subject
	n   byte
	ids []changelog.ID
}

// id returns an id that no entry has yet.
func (s *suite) id() changelog.ID {
	s.n++
	id := changelog.ID{0x10, 0x20, 6: 0x40, 8: 0x80, 14: byte(len(s.ids) >> 8), 15: byte(len(s.ids))}
	s.ids = append(s.ids, id)
	return id
}

func (s *suite) apply(writes ...directory.Write) {
	s.Helper()
	if err := s.Directory.Apply(s.Context(), writes); err != nil {
		s.Fatal(err)
	}
}

func (s *suite) read(id changelog.ID) directory.Entry {
	s.Helper()
	e, err := s.Directory.Read(s.Context(), []changelog.ID{id})
	if err != nil || len(e) != 1 {
		s.Fatalf("read %s: %d entries, %v", id, len(e), err)
	}
	return e[0]
}

func (s *suite) follow(from *Mirror) *Mirror { return from.Follow(s, s.Directory) }

// base is the entry of the suffix.
func (s *suite) base() directory.Write {
	dc, _, _ := strings.Cut(strings.TrimPrefix(s.Suffix, "dc="), ",")
	return s.add(s.Suffix, attr("objectClass", "dcObject", "organization"), attr("dc", dc), attr("o", "test"))
}

func (s *suite) unit(ou, parent string) directory.Write {
	return s.add("ou="+ou+","+parent, attr("objectClass", "organizationalUnit"), attr("ou", ou))
}

func (s *suite) person(uid, parent string, more ...directory.Attribute) directory.Write {
	return s.add("uid="+uid+","+parent, append([]directory.Attribute{
		attr("objectClass", "inetOrgPerson"), attr("uid", uid), attr("cn", "Person "+uid), attr("sn", "Sn")}, more...)...)
}

func (s *suite) add(dn string, attrs ...directory.Attribute) directory.Write {
	return directory.Write{Op: directory.Add, ID: s.id(), DN: dn, Attrs: append(attrs,
		attr("creatorsName", "cn=creator,dc=elsewhere"), attr("createTimestamp", "20200102030405Z"),
		attr("modifiersName", "cn=modifier,dc=elsewhere"), attr("modifyTimestamp", "20210203040506Z"))}
}

func attr(name string, values ...string) directory.Attribute {
	return directory.Attribute{Name: name, Values: values}
}

func modify(to directory.Write, mods ...changelog.Mod) directory.Write {
	return directory.Write{Op: directory.Modify, ID: to.ID, DN: to.DN, Mods: mods}
}

func replace(attr string, values ...string) changelog.Mod {
	return changelog.Mod{Op: changelog.ModReplace, Attr: attr, Values: values}
}

func remove(of directory.Write) directory.Write {
	return directory.Write{Op: directory.Delete, ID: of.ID, DN: of.DN}
}

func (s *suite) emptyThenFilled() {
	m := s.follow(nil)
	if begin, end := m.Refreshed(); begin.Resumed || !end.Complete || m.Kinds(directory.State) > 0 {
		s.Errorf("refresh of an empty directory: %+v, %+v", begin, end)
	}
	base := s.base()
	s.apply(base, s.unit("a", s.Suffix))
	m.Has("ou=a,"+s.Suffix, "ou", "a")
	m.Equals(s.Directory, s.ids)
}

func (s *suite) contentIsKept() {
	binary := "\xff\xd8\x00\xff" + strings.Repeat("\x00\x01\xfe", 1000)
	base := s.base()
	p := s.person("p", s.Suffix,
		attr("description", "plain", "Grüße  an 山田 "), attr("description;lang-de", "Beschreibung"),
		attr("jpegPhoto", binary), attr("userPassword", "{SSHA}c2VjcmV0c2FsdHNhbHRzYWx0c2FsdA=="),
		attr("mail", "a@example.com", "b@example.com", "c@example.com"))
	s.apply(base, p)
	m := s.follow(nil)
	m.Refreshed()
	m.Equals(s.Directory, s.ids)
	got := s.read(p.ID)
	want := []directory.Entry{{ID: p.ID, DN: p.DN, CSN: got.CSN, Attrs: p.Attrs}}
	if d := cmp.Diff(normal(want), normal([]directory.Entry{got})); d != "" {
		s.Errorf("entry is not as it was added (-want +got):\n%s", d)
	}
	if got.CSN.IsZero() {
		s.Error("entry has no CSN")
	}
}

func (s *suite) everyOperationIsReported() {
	m := s.follow(nil)
	m.Refreshed()
	a, b := s.base(), s.unit("a", s.Suffix)
	p := s.person("p", b.DN, attr("description", "one"))
	s.apply(a, b, p)
	m.Has(p.DN, "description", "one")
	s.apply(modify(p,
		changelog.Mod{Op: changelog.ModAdd, Attr: "mail", Values: []string{"x@example.com", "y@example.com"}},
		changelog.Mod{Op: changelog.ModDelete, Attr: "mail", Values: []string{"x@example.com"}},
		replace("description", "two"), replace("title"), replace("sn", "New"),
		replace("modifiersName", "cn=someone,dc=elsewhere"), replace("modifyTimestamp", "20220304050607Z")))
	m.Has(p.DN, "modifiersName", "cn=someone,dc=elsewhere")
	m.Has(p.DN, "mail", "y@example.com")
	c := s.unit("c", s.Suffix)
	s.apply(c,
		directory.Write{Op: directory.ModDN, ID: p.ID, DN: p.DN, NewRDN: "uid=q", DeleteOldRDN: true},
		directory.Write{Op: directory.ModDN, ID: b.ID, DN: b.DN, NewRDN: "ou=b", NewSuperior: c.DN})
	m.Has("ou=b,"+c.DN, "ou", "b")
	m.Until("old value kept", func() bool {
		return slices.ContainsFunc(m.entries[b.ID].Attrs, func(x directory.Attribute) bool {
			return x.Name == "ou" && slices.Contains(x.Values, "a")
		})
	})
	if got := s.read(p.ID).DN; got != "uid=q,ou=b,"+c.DN {
		s.Errorf("entry below the moved one is called %s", got)
	}
	s.apply(directory.Write{Op: directory.Delete, ID: p.ID, DN: "uid=q,ou=b," + c.DN})
	m.Lacks(p.ID)
	m.Equals(s.Directory, s.ids)
}

// people adds the suffix and n people.
func (s *suite) people(n int) []directory.Write {
	all := []directory.Write{s.base()}
	for i := range n {
		all = append(all, s.person(fmt.Sprintf("p%03d", i), s.Suffix))
	}
	s.apply(all...)
	return all[1:]
}

func (s *suite) resumeReportsWhatChanged() {
	p := s.people(30)
	m := s.follow(nil)
	m.Refreshed()
	m.Stop()
	s.apply(modify(p[3], replace("description", "while away")), remove(p[4]),
		s.person("new", s.Suffix), directory.Write{Op: directory.ModDN, ID: p[5].ID, DN: p[5].DN, NewRDN: "uid=renamed"})
	m = s.follow(m)
	begin, end := m.Refreshed()
	if !begin.Resumed || len(end.Cookie) == 0 {
		s.Errorf("refresh with a good cookie: %+v, %+v", begin, end)
	}
	if n := m.Kinds(directory.State); n > 10 {
		s.Errorf("%d states reported after 4 changes", n)
	}
	m.Equals(s.Directory, s.ids)
	m.Stop()
	again := s.follow(m)
	again.Refreshed()
	again.Equals(s.Directory, s.ids)
}

func (s *suite) resumeFromEveryCookie() {
	p := s.people(5)
	m := s.follow(nil)
	m.Refreshed()
	for i := range p {
		s.apply(modify(p[i], replace("description", "changed")))
	}
	s.apply(remove(p[0]), modify(p[1], replace("description", "last")))
	m.Has(p[1].DN, "description", "last")
	m.Stop()
	replay := &Mirror{entries: map[changelog.ID]directory.Entry{}, t: s, changed: make(chan struct{})}
	for _, e := range m.Events() {
		if err := replay.report(e); err != nil {
			s.Fatal(err)
		}
		if e.Cookie == nil {
			continue
		}
		resumed := s.follow(replay)
		resumed.Refreshed()
		resumed.Equals(s.Directory, s.ids)
		resumed.Stop()
	}
}

func (s *suite) resumeAfterRestart() {
	p := s.people(10)
	m := s.follow(nil)
	m.Refreshed()
	s.apply(remove(p[0]))
	m.Lacks(p[0].ID)
	s.Restart()
	<-m.done
	if !errors.Is(m.err, directory.ErrUnavailable) {
		s.Errorf("watch of a server that went away: %v", m.err)
	}
	s.apply(modify(p[1], replace("description", "after")), remove(p[2]))
	m = s.follow(m)
	m.Refreshed()
	m.Equals(s.Directory, s.ids)
}

func (s *suite) unusableCookies() {
	p := s.people(5)
	for _, c := range []string{
		"", "x", "rid=000", "csn=", "rid=000,csn=20200101000000.000000Z", "\x00\xff", strings.Repeat("csn=", 1000),
		"rid=000,csn=20990101000000.000000Z#000000#001#000000",
		"rid=000,csn=20990101000000.000000Z#000000#fff#000000",
		"rid=000,csn=00010101000000.000000Z#000000#001#000000",
	} {
		m := s.follow(&Mirror{cookie: []byte(c), entries: map[changelog.ID]directory.Entry{s.absent(): {}}})
		begin, end := m.Refreshed()
		if n := m.Kinds(directory.State); n != len(p)+1 || !end.Complete {
			s.Errorf("cookie %.60q: %d states, %+v, %+v", c, n, begin, end)
		}
		m.Equals(s.Directory, s.ids)
		m.Stop()
	}
}

func (s *suite) absent() changelog.ID { return changelog.ID{0xff, 0xff} }

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
			err := s.Directory.Apply(s.Context(), batch)
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

func with(w directory.Write, csn changelog.CSN) directory.Write {
	w.IfCSN = csn
	return w
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
			err := s.Directory.Apply(s.Context(), batch)
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
		err := s.Directory.Apply(s.Context(), []directory.Write{
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

func (s *suite) betweenWritesIsNotReported() {
	p := s.people(1)[0]
	m := s.follow(nil)
	m.Refreshed()
	for i := range 50 {
		from, to := "uid=p000", "uid=q000"
		if i%2 == 1 {
			from, to = to, from
		}
		mark := fmt.Sprint("round ", i)
		s.apply(
			directory.Write{Op: directory.ModDN, ID: p.ID, DN: from + "," + s.Suffix, NewRDN: to, DeleteOldRDN: true},
			directory.Write{Op: directory.Modify, ID: p.ID, DN: to + "," + s.Suffix, Mods: []changelog.Mod{replace("description", mark)}})
		if i%10 == 0 {
			m.Has(to+","+s.Suffix, "description", mark)
		}
	}
	s.apply(modify(directory.Write{ID: s.ids[0], DN: s.Suffix}, replace("description", "at the end")))
	m.Has(s.Suffix, "description", "at the end")
	m.Equals(s.Directory, s.ids)
	renamed := map[string]string{}
	for _, e := range m.Events() {
		if e.Kind != directory.State || e.Entry.ID != p.ID {
			continue
		}
		mark := last(*e.Entry, "description")
		if dn, ok := renamed[mark]; ok && dn != e.Entry.DN {
			s.Fatalf("the state between rename and modify is reported: %s with %s", e.Entry.DN, mark)
		}
		renamed[mark] = e.Entry.DN
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
		if err := s.Directory.Apply(s.Context(), []directory.Write{modify(p, m)}); !errors.As(err, &refused) {
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

func (s *suite) watchWhileWriting() {
	p := s.people(20)
	m := s.follow(nil)
	var others []*Mirror
	for i := range 20 {
		var batch []directory.Write
		for j := range p {
			batch = append(batch, modify(p[j], replace("description", fmt.Sprintf("round %d", i))))
		}
		s.apply(batch...)
		others = append(others, s.follow(nil))
	}
	s.apply(modify(p[0], replace("description", "at the end")))
	for _, m := range append(others, m) {
		m.Has(p[0].DN, "description", "at the end")
		m.Equals(s.Directory, s.ids)
	}
}

func (s *suite) watchEnds() {
	s.people(3)
	m := s.follow(nil)
	m.Refreshed()
	if err := m.Stop(); !errors.Is(err, context.Canceled) {
		s.Errorf("watch whose context ends: %v", err)
	}
	mine := errors.New("mine")
	if err := s.Directory.Watch(s.Context(), nil, func(directory.Event) error { return mine }); !errors.Is(err, mine) {
		s.Errorf("watch whose callee fails: %v", err)
	}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if err := s.Directory.Watch(ctx, nil, func(directory.Event) error { return nil }); !errors.Is(err, context.Canceled) {
		s.Errorf("watch without time: %v", err)
	}
	if err := s.Directory.Apply(ctx, []directory.Write{remove(directory.Write{DN: "uid=p000," + s.Suffix})}); err == nil {
		s.Error("a write without time succeeds")
	}
	if err := s.Directory.Apply(s.Context(), nil); err != nil {
		s.Errorf("no writes: %v", err)
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
