package openldap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ldapsync/directory"
	"ldapsync/directory/openldap"
	"ldapsync/directory/openldap/schema"
	testenv "ldapsync/testenv/openldap"
)

// codes checks d and returns the codes of what was found.
func codes(t *testing.T, d *openldap.Server) []string {
	t.Helper()
	found, err := d.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range found {
		if f.Text == "" || f.Fix == "" || strings.ContainsAny(f.Text, "\n") {
			t.Errorf("finding is not one clear line with a fix: %+v", f)
		}
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("findings %q, want %q", got, want)
	}
}

func load(t testing.TB, srv *testenv.Server, people, groups int) {
	t.Helper()
	if _, err := srv.LDAPAdd(testenv.SampleLDIF(srv.Suffix, people, groups)); err != nil {
		t.Fatal(err)
	}
}

func TestCheckOfGoodServer(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true, SessionLog: 10})
	expect(t, codes(t, connect(t, srv, nil))) // empty
	load(t, srv, 5, 1)
	before, err := srv.Dump()
	if err != nil {
		t.Fatal(err)
	}
	expect(t, codes(t, connect(t, srv, nil)))
	after, err := srv.Dump()
	if err != nil || before != after {
		t.Errorf("the check changed the directory: %v", err)
	}
}

// setupRecords returns the records of SetupText, without comments.
func setupRecords(t *testing.T, o openldap.SetupOptions) []string {
	t.Helper()
	text, err := openldap.SetupText(o)
	if err != nil {
		t.Fatal(err)
	}
	var records []string
	for _, r := range strings.Split(text, "\n\n") {
		if strings.Contains(r, "dn: ") {
			records = append(records, r)
		}
	}
	return records
}

// TestEveryRecordOfSetupIsNeeded leaves out each record in turn.
func TestEveryRecordOfSetupIsNeeded(t *testing.T) {
	for _, c := range []struct {
		without string
		want    []string
	}{
		{"", nil},
		{"cn=ldapsync,cn=schema", []string{openldap.CodeSchema}},
		{"olcModuleLoad: syncprov", []string{openldap.CodeSyncprov}},
		{"dn: olcOverlay=syncprov", []string{openldap.CodeSyncprov}},
		{"add: olcAccess", []string{openldap.CodeRights}},
		{"add: olcLimits", []string{openldap.CodeLimits}},
		{"olcDbIndex: entryUUID", []string{openldap.CodeIndex}},
		{"olcDbIndex: entryCSN", []string{openldap.CodeIndex}},
	} {
		t.Run(c.without, func(t *testing.T) {
			srv := start(t, testenv.Options{Bare: true, NoSync: true})
			load(t, srv, 600, 1)
			o := openldap.SetupOptions{Suffix: srv.Suffix, SyncDN: testenv.PeerDN()}
			var ldif strings.Builder
			for _, r := range setupRecords(t, o) {
				if c.without != "" && strings.Contains(r, c.without) {
					continue
				}
				ldif.WriteString(r + "\n\n")
			}
			out, err := srv.LDAPModify(ldif.String(), "-c", "-Q", "-Y", "EXTERNAL", "-H", srv.LDAPI)
			if err != nil && c.without != "olcModuleLoad: syncprov" {
				t.Fatal(out, err)
			}
			d := connect(t, srv, func(c *openldap.Config) { c.URI, c.External = srv.LDAPI, true })
			expect(t, codes(t, d), c.want...)
		})
	}
}

