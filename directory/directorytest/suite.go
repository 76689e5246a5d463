// Package directorytest is the test suite that every implementation of
// directory.Directory has to pass.
package directorytest

import (
	"fmt"
	"strings"
	"testing"

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
		{"AnswersTellCSNs", (*suite).answersTellCSNs},
		{"OwnWritesAreKnown", (*suite).ownWritesAreKnown},
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
	if _, err := s.Directory.Apply(s.Context(), writes); err != nil {
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

// people adds the suffix and n people.
func (s *suite) people(n int) []directory.Write {
	all := []directory.Write{s.base()}
	for i := range n {
		all = append(all, s.person(fmt.Sprintf("p%03d", i), s.Suffix))
	}
	s.apply(all...)
	return all[1:]
}

func (s *suite) absent() changelog.ID { return changelog.ID{0xff, 0xff} }

func with(w directory.Write, csn changelog.CSN) directory.Write {
	w.IfCSN = csn
	return w
}
