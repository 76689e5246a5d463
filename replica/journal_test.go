package replica_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
)

const ann = "uid=ann,ou=people," + suffix

// two returns two masters that hold ann.
func two(t *testing.T) (c *cluster, a, b *node) {
	c = newCluster(t, 2)
	a, b = c.nodes[0], c.nodes[1]
	a.start(1)
	a.do(base()...)
	a.do(person("ann"))
	b.start(2)
	c.settled()
	return c, a, b
}

// apart lets both write without knowing of each other.
func (c *cluster) apart(first, second directory.Write) {
	c.t.Helper()
	c.partition(true)
	c.eventually(func() string {
		if len(c.nodes[0].Peers())+len(c.nodes[1].Peers()) > 0 {
			return "still together"
		}
		return ""
	})
	c.nodes[0].write(first)
	c.nodes[1].write(second)
	c.partition(false)
	c.settled()
}

// write lets a client write and waits until the change is in the log.
func (nd *node) write(w directory.Write) {
	nd.c.t.Helper()
	before := nd.Counts()["captured"]
	nd.do(w)
	nd.c.eventually(func() string {
		if nd.Counts()["captured"] == before {
			return "not captured"
		}
		return ""
	})
}

func (nd *node) list(q replica.ConflictQuery) []replica.Conflict {
	nd.c.t.Helper()
	page, err := nd.Conflicts(q)
	if err != nil {
		nd.c.t.Fatal(err)
	}
	return page.Conflicts
}

// only returns the one conflict of a kind, which every node must list alike.
func (c *cluster) only(kind dit.Kind) replica.Conflict {
	c.t.Helper()
	all := c.nodes[0].list(replica.ConflictQuery{Kinds: []dit.Kind{kind}})
	if len(all) != 1 {
		c.t.Fatalf("%d conflicts of kind %s: %+v", len(all), kind, all)
	}
	for _, nd := range c.nodes {
		if d := cmp.Diff(all, nd.list(replica.ConflictQuery{Kinds: []dit.Kind{kind}})); d != "" {
			c.t.Fatalf("%s lists others:\n%s", nd.name, d)
		}
	}
	return all[0]
}

func (c *cluster) none() {
	c.t.Helper()
	for _, nd := range c.nodes {
		if all := nd.list(replica.ConflictQuery{}); len(all) > 0 {
			c.t.Errorf("%s still lists %+v", nd.name, all)
		}
		s, err := nd.Status()
		if err != nil || s.Conflicts != 0 {
			c.t.Errorf("%s counts %d conflicts (%v)", nd.name, s.Conflicts, err)
		}
	}
}

