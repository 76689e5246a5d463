package replica_test

import (
	"testing"

	"ldapsync/changelog"
	"ldapsync/directory"
)

// TestRenameToWhatANewClassAllows lets a server catch up with a class and a name
// that only this class allows, and with another in place of both.
func TestRenameToWhatANewClassAllows(t *testing.T) {
	c, a, b := pair(t, person("one"))
	people := ",ou=people," + suffix
	add := func(attr string, values ...string) changelog.Mod {
		return changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: values}
	}
	remove := func(attr string, values ...string) changelog.Mod {
		return changelog.Mod{Op: changelog.ModDelete, Attr: attr, Values: values}
	}
	b.stop()
	a.do(
		modify("uid=one"+people, add("objectClass", "domainRelatedObject"), add("associatedDomain", "a.x")),
		directory.Write{Op: directory.ModDN, DN: "uid=one" + people, NewRDN: "associatedDomain=a.x"},
	)
	b.start(2)
	c.settled()
	if b.dir.Find(mustDN("associatedDomain=a.x" + people)).IsZero() {
		t.Fatalf("not renamed: %s", b.dir.Dump())
	}
	b.stop()
	a.do(
		modify("associatedDomain=a.x"+people, add("objectClass", "labeledURIObject")),
		directory.Write{Op: directory.ModDN, DN: "associatedDomain=a.x" + people, NewRDN: "labeledURI=http://a", DeleteOldRDN: false},
		modify("labeledURI=http://a"+people, remove("objectClass", "domainRelatedObject"), remove("associatedDomain")),
	)
	b.start(2)
	c.settled()
	if b.dir.Find(mustDN("labeledURI=http://a" + people)).IsZero() {
		t.Fatalf("not renamed again: %s", b.dir.Dump())
	}
}