// TestSetupAsPrinted applies the text as it says, with an identity that has a
// password, to a directory with entries, and reads and writes it.
func TestSetupAsPrinted(t *testing.T) {
	srv := start(t, testenv.Options{Bare: true, NoSync: true})
	load(t, srv, 3, 1)
	text, err := openldap.SetupText(openldap.SetupOptions{
		Suffix: srv.Suffix, PasswordHash: "plain-for-a-test", Directory: srv.Dir + "/identity"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := srv.LDAPModify(text, "-c", "-Q", "-Y", "EXTERNAL", "-H", srv.LDAPI); err != nil {
		t.Fatal(out, err)
	}
	d := connect(t, srv, func(c *openldap.Config) { c.Password = password("plain-for-a-test") })
	expect(t, codes(t, d))
	if n := len(refresh(t, d, nil).states); n != testenv.SampleEntries(3, 1) {
		t.Errorf("%d entries are reported", n)
	}
	restart(t, srv, srv.Stop)
	expect(t, codes(t, d))
	_, err = srv.LDAPModify(text, "-c", "-Q", "-Y", "EXTERNAL", "-H", srv.LDAPI)
	if err == nil {
		t.Error("applying the setup twice is not noticed")
	}
	expect(t, codes(t, d))
}

func TestSetupForConf(t *testing.T) {
	text, err := openldap.SetupText(openldap.SetupOptions{Suffix: "dc=example,dc=com", PasswordHash: "x", Format: openldap.FormatConf})
	if err != nil {
		t.Fatal(err)
	}
	var include, module, database, identity []string
	into := map[string]*[]string{"include": &include, "moduleload": &module, "database": &identity}
	section := &database
	for _, line := range strings.Split(text, "\n") {
		word, _, _ := strings.Cut(line, " ")
		if word == "database" {
			section = &identity
		}
		if word == "" || word == "#" {
			continue
		}
		if s := into[word]; s != nil {
			*s = append(*s, line)
		} else {
			*section = append(*section, line)
		}
	}
	if len(include) != 1 || len(module) != 1 || len(database) != 5 || len(identity) != 5 {
		t.Fatalf("unexpected lines:\n%s", text)
	}
	srv := start(t, testenv.Options{Bare: true, NoSync: true, StaticConfig: true, Schemas: []string{schema.Conf + module[0] + "\n"}, Database: database[:3]})
	load(t, srv, 1, 0)
	srv2 := start(t, testenv.Options{Bare: true, NoSync: true, StaticConfig: true, Schemas: []string{schema.Conf},
		Database: append(slices.Clone(database[:3]), identity[0], identity[1], "directory "+t.TempDir(), identity[3], identity[4])})
	d := connect(t, srv2, func(c *openldap.Config) { c.Password = password("x") })
	expect(t, codes(t, d), openldap.CodeSyncprov)
}

func TestSetupRefusesWhatItCannotWrite(t *testing.T) {
	for _, o := range []openldap.SetupOptions{
		{Suffix: "dc=x", SyncDN: "cn=a\nrootdn x"}, {Suffix: `dc="x`}, {Suffix: "dc=x", Format: "xml"},
	} {
		if text, err := openldap.SetupText(o); err == nil {
			t.Errorf("%+v: %s", o, text)
		}
	}
}

func TestCheckFindsReadOnly(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true})
	load(t, srv, 3, 0)
	d := connect(t, srv, nil)
	for _, change := range []string{
		"replace: olcReadOnly\nolcReadOnly: TRUE\n",
		"replace: olcReadOnly\nolcReadOnly: FALSE\n-\nadd: olcUpdateDN\nolcUpdateDN: cn=other\n-\nadd: olcUpdateRef\nolcUpdateRef: ldap://127.0.0.1:1\n",
	} {
		if _, err := srv.ConfigModify("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\n" + change); err != nil {
			t.Fatal(err)
		}
		expect(t, codes(t, d), openldap.CodeReadOnly)
		_, err := d.Apply(t.Context(), []directory.Write{{Op: directory.Delete, DN: testenv.SamplePerson(srv.Suffix, 1)}})
		if !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("write to a read-only database: %v", err)
		}
	}
}

func TestWhatAPersonHasToPutRight(t *testing.T) {
	srv := start(t, testenv.Options{NoSync: true, TLS: true})
	load(t, srv, 1, 0)
	for name, c := range map[string]struct {
		change func(*openldap.Config)
		want   string
	}{
		"wrong password":  {func(c *openldap.Config) { c.Password = password("wrong") }, "wrong name or password"},
		"empty password":  {func(c *openldap.Config) { c.Password = password("") }, "is empty"},
		"no password":     {func(c *openldap.Config) { c.Password = nil }, "no password"},
		"other suffix":    {func(c *openldap.Config) { c.Suffix = "dc=other" }, "is no suffix"},
		"part of suffix":  {func(c *openldap.Config) { c.Suffix = "ou=people," + srv.Suffix }, "is no suffix"},
		"unknown CA":      {func(c *openldap.Config) { c.URI = srv.LDAPSURI }, "cannot be trusted"},
		"EXTERNAL on TCP": {func(c *openldap.Config) { c.External = true }, "refuses the process's user"},
	} {
		t.Run(name, func(t *testing.T) {
			d := connect(t, srv, c.change)
			_, err := d.Check(t.Context())
			var setup *openldap.SetupError
			if !errors.As(err, &setup) || setup.Hint() == "" || !strings.Contains(err.Error(), c.want) || errors.Is(err, directory.ErrUnavailable) {
				t.Errorf("check: %v, want %s", err, c.want)
			}
			err = d.Watch(t.Context(), nil, func(directory.Event) error { return errEnough })
			if !errors.As(err, &setup) && !errors.Is(err, errEnough) {
				t.Errorf("watch: %v", err)
			}
		})
	}
}
