package dit_test

import (
	"fmt"
	"testing"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// people returns the changes that make a suffix, ten containers and count
// entries below them, as a directory of people has them.
func people(count int) []*changelog.Change {
	var out []*changelog.Change
	add := func(id, parent dit.ID, rdn string, mods ...changelog.Mod) {
		seq := uint64(len(out) + 1)
		out = append(out, &changelog.Change{
			Op: changelog.OpAdd, Seq: seq, CSN: changelog.CSN{Time: epoch + int64(seq), SID: 1},
			ID: id, Superior: parent, RDN: rdn, Mods: mods,
		})
	}
	mod := func(attr string, values ...string) changelog.Mod {
		return changelog.Mod{Op: changelog.ModAdd, Attr: attr, Values: values}
	}
	unit := mod("objectClass", "organizationalUnit")
	add(testID("base"), dit.ID{}, "ou=t", unit, mod("ou", "t"))
	for i := range 10 {
		ou := fmt.Sprintf("unit%d", i)
		add(testID(ou), testID("base"), "ou="+ou, unit, mod("ou", ou))
	}
	for i := range count {
		uid := fmt.Sprintf("user%06d", i)
		add(testID(uid), testID(fmt.Sprintf("unit%d", i%10)), "uid="+uid,
			mod("objectClass", "top", "person", "organizationalPerson", "inetOrgPerson", "posixAccount"),
			mod("uid", uid), mod("cn", "Ann Example "+uid), mod("sn", "Example"), mod("givenName", "Ann"),
			mod("mail", uid+"@example.org"), mod("telephoneNumber", fmt.Sprintf("+49 30 %06d", i)),
			mod("userPassword", "{SSHA}0123456789abcdef0123456789abcdef01234567"),
			mod("uidNumber", fmt.Sprint(10000+i)), mod("gidNumber", "100"), mod("homeDirectory", "/home/"+uid),
			mod("creatorsName", "cn=admin,dc=example,dc=org"), mod("createTimestamp", "20260101000000Z"),
			mod("modifiersName", "cn=admin,dc=example,dc=org"), mod("modifyTimestamp", "20260101000000Z"))
	}
	return out
}

// BenchmarkMergeAdd merges 10,000 new entries into a state that is opened for
// every thousand, as a transaction would.
func BenchmarkMergeAdd(b *testing.B) {
	changes := people(10_000)
	rules := testRules(b)
	var kv *dit.Memory
	for b.Loop() {
		kv = dit.NewMemory()
		var s *dit.State
		for i, c := range changes {
			if i%1000 == 0 {
				s = dit.Open(kv, rules)
			}
			if _, err := s.Merge(c); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(changes)*b.N)/b.Elapsed().Seconds(), "merges/s")
	bytes := 0
	kv.Scan(nil, nil, func(k, v []byte) bool { bytes += len(k) + len(v); return true })
	b.ReportMetric(float64(bytes)/float64(len(changes)), "bytes/entry")
}

// BenchmarkMergeModify changes one value of one entry.
func BenchmarkMergeModify(b *testing.B) {
	rules := testRules(b)
	s := dit.Open(dit.NewMemory(), rules)
	changes := people(1000)
	for _, c := range changes {
		if _, err := s.Merge(c); err != nil {
			b.Fatal(err)
		}
	}
	seq := uint64(len(changes))
	for b.Loop() {
		seq++
		c := &changelog.Change{
			Op: changelog.OpModify, Seq: seq, CSN: changelog.CSN{Time: epoch + int64(seq), SID: 1}, ID: testID(fmt.Sprintf("user%06d", seq%1000)),
			Mods: []changelog.Mod{{Op: changelog.ModReplace, Attr: "mail", Values: []string{fmt.Sprint(seq % 5)}}},
		}
		if _, err := s.Merge(c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkView shows one entry of 10,000.
func BenchmarkView(b *testing.B) {
	rules := testRules(b)
	s := dit.Open(dit.NewMemory(), rules)
	for _, c := range people(10_000) {
		if _, err := s.Merge(c); err != nil {
			b.Fatal(err)
		}
	}
	i := 0
	for b.Loop() {
		i++
		if v, err := s.View(testID(fmt.Sprintf("user%06d", i%10_000))); v == nil || err != nil {
			b.Fatal(v, err)
		}
	}
}
