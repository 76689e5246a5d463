package openldap_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/directory/openldap"
	testenv "ldapsync/testenv/openldap"
)

// refreshed is what one refresh reported.
type refreshed struct {
	begin, end    directory.Event
	states        []*directory.Entry
	present, gone []changelog.ID
}

var errEnough = errors.New("enough")

// refresh watches d until the end of the first refresh.
func refresh(t testing.TB, d *openldap.Server, cookie []byte) *refreshed {
	t.Helper()
	r := &refreshed{}
	err := d.Watch(t.Context(), cookie, func(e directory.Event) error {
		if e.Cookie != nil && e.Kind != directory.RefreshEnd {
			t.Errorf("cookie within a refresh: %+v", e)
		}
		switch e.Kind {
		case directory.RefreshBegin:
			r.begin = e
		case directory.State:
			r.states = append(r.states, e.Entry)
		case directory.Present:
			r.present = append(r.present, e.IDs...)
		case directory.Gone:
			r.gone = append(r.gone, e.IDs...)
		case directory.RefreshEnd:
			r.end = e
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return r
}

// entries counts the entries that r says are there.
func (r *refreshed) entries() int {
	there := map[changelog.ID]bool{}
	for _, e := range r.states {
		there[e.ID] = true
	}
	for _, id := range r.present {
		there[id] = true
	}
	return len(there)
}

func (r *refreshed) String() string {
	return fmt.Sprintf("resumed %v, %d states, %d present, %d gone",
		r.begin.Resumed, len(r.states), len(r.present), len(r.gone))
}

// clientModify changes person i as some client.
func clientModify(t testing.TB, srv *testenv.Server, i int, value string) {
	t.Helper()
	_, err := srv.LDAPModify("dn: " + testenv.SamplePerson(srv.Suffix, i) + "\nchangetype: modify\nreplace: title\ntitle: " + value + "\n")
	if err != nil {
		t.Fatal(err)
	}
}

func clientDelete(t testing.TB, srv *testenv.Server, i int) {
	t.Helper()
	if _, err := srv.LDAPDelete(testenv.SamplePerson(srv.Suffix, i)); err != nil {
		t.Fatal(err)
	}
}

// TestRefreshes takes slapd through every way in which it answers a cookie. There
// are 27 entries: 20 people and what they are in.
func TestRefreshes(t *testing.T) {
	const all = 27
	two := func(t *testing.T, srv *testenv.Server) {
		clientModify(t, srv, 1, "x")
		clientDelete(t, srv, 2)
	}
	for _, c := range []struct {
		name   string
		log    int
		cookie func([]byte) []byte
		away   func(*testing.T, *testenv.Server)
		want   string
	}{
		{"no cookie", 0, func([]byte) []byte { return nil }, two, "resumed false, 26 states, 0 present, 0 gone"},
		{"nothing happened, no session log", 0, nil, nil, "resumed true, 0 states, 27 present, 0 gone"},
		{"nothing happened, session log", 100, nil, nil, "resumed true, 0 states, 27 present, 0 gone"},
		{"no session log", 0, nil, two, "resumed true, 1 states, 26 present, 0 gone"},
		{"session log", 100, nil, two, "resumed true, 1 states, 26 present, 1 gone"},
		{"older than the session log", 3, nil, func(t *testing.T, srv *testenv.Server) {
			two(t, srv)
			for i := range 5 {
				clientModify(t, srv, 10+i, "x")
			}
		}, "resumed true, 6 states, 26 present, 0 gone"},
		{"restarted, session log lost", 100, nil, func(t *testing.T, srv *testenv.Server) {
			two(t, srv)
			restart(t, srv, srv.Stop)
		}, "resumed true, 1 states, 26 present, 0 gone"},
		{"killed after a delete", 100, nil, func(t *testing.T, srv *testenv.Server) {
			clientDelete(t, srv, 2)
			restart(t, srv, srv.Kill)
		}, ""}, // either, as slapd finds its newest CSN again or not
		{"killed, then written", 100, nil, func(t *testing.T, srv *testenv.Server) {
			clientDelete(t, srv, 2)
			restart(t, srv, srv.Kill)
			clientModify(t, srv, 1, "x")
		}, "resumed true, 1 states, 26 present, 0 gone"},
		{"killed after the delete of the newest", 100, nil, func(t *testing.T, srv *testenv.Server) {
			clientDelete(t, srv, 19)
			restart(t, srv, srv.Kill)
		}, "resumed false, 26 states, 0 present, 0 gone"},
		{"from the future", 0, func(b []byte) []byte { return []byte(strings.Replace(string(b), "csn=2", "csn=3", 1)) }, nil,
			"resumed false, 27 states, 0 present, 0 gone"},
		{"of another server", 0, func(b []byte) []byte { return []byte(strings.Replace(string(b), "#001#", "#002#", 1)) }, nil,
			"resumed true, 27 states, 0 present, 0 gone"},
		{"of one server too many", 0, func(b []byte) []byte {
			return append(b, ";20200101000000.000000Z#000000#002#000000"...)
		}, two, "resumed true, 1 states, 26 present, 0 gone"},
		{"very old", 0, func([]byte) []byte { return []byte("rid=000,csn=20200101000000.000000Z#000000#001#000000") }, nil,
			"resumed true, 27 states, 0 present, 0 gone"},
		{"garbage", 0, func([]byte) []byte { return []byte("csn=nonsense") }, nil,
			"resumed false, 27 states, 0 present, 0 gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := start(t, testenv.Options{SID: 1, NoSync: true, SessionLog: c.log})
			load(t, srv, 20, 0)
			d := connect(t, srv, nil)
			first := refresh(t, d, nil)
			if len(first.states) != all {
				t.Fatalf("%d entries at first", len(first.states))
			}
			cookie := first.end.Cookie
			if c.away != nil {
				c.away(t, srv)
			}
			if c.cookie != nil {
				cookie = c.cookie(cookie)
			}
			if got := refresh(t, d, cookie); c.want != "" && got.String() != c.want {
				t.Errorf("%v\nwant %s", got, c.want)
			} else if !got.end.Complete || len(got.end.Cookie) == 0 {
				t.Errorf("end of the refresh: %+v", got.end)
			} else if want := len(refresh(t, d, nil).states); got.entries() != want {
				t.Errorf("%d entries are there, %d reported", want, got.entries())
			}
		})
	}
}

func TestCookieKeepsEveryServer(t *testing.T) {
	srv := start(t, testenv.Options{SID: 1, NoSync: true})
	load(t, srv, 3, 0)
	if _, err := srv.ConfigModify("dn: cn=config\nchangetype: modify\nreplace: olcServerID\nolcServerID: 7\n"); err != nil {
		t.Fatal(err)
	}
	clientModify(t, srv, 1, "by another server")
	d := connect(t, srv, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var cookie []byte
	err := d.Watch(ctx, nil, func(e directory.Event) error {
		switch {
		case e.Kind == directory.RefreshEnd:
			clientModify(t, srv, 2, "now")
		case e.Kind == directory.State && e.Cookie != nil:
			cookie = e.Cookie
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || !strings.Contains(string(cookie), "#001#") || !strings.Contains(string(cookie), "#007#") || strings.Contains(string(cookie), "sid=") {
		t.Fatalf("cookie %s, %v", cookie, err)
	}
	if got := refresh(t, d, cookie).String(); got != "resumed true, 0 states, 10 present, 0 gone" {
		t.Error(got)
	}
}

// TestClockSetBack promises that what clients write after slapd's clock was set back is
// reported, as it happens, and by a search that goes on after it.
func TestClockSetBack(t *testing.T) {
	srv := start(t, testenv.Options{SID: 1, NoSync: true, Clock: true})
	load(t, srv, 5, 0)
	d := connect(t, srv, nil)
	var states []directory.Event
	err := d.Watch(t.Context(), nil, func(e directory.Event) error {
		switch {
		case e.Kind == directory.RefreshEnd:
			clientModify(t, srv, 1, "before")
		case e.Kind == directory.State && e.Cookie != nil:
			if states = append(states, e); len(states) == 2 {
				return errEnough
			}
			if err := srv.TurnClock(-10 * time.Minute); err != nil {
				return err
			}
			clientModify(t, srv, 1, "after")
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if before, after := states[0].Entry.CSN, states[1].Entry.CSN; !after.Before(before) {
		t.Errorf("its clock was not set back: %s, then %s", before, after)
	}
	clientModify(t, srv, 2, "while nobody watched")
	r := refresh(t, d, states[1].Cookie)
	if !slices.ContainsFunc(r.states, func(e *directory.Entry) bool { return e.DN == testenv.SamplePerson(srv.Suffix, 2) }) {
		t.Errorf("not reported: %s", r)
	}
}

func TestOnlyUserAttributes(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true, Database: []string{"overlay memberof"}, Schemas: []string{"moduleload memberof\n"}})
	load(t, srv, 30, 3)
	allowed := map[string]bool{"creatorsName": true, "createTimestamp": true, "modifiersName": true, "modifyTimestamp": true}
	d := connect(t, srv, nil)
	sch, err := d.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := srv.LDAPSearch("(memberOf=*)", "memberOf")
	if err != nil || !strings.Contains(out, "memberOf:") {
		t.Fatalf("memberof does nothing: %v", err)
	}
	for _, e := range refresh(t, d, nil).states {
		for _, a := range e.Attrs {
			if at := sch.Attribute(a.Name); at == nil || at.Operational && !allowed[a.Name] {
				t.Errorf("%s: %s is reported", e.DN, a.Name)
			}
		}
	}
}

func TestExclusions(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true})
	load(t, srv, 6, 2)
	d := connect(t, srv, func(c *openldap.Config) {
		c.ExcludeSubtrees = []string{"OU=People , " + srv.Suffix}
		c.ExcludeAttributes = []string{"DESCRIPTION"}
	})
	r := refresh(t, d, nil)
	if len(r.states) != 5 { // suffix, groups, services, 2 groups
		t.Errorf("%v", r)
	}
	for _, e := range r.states {
		if slices.ContainsFunc(e.Attrs, func(a directory.Attribute) bool { return strings.HasPrefix(a.Name, "description") }) {
			t.Errorf("%s has a description", e.DN)
		}
	}
}

func TestReferralObjects(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true})
	load(t, srv, 1, 0)
	d := connect(t, srv, nil)
	ref := directory.Write{Op: directory.Add, ID: changelog.ID{1}, DN: "cn=ref," + srv.Suffix, Attrs: []directory.Attribute{
		{Name: "objectClass", Values: []string{"referral", "extensibleObject"}},
		{Name: "cn", Values: []string{"ref"}}, {Name: "ref", Values: []string{"ldap://127.0.0.1:1/dc=x"}}}}
	if _, err := d.Apply(t.Context(), []directory.Write{ref}); err != nil {
		t.Fatal(err)
	}
	r := refresh(t, d, nil)
	if !slices.ContainsFunc(r.states, func(e *directory.Entry) bool { return e.ID == ref.ID }) {
		t.Error("referral object is not reported")
	}
	if got, err := d.Read(t.Context(), []changelog.ID{ref.ID}); err != nil || len(got) != 1 {
		t.Errorf("referral object: %v, %v", got, err)
	}
	if _, err := d.Apply(t.Context(), []directory.Write{{Op: directory.Delete, ID: ref.ID, DN: ref.DN}}); err != nil {
		t.Error(err)
	}
}

func TestSuffixEntryComesAndGoes(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true})
	d := connect(t, srv, nil)
	base := "dn: " + srv.Suffix + "\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n"
	var seen []string
	err := d.Watch(t.Context(), nil, func(e directory.Event) error {
		switch e.Kind {
		case directory.State:
			seen = append(seen, "state")
		case directory.RefreshEnd:
			seen = append(seen, fmt.Sprint("end ", e.Complete))
			if len(seen) == 1 {
				_, err := srv.LDAPAdd(base)
				return err
			}
			return errEnough
		}
		return nil
	})
	if got := strings.Join(seen, ", "); !errors.Is(err, errEnough) || got != "end true, state, end true" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestWatchNoticesSilentServer(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true})
	load(t, srv, 1, 0)
	d := connect(t, srv, func(c *openldap.Config) { c.KeepAlive = 100e6 })
	err := d.Watch(t.Context(), nil, func(e directory.Event) error {
		if e.Kind == directory.RefreshEnd {
			return pause(srv.Pid())
		}
		return nil
	})
	if !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("watch of a server that hangs: %v", err)
	}
	if err := resume(srv.Pid()); err != nil {
		t.Fatal(err)
	}
	refresh(t, d, nil)
}

