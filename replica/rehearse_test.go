package replica_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/ldif"
	"ldapsync/replica"
	"ldapsync/schema"
	"ldapsync/store"
)

func TestRehearsalTellsAndDoesNothing(t *testing.T) {
	c, a, b := returning(t, 20)
	b.do(modify(user(5), replace("title", "b")), person("newb", "userPassword", "top secret"),
		directory.Write{Op: directory.ModDN, DN: user(9), NewRDN: "uid=nine", DeleteOldRDN: true})
	a.do(modify(user(5), replace("mail", "a@x")), directory.Write{Op: directory.Delete, DN: user(6)},
		directory.Write{Op: directory.ModDN, DN: user(10), NewRDN: "uid=u10", NewSuperior: "ou=groups," + suffix}, person("newa"))
	before := b.dir.Dump()
	s, err := store.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *store.Tx) error {
		return tx.SetIdentity(store.Identity{Suffix: suffix, JID: b.name, Install: "trial", Role: "master"})
	})
	if err != nil {
		t.Fatal(err)
	}
	trial, err := replica.New(context.Background(), replica.Config{
		Suffix: mustDN(suffix), Store: s, Directory: b.dir, Network: b,
		Rules: func(s *schema.Schema) dit.Rules { return dit.DefaultRules(s, mustDN(suffix)) },
		Keep:  func(*ldif.Record) error { return nil }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.captured()
	c.eventually(func() string {
		if st, err := a.Status(); err != nil || st.Publish > 0 {
			return fmt.Sprintf("%d to publish, %v", st.Publish, err)
		}
		return ""
	})
	if err := trial.SetPeers(c.peersOf(b)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var text strings.Builder
	w := ldif.NewWriter(&text)
	said := map[replica.Target][]string{}
	did, err := trial.Rehearse(ctx, func(to replica.Target, rec *ldif.Record) error {
		if line := string(rec.Change) + " " + rec.DN; !strings.HasPrefix(line, "modify uid=nine,") { // a stamp, if the second was over
			said[to] = append(said[to], line)
		}
		return w.Write(rec)
	})
	if err != nil {
		t.Fatal(err)
	}
	people := ",ou=people," + suffix
	wantRoom := []string{"modify " + user(5), "moddn " + user(9), "add uid=newb" + people}
	wantDirectory := []string{"modify " + user(5), "delete " + user(6), "moddn " + user(10), "add uid=newa" + people}
	for to, want := range map[replica.Target][]string{replica.ToRoom: wantRoom, replica.ToDirectory: wantDirectory} {
		slices.Sort(said[to])
		if slices.Sort(want); !slices.Equal(said[to], want) {
			t.Errorf("target %d: %q, want %q", to, said[to], want)
		}
	}
	if !did.Returns || did.Room < 3 || did.Room > 4 || did.Directory != 4 || did.Entries != 24 || did.ByID != 22 {
		t.Errorf("%+v", did)
	}
	if strings.Contains(text.String(), "secret") {
		t.Error("a password is shown")
	}
	if !slices.Equal(before, b.dir.Dump()) {
		t.Error("the directory was changed")
	}
	if v, err := a.Vector(); err != nil || v[changelog.SID(3)].Seq != 0 {
		t.Errorf("something was published: %s, %v", v, err)
	}
}