func TestConflictIsListedRestoredAndDropped(t *testing.T) {
	c, a, b := two(t)
	c.apart(
		modify(ann, replace("employeeNumber", "from a"), replace("userPassword", "secret a")),
		modify(ann, replace("employeeNumber", "from b"), replace("userPassword", "secret b")),
	)
	all := a.list(replica.ConflictQuery{Limit: 1})
	if len(all) != 1 {
		t.Fatalf("a page of one holds %d", len(all))
	}
	all = b.list(replica.ConflictQuery{Name: "ou=people," + suffix})
	if len(all) != 2 {
		t.Fatalf("two values were lost, listed are %+v", all)
	}
	i := slices.IndexFunc(all, func(c replica.Conflict) bool { return c.Attribute == "employeeNumber" })
	lost, password := all[i], all[1-i]
	if lost.Lost.Value != "from a" || lost.Won.Value != "from b" || lost.DN != ann || !strings.HasPrefix(a.name, lost.Lost.Server) || !strings.HasPrefix(b.name, lost.Won.Server) {
		t.Errorf("what lost to what: %+v", lost)
	}
	if password.Lost.Value+password.Won.Value != "" || !password.Lost.Hidden {
		t.Errorf("a password is shown: %+v", password)
	}
	if shown, err := a.Conflict(password.ID[:8], true); err != nil || shown.Lost.Value != "secret a" {
		t.Errorf("asked for, the password is %+v, %v", shown.Lost, err)
	}
	done, err := b.Restore(unique(lost.ID, password.ID), replica.RestoreOptions{})
	if err != nil || !strings.Contains(done, ann) || !strings.Contains(done, "employeeNumber") {
		t.Fatal(done, err)
	}
	c.settled()
	page, err := b.History(ann, false, 0, "")
	if last := page.Changes[len(page.Changes)-1]; err != nil || last.Mods[0].Attr != "employeeNumber" {
		t.Errorf("restored as %+v, %v", last, err)
	}
	if n := strings.Count(strings.Join(a.dir.Dump(), "\n"), "from a"); n != 1 {
		t.Errorf("the value is there %d times", n)
	}
	b.stop()
	b.start(2)
	c.settled()
	if n, err := b.Drop([]string{password.ID, password.ID[:6], password.ID}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	c.settled()
	c.none()
}

// unique returns no more of an id than tells it from another.
func unique(id, other string) string {
	n := 1
	for strings.HasPrefix(other, id[:n]) {
		n++
	}
	return id[:n]
}

// TestAmbiguousID promises that digits with which several ids begin are not taken for one
// of them, and that some of these are named.
func TestAmbiguousID(t *testing.T) {
	c, a, _ := two(t)
	values := strings.Split("abcdefghijklmnopq", "")
	c.apart(modify(ann, replace("jpegPhoto", values...)), modify(ann, replace("jpegPhoto", "won")))
	all := a.list(replica.ConflictQuery{})
	if len(all) != len(values) {
		t.Fatalf("listed are %+v", all)
	}
	byDigit := map[string][]string{}
	for _, l := range all {
		byDigit[l.ID[:1]] = append(byDigit[l.ID[:1]], l.ID)
	}
	for digit, ids := range byDigit {
		_, err := a.Conflict(digit, false)
		var bad *replica.RequestError
		named := 0
		if errors.As(err, &bad) {
			for _, id := range ids {
				named += strings.Count(bad.HintText, id)
			}
		}
		if one := len(ids) == 1; one && err != nil || !one && (bad == nil || named != min(len(ids), 5) || !strings.Contains(bad.Text, "ambiguous")) {
			t.Errorf("%s of %v: %v", digit, ids, bad)
		}
	}
}

// TestRestoreRefusesOptions promises that no option is passed over.
func TestRestoreRefusesOptions(t *testing.T) {
	c, a, _ := two(t)
	c.apart(modify(ann, replace("employeeNumber", "from a")), modify(ann, replace("employeeNumber", "from b")))
	id := c.only(dit.ValueSuperseded).ID
	var bad *replica.RequestError
	for _, o := range []replica.RestoreOptions{{Rename: "uid=x"}, {RemoveValue: true}} {
		if done, err := a.Restore(id, o); !errors.As(err, &bad) || !strings.Contains(bad.Text, "means nothing") {
			t.Errorf("%+v: %s %v", o, done, err)
		}
	}
	for _, after := range []string{"junk", "junk:1", "parked-rejected:x", "parked-rejected:-1", "journal:x"} {
		if _, err := a.Conflicts(replica.ConflictQuery{After: after}); err == nil || !strings.Contains(err.Error(), "not the end of a page") {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

func TestDropAll(t *testing.T) {
	c, a, _ := two(t)
	c.apart(
		modify(ann, replace("employeeNumber", "a"), replace("displayName", "a"), replace("preferredLanguage", "a")),
		modify(ann, replace("employeeNumber", "b"), replace("displayName", "b"), replace("preferredLanguage", "b")),
	)
	if n, err := a.DropAll(replica.ConflictQuery{Kinds: []dit.Kind{dit.NameConflict}}); n != 0 || err != nil {
		t.Errorf("there are no name conflicts, and %d were dropped, %v", n, err)
	}
	if n, err := a.DropAll(replica.ConflictQuery{Name: ann}); n != 3 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	c.settled()
	c.none()
}

func TestRestoreByKind(t *testing.T) {
	group := addEntry("cn=g,ou=people,"+suffix, "objectClass", "groupOfNames", "member", ann)
	rename := func(rdn string) directory.Write {
		return directory.Write{Op: directory.ModDN, DN: ann, NewRDN: rdn, DeleteOldRDN: true}
	}
	drop := directory.Write{Op: directory.Delete, DN: ann}
	for _, tt := range []struct {
		kind          dit.Kind
		first, second directory.Write
		options       replica.RestoreOptions
		want          string
	}{
		{dit.RenameSuperseded, rename("uid=anna"), rename("uid=anne"), replica.RestoreOptions{}, "uid=anna,"},
		{dit.ChangeOnDeleted, modify(ann, replace("description", "kept")), drop, replica.RestoreOptions{}, "kept"},
		{dit.NameConflict, person("bob"), person("bob"), replica.RestoreOptions{Rename: "uid=robert"}, "uid=robert,"},
		{dit.DanglingReference, drop, group, replica.RestoreOptions{}, ann},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			c, a, b := two(t)
			c.apart(tt.first, tt.second)
			done, err := a.Restore(c.only(tt.kind).ID, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			c.settled()
			if left := a.list(replica.ConflictQuery{Kinds: []dit.Kind{tt.kind}}); len(left) > 0 {
				t.Errorf("%s: still %+v", done, left)
			}
			if !strings.Contains(strings.Join(b.dir.Dump(), "\n"), tt.want) {
				t.Errorf("%s: no %s in %s", done, tt.want, b.dir.Dump())
			}
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	c, a, _ := two(t)
	c.apart(person("bob"), person("bob"))
	var bad *replica.RequestError
	id := c.only(dit.NameConflict).ID
	for _, id := range []string{id, "ffffffff", "", "parked:" + id, "denied:1-1"} {
		if _, err := a.Restore(id, replica.RestoreOptions{}); !errors.As(err, &bad) {
			t.Errorf("restore %q: %v", id, err)
		}
	}
	if err := a.SetRole(roles.ReadOnly); err != nil {
		t.Fatal(err)
	}
	var not *replica.NotMasterError
	if _, err := a.Restore(id, replica.RestoreOptions{Rename: "uid=x"}); !errors.As(err, &not) {
		t.Errorf("a server that is no master restores: %v", err)
	}
	if _, err := a.Drop([]string{id}); !errors.As(err, &not) {
		t.Errorf("a server that is no master drops: %v", err)
	}
}

func TestUndelete(t *testing.T) {
	c, a, b := two(t)
	for range 2 {
		a.write(directory.Write{Op: directory.Delete, DN: ann})
		a.write(person("ann"))
	}
	c.settled()
	var bad *replica.RequestError
	if _, err := b.Undelete(ann, ""); !errors.As(err, &bad) || !strings.Contains(bad.HintText, "deleted 20") {
		t.Errorf("two entries had the name: %v", err)
	}
	dead, _, err := b.Deleted("ou=people,"+suffix, 0, "")
	if err != nil || len(dead) != 2 || dead[0].Deleted.Before(dead[1].Deleted) || !strings.HasPrefix(a.name, dead[0].Server) {
		t.Fatal(dead, err)
	}
	for _, rename := range []string{"", "uid=ann", "UID=Ann"} {
		if _, err := b.Undelete(dead[0].ID.String(), rename); !errors.As(err, &bad) || !strings.Contains(bad.HintText, "--rename") || !strings.Contains(bad.Text, ann) {
			t.Errorf("the name is taken, renamed to %q: %v", rename, err)
		}
	}
	if done, err := b.Undelete(dead[0].ID.String(), "uid=ann2"); err != nil || !strings.Contains(done, "uid=ann2") {
		t.Fatal(done, err)
	}
	a.do(directory.Write{Op: directory.Delete, DN: ann})
	c.settled()
	if !strings.Contains(strings.Join(a.dir.Dump(), "\n"), "uid=ann2,") {
		t.Errorf("it is not back: %s", a.dir.Dump())
	}
	if _, err := b.Undelete("uid=nobody,"+suffix, ""); !errors.As(err, &bad) {
		t.Errorf("nobody was deleted: %v", err)
	}
	if _, err := b.Undelete(suffix, ""); !errors.As(err, &bad) {
		t.Errorf("the suffix is not deleted: %v", err)
	}
}

// TestRestoreTakesNoName promises that what is restored under another name does not take
// that of a living entry.
func TestRestoreTakesNoName(t *testing.T) {
	c, a, _ := two(t)
	c.apart(modify(ann, replace("description", "kept")), directory.Write{Op: directory.Delete, DN: ann})
	a.write(person("bob"))
	c.settled()
	var bad *replica.RequestError
	id := c.only(dit.ChangeOnDeleted).ID
	if done, err := a.Restore(id, replica.RestoreOptions{Rename: "uid=bob"}); !errors.As(err, &bad) || !strings.Contains(bad.Text, "exists") {
		t.Fatal(done, err)
	}
	if _, err := a.Restore(id, replica.RestoreOptions{Rename: "uid=anna"}); err != nil {
		t.Fatal(err)
	}
	c.settled()
	c.none()
}

func TestHistory(t *testing.T) {
	c, a, b := two(t)
	b.write(modify(ann, replace("userPassword", "secret"), replace("description", "d")))
	c.settled()
	a.write(directory.Write{Op: directory.ModDN, DN: ann, NewRDN: "uid=anna", DeleteOldRDN: true})
	c.settled()
	var got []string
	for after := ""; ; {
		page, err := b.History("uid=anna,ou=people,"+suffix, false, 2, after)
		if err != nil || page.Truncated {
			t.Fatal(page, err)
		}
		for _, h := range page.Changes {
			got = append(got, h.Op.String()+" "+h.Server)
			for _, m := range h.Mods {
				if m.Attr == "userPassword" && (m.Hidden != 1 || len(m.Values) > 0) {
					t.Errorf("a password is shown: %+v", m)
				}
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if d := cmp.Diff([]string{"add ldap1@x", "modify ldap2@x", "moddn ldap1@x"}, got); d != "" {
		t.Errorf("history: %s", d)
	}
	var bad *replica.RequestError
	if _, err := b.History("uid=nobody,"+suffix, false, 0, ""); !errors.As(err, &bad) {
		t.Error(err)
	}
	if _, err := b.History(changelog.ID{1}.String(), false, 0, ""); !errors.As(err, &bad) {
		t.Error(err)
	}
}

// TestParkedSaysWhoseChangeIsRefused promises that the change which the directory would
// not take is named as far as its message tells, since when, and that a retry helps.
func TestParkedSaysWhoseChangeIsRefused(t *testing.T) {
	c, a, b := two(t)
	refuse := func(directory.Write) error {
		return &directory.RefusedError{Code: 17, Text: "displayName: attribute type undefined"}
	}
	b.dir.SetRefuse(refuse)
	parked := func(tries int) (p replica.Parked) {
		c.eventually(func() string {
			s, err := b.Status()
			if err != nil || len(s.Parked) != 1 || s.Parked[0].Tries < tries {
				return "not parked"
			}
			p = s.Parked[0]
			return ""
		})
		return p
	}
	a.write(modify(ann, replace("displayName", "unwanted")))
	first := parked(1)
	a.write(modify(ann, replace("description", "later")))
	c.eventually(func() string {
		if parked(2); b.Counts()["received"] < a.Counts()["captured"] {
			return "the later change is not there"
		}
		return ""
	})
	if n, err := b.RetryParked(first.ID); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	again := parked(first.Tries + 2)
	if first.CSN.IsZero() || first.CSN.SID != a.Identity().SID || first.Server != "ldap1@x" || again.CSN != first.CSN || !again.Since.Equal(first.Since) {
		t.Errorf("parked %+v, then %+v", first, again)
	}
	listed := b.list(replica.ConflictQuery{})[0]
	if listed.Lost.CSN != first.CSN || listed.Lost.Server != "ldap1@x" || listed.Refusal == nil || listed.Refusal.Code != 17 || !listed.Refusal.Since.Equal(first.Since) {
		t.Errorf("listed as %+v", listed)
	}
	shown, err := b.Conflict(listed.ID, false)
	if err != nil || shown.Lost.Op != "modify" || shown.Lost.Change.Mods[0].Attr != "displayName" || !strings.HasSuffix(shown.ByHand, "parked retry "+first.ID.String()) {
		t.Errorf("shown as %+v, %v", shown, err)
	}
	var bad *replica.RequestError
	if n, err := b.RetryParked(changelog.ID{1}); !errors.As(err, &bad) {
		t.Errorf("%d of what is not parked tried again, %v", n, err)
	}
	if err := b.DropParked(first.ID); err != nil {
		t.Fatal(err)
	}
	if n, err := b.RetryParked(changelog.ID{}); n != 0 || err != nil {
		t.Errorf("%d tried again, %v", n, err)
	}
	b.dir.SetRefuse(nil)
	if n, err := b.RetryParked(first.ID); n != 1 || err != nil {
		t.Errorf("what was given up is not tried again: %d, %v", n, err)
	}
	c.settled()
	c.none()
}

func TestParkedIsGivenUpUntilItChanges(t *testing.T) {
	c, a, b := two(t)
	b.dir.SetRefuse(func(directory.Write) error {
		return &directory.RefusedError{Code: 53, Text: "no"}
	})
	a.do(modify(ann, replace("description", "unwanted")))
	var parked replica.Conflict
	c.eventually(func() string {
		if all := b.list(replica.ConflictQuery{}); len(all) == 1 {
			parked = all[0]
			return ""
		}
		return "not parked"
	})
	if parked.Kind != replica.ParkedRejected || parked.DN != ann {
		t.Errorf("listed as %+v", parked)
	}
	if err := b.DropParked(parked.Entry); err != nil {
		t.Fatal(err)
	}
	s, err := b.Status()
	if err != nil || s.ParkedCount != 0 || s.Apply != 0 || s.GivenUp != 1 {
		t.Errorf("status %+v, %v", s, err)
	}
	if shown, err := b.Conflict(parked.ID, false); err != nil || !strings.HasPrefix(shown.Text, "given up on 20") {
		t.Errorf("what was given up is recorded as %+v, %v", shown, err)
	}
	var bad *replica.RequestError
	if err := b.DropParked(parked.Entry); !errors.As(err, &bad) {
		t.Errorf("given up twice: %v", err)
	}
	b.dir.SetRefuse(nil)
	a.do(modify(ann, replace("description", "wanted")))
	c.settled()
	c.none()
}

// TestUniqueIsAskedForLater promises that violations are found which are older
// than the setting.
func TestUniqueIsAskedForLater(t *testing.T) {
	c, a, b := two(t)
	c.apart(person("bob", "employeeNumber", "7"), person("cid", "employeeNumber", "7"))
	c.none()
	for i, nd := range c.nodes {
		nd.stop()
		nd.unique = []string{"employeeNumber"}
		nd.start(changelog.SID(i + 1))
	}
	c.settled()
	found := c.only(dit.UniquenessViolation)
	if found.DN != "uid=cid,ou=people,"+suffix || found.OtherDN != "uid=bob,ou=people,"+suffix || found.Lost.Value != "7" {
		t.Errorf("recorded is %+v", found)
	}
	var bad *replica.RequestError
	if _, err := a.Restore(found.ID, replica.RestoreOptions{}); !errors.As(err, &bad) || !strings.Contains(bad.HintText, "--remove-value") {
		t.Errorf("restored without saying what: %v", err)
	}
	if _, err := b.Restore(found.ID, replica.RestoreOptions{RemoveValue: true}); err != nil {
		t.Fatal(err)
	}
	c.settled()
	c.none()
}

// TestDeniedIsRestored makes, on a server that may write again, what its clients
// were denied while it was not.
func TestDeniedIsRestored(t *testing.T) {
	c, a, b := two(t)
	b.setRole(roles.ReadOnly)
	if err := b.SetRole(roles.ReadOnly); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"denied", "denied again"} {
		b.do(modify(ann, replace("displayName", value)))
		c.eventually(func() string {
			if strings.Contains(strings.Join(b.dir.Dump(), "\n"), value) {
				return "not undone"
			}
			return ""
		})
	}
	c.settled()
	ask := replica.ConflictQuery{Kinds: []dit.Kind{replica.DeniedByRole}, Limit: 1}
	page, err := b.Conflicts(ask)
	if err != nil || len(page.Conflicts) != 1 || page.Next == "" || page.Counts[replica.DeniedByRole] != 2 {
		t.Fatal(page, err)
	}
	first := page.Conflicts[0]
	ask.After = page.Next
	page, err = b.Conflicts(ask)
	if err != nil || len(page.Conflicts) != 1 || page.Conflicts[0].ID == first.ID {
		t.Fatal(page, err)
	}
	if first.DN != ann || first.Lost.Server != "ldap2@x" || !strings.Contains(first.Text, "displayName") {
		t.Errorf("listed as %+v", first)
	}
	b.setRole(roles.Master)
	if err := b.SetRole(roles.Master); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restore(first.ID, replica.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if n, err := b.DropAll(replica.ConflictQuery{Kinds: []dit.Kind{replica.DeniedByRole}, Name: ann}); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	c.settled()
	if !strings.Contains(strings.Join(a.dir.Dump(), "\n"), "denied") {
		t.Errorf("the change was not made: %s", a.dir.Dump())
	}
	if left := b.list(replica.ConflictQuery{Kinds: []dit.Kind{replica.DeniedByRole}}); len(left) > 0 {
		t.Errorf("left are %+v", left)
	}
}
