package dit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
)

// pair is two servers that hear of each other when they are told to.
type pair struct {
	t       *testing.T
	a, b    *replica
	changes []*changelog.Change
	at      int64
}

// newPair returns two servers with a suffix, a group g and entries x and y.
func newPair(t *testing.T, rules dit.Rules) *pair {
	p := &pair{t: t, a: newReplica(1, rules), b: newReplica(2, rules)}
	p.do(p.a, "base", dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "ou=t,dc=x"), Attrs: attrs("objectClass", "organizationalUnit")})
	p.add(p.a, "g", "cn=g,ou=t,dc=x", "objectClass", "groupOfNames", "member", "cn=nobody,dc=x")
	p.add(p.a, "x", "cn=x,ou=t,dc=x", "objectClass", "inetOrgPerson", "sn", "x")
	p.add(p.a, "y", "cn=y,ou=t,dc=x", "objectClass", "inetOrgPerson", "sn", "y")
	p.meet()
	return p
}

func attrs(pairs ...string) (out []dit.Attribute) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, dit.Attribute{Name: pairs[i], Values: []string{pairs[i+1]}})
	}
	return out
}

func (p *pair) do(r *replica, id string, op dit.Operation) {
	p.t.Helper()
	p.at += 1000
	c, err := r.do(p.t, op, testID(id), p.at)
	if err != nil {
		p.t.Fatal(err)
	}
	p.changes = append(p.changes, c)
}

func (p *pair) add(r *replica, id, name string, pairs ...string) {
	p.do(r, id, dit.Operation{Op: changelog.OpAdd, DN: parseDN(p.t, name), Attrs: attrs(pairs...)})
}

func (p *pair) delete(r *replica, name string) {
	p.do(r, "", dit.Operation{Op: changelog.OpDelete, DN: parseDN(p.t, name)})
}

func (p *pair) modify(r *replica, name string, op dit.ModificationOp, attr string, values ...string) {
	p.do(r, "", dit.Operation{Op: changelog.OpModify, DN: parseDN(p.t, name), Modifications: []dit.Modification{{Op: op, Attr: attr, Values: values}}})
}

// meet lets the servers exchange everything.
func (p *pair) meet() {
	for _, c := range p.changes {
		p.a.merge(p.t, c)
		p.b.merge(p.t, c)
	}
}

// records returns what both have recorded, in words.
func (p *pair) records() []string {
	p.t.Helper()
	out := []string{}
	for _, r := range journal(p.t, p.a.state()) {
		out = append(out, fmt.Sprintf("%s %s %s lost %d won %d", r.Kind, r.Attribute, r.Lost.Value, r.Lost.CSN.SID, r.Won.CSN.SID))
	}
	if d := cmp.Diff(dump(p.a.kv), dump(p.b.kv)); d != "" {
		p.t.Fatalf("the two differ: %s", d)
	}
	compareListing(p.t, p.a.state(), byEntry(journal(p.t, p.a.state())))
	return out
}

func byEntry(records []dit.Record) map[dit.ID][]dit.Record {
	out := map[dit.ID][]dit.Record{}
	for _, r := range records {
		out[r.Entry] = append(out[r.Entry], r)
	}
	return out
}

func (p *pair) expect(want ...string) {
	p.t.Helper()
	if d := cmp.Diff(append([]string{}, want...), p.records()); d != "" {
		p.t.Errorf("records (-want +got):\n%s", d)
	}
}

const dangling = "dangling-reference member cn=X,ou=t,dc=x lost 2 won 1"

// TestDanglingReference is scenario E14: an entry is deleted here while it is
// added to a group there.
func TestDanglingReference(t *testing.T) {
	for name, spilled := range map[string]bool{"small": false, "large": true} {
		t.Run(name, func(t *testing.T) {
			if spilled {
				defer dit.SetSpill(0, 1<<10)()
			}
			p := newPair(t, testRules(t))
			p.delete(p.a, "cn=x,ou=t,dc=x")
			p.modify(p.b, "cn=g,ou=t,dc=x", dit.AddValues, "member", "cn=X,ou=t,dc=x")
			p.meet()
			p.expect(dangling)
			p.modify(p.a, "cn=g,ou=t,dc=x", dit.DeleteValues, "member", "cn=x,ou=t,dc=x")
			p.meet()
			p.expect()
		})
	}
}

func TestDanglingReferenceGoesWithItsCause(t *testing.T) {
	p := newPair(t, testRules(t))
	p.modify(p.b, "cn=g,ou=t,dc=x", dit.AddValues, "member", "cn=X,ou=t,dc=x")
	p.delete(p.a, "cn=x,ou=t,dc=x")
	p.meet()
	p.expect(dangling)
	c := &changelog.Change{Op: changelog.OpModify, ID: testID("x"), Undelete: true}
	p.a.stamp(c, p.at+1000)
	p.changes = append(p.changes, c)
	p.meet()
	p.expect()
	p.delete(p.a, "cn=x,ou=t,dc=x")
	p.meet()
	p.expect() // that deletion knew of the value
}