func TestConnections(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true, TLS: true})
	load(t, srv, 1, 0)
	roots := certPool(t, srv.CAFile)
	for name, change := range map[string]func(*openldap.Config){
		"ldap":     nil,
		"ldaps":    func(c *openldap.Config) { c.URI, c.RootCAs = srv.LDAPSURI, roots },
		"starttls": func(c *openldap.Config) { c.StartTLS, c.RootCAs = true, roots },
		"ldapi":    func(c *openldap.Config) { c.URI = srv.LDAPI + "/" },
	} {
		t.Run(name, func(t *testing.T) {
			d := connect(t, srv, change)
			if n := len(refresh(t, d, nil).states); n != testenv.SampleEntries(1, 0) {
				t.Errorf("%d entries", n)
			}
			expect(t, codes(t, d))
		})
	}
}

func TestUnreachable(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true})
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	d := connect(t, srv, nil)
	_, err := d.Check(t.Context())
	_, err2 := d.Read(t.Context(), []changelog.ID{{1}})
	_, err3 := d.Schema(t.Context())
	err4 := d.Watch(t.Context(), nil, nil)
	_, err5 := d.Apply(t.Context(), []directory.Write{{}})
	for i, err := range []error{err, err2, err3, err4, err5} {
		if !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	for _, uri := range []string{"", "http://x", "ldap://", "ldapi://%zz", "ldap://h/dc=x"} {
		if _, err := openldap.New(openldap.Config{URI: uri, Suffix: "dc=x"}); err == nil {
			t.Errorf("URI %q is taken", uri)
		}
	}
}
