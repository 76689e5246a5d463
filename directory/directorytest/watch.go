package directorytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
)

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
	if _, err := s.Directory.Apply(ctx, []directory.Write{remove(directory.Write{DN: "uid=p000," + s.Suffix})}); err == nil {
		s.Error("a write without time succeeds")
	}
	if _, err := s.Directory.Apply(s.Context(), nil); err != nil {
		s.Errorf("no writes: %v", err)
	}
}