// TestDanglingReferenceOfWhatComesBack promises that what a deleted group names is not
// forgotten as long as a record would tell of it once the group is back.
func TestDanglingReferenceOfWhatComesBack(t *testing.T) {
	const day = int64(24 * time.Hour / time.Microsecond)
	for name, tc := range map[string]struct {
		records time.Duration
		want    []string
	}{
		"the record would be young": {365 * 24 * time.Hour, []string{dangling}},
		"the record would be old":   {35 * 24 * time.Hour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, testRules(t))
			p.delete(p.a, "cn=x,ou=t,dc=x")
			p.modify(p.b, "cn=g,ou=t,dc=x", dit.AddValues, "member", "cn=X,ou=t,dc=x")
			p.meet()
			p.at += 40 * day
			p.delete(p.a, "cn=g,ou=t,dc=x")
			p.meet()
			p.expect()
			for _, r := range []*replica{p.a, p.b} {
				forget := dit.Forgetting{
					Stable: func(changelog.CSN, uint64) bool { return true }, Stored: r.seen, Newest: changelog.CSN{Time: epoch + p.at},
					Tombstones: 30 * 24 * time.Hour, Records: tc.records,
				}
				for wait := range int64(4) {
					forget.Before.Time = epoch + p.at + 1 + 2*wait*day
					for more, err := true, error(nil); more; {
						if more, err = r.state().Forget(forget, 100); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			c := &changelog.Change{Op: changelog.OpModify, ID: testID("g"), Undelete: true}
			p.a.stamp(c, p.at+10*day)
			p.changes = []*changelog.Change{c}
			p.meet()
			p.expect(tc.want...)
		})
	}
}

func TestNoDanglingReferenceWhereNothingWasConcurrent(t *testing.T) {
	p := newPair(t, testRules(t))
	p.modify(p.b, "cn=g,ou=t,dc=x", dit.AddValues, "member", "cn=x,ou=t,dc=x")
	p.meet()
	p.delete(p.a, "cn=x,ou=t,dc=x")
	p.meet()
	p.delete(p.a, "cn=y,ou=t,dc=x")
	p.meet()
	p.modify(p.b, "cn=g,ou=t,dc=x", dit.AddValues, "member", "cn=y,ou=t,dc=x")
	p.meet()
	p.expect()
}

// TestUniquenessViolation is scenario E15.
func TestUniquenessViolation(t *testing.T) {
	rules := testRules(t)
	rules.Unique = []string{"uid"}
	for name, spilled := range map[string]bool{"small": false, "large": true} {
		t.Run(name, func(t *testing.T) {
			if spilled {
				defer dit.SetSpill(0, 1<<10)()
			}
			p := newPair(t, rules)
			p.add(p.a, "p", "cn=p,ou=t,dc=x", "objectClass", "inetOrgPerson", "sn", "p", "uid", "u1")
			p.add(p.b, "q", "cn=q,ou=t,dc=x", "objectClass", "inetOrgPerson", "sn", "q", "uid", "U1")
			p.meet()
			p.expect("uniqueness-violation uid U1 lost 2 won 1")
			p.delete(p.a, "cn=p,ou=t,dc=x")
			p.meet()
			p.expect()
			p.modify(p.a, "cn=y,ou=t,dc=x", dit.AddValues, "uid", "u1")
			p.meet()
			p.expect() // its author knew of the other
		})
	}
}

func TestSettledRecordStaysAway(t *testing.T) {
	p := newPair(t, testRules(t))
	p.modify(p.a, "cn=x,ou=t,dc=x", dit.ReplaceValues, "description", "a")
	p.modify(p.b, "cn=x,ou=t,dc=x", dit.ReplaceValues, "description", "b")
	p.meet()
	const lost = "value-superseded description a lost 1 won 2"
	p.expect(lost)
	c := &changelog.Change{Op: changelog.OpSettle, ID: testID("x"), Records: []string{journal(t, p.a.state())[0].ID()}}
	p.b.stamp(c, p.at+1000)
	p.changes = append(p.changes, c)
	p.meet()
	p.expect()
	p.modify(p.a, "cn=x,ou=t,dc=x", dit.AddValues, "sn", "z")
	p.meet()
	p.expect()
	p.modify(p.a, "cn=x,ou=t,dc=x", dit.ReplaceValues, "description", "a")
	p.modify(p.b, "cn=x,ou=t,dc=x", dit.ReplaceValues, "description", "b")
	p.meet()
	p.expect(lost) // another conflict
}

func TestDeleted(t *testing.T) {
	p := newPair(t, testRules(t))
	p.delete(p.a, "cn=x,ou=t,dc=x")
	p.delete(p.a, "cn=y,ou=t,dc=x")
	p.meet()
	p.add(p.a, "x2", "cn=x,ou=t,dc=x", "objectClass", "inetOrgPerson", "sn", "x")
	p.delete(p.a, "CN=X,ou=t,dc=x")
	s := p.a.state()
	var names []string
	for after := ""; ; {
		page, next, err := s.Deleted(nil, 2, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			names = append(names, d.DN)
		}
		if after = next; next == "" {
			break
		}
	}
	if d := cmp.Diff([]string{"CN=X,ou=t,dc=x", "cn=y,ou=t,dc=x", "cn=x,ou=t,dc=x"}, names); d != "" {
		t.Errorf("newest first: %s", d)
	}
	if page, _, err := s.Deleted(parseDN(t, "cn=Y,ou=t,dc=x"), 0, ""); err != nil || len(page) != 1 || page[0].ID != testID("y") {
		t.Errorf("below a name: %v %v", page, err)
	}
	if found, err := s.FindDeleted(parseDN(t, "cn=x,ou=T,dc=x")); err != nil || len(found) != 2 {
		t.Errorf("two were deleted under that name: %v %v", found, err)
	}
}
