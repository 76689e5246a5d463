package dit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/dit"
	"ldapsync/dit/naive"
	"ldapsync/dn"
)

// A profile says what the random clients like to do. Alphabets are small, so
// that they collide.
type profile struct {
	add, remove, rename, move, values, restore int
	// names are the RDNs they choose from.
	names []string
	// attrs are the attributes they modify, all of modAttrs by default.
	attrs []string
}

var profiles = map[string]profile{
	"tree":       {add: 4, remove: 1, rename: 1, move: 12, values: 1, names: []string{"ou=p", "ou=q", "ou=r", "cn=a"}},
	"attributes": {add: 2, remove: 1, rename: 2, values: 12, names: []string{"cn=a", "CN=A", "employeeNumber=1"}},
	"classes":    {add: 3, remove: 2, rename: 1, values: 12, names: []string{"cn=a", "ou=p"}, attrs: []string{"objectClass", "homeDirectory", "sn"}},
	"names":      {add: 6, remove: 3, rename: 5, move: 4, values: 1, names: []string{"ou=p", "OU=P", "cn=a", "cn=b+sn=b"}},
	"merging":    {add: 12, remove: 3, rename: 2, move: 1, names: []string{"ou=p", "ou=q", "ou=q"}},
	"pointing":   {add: 6, remove: 2, values: 12, restore: 1, names: []string{"ou=p", "cn=a"}, attrs: []string{"seeAlso", "seeAlso", "seeAlso", "sn", "employeeNumber", "objectClass"}},
	"life":       {add: 5, remove: 6, rename: 1, move: 2, values: 4, restore: 3, names: []string{"ou=p", "ou=q", "cn=a"}},
}

// world is a few replicas and the changes they made.
type world struct {
	t        testing.TB
	rng      *rand.Rand
	profile  profile
	rules    dit.Rules
	replicas []*replica
	changes  []*changelog.Change // in the order in which they were made
	has      [][]*changelog.Change
	ids      []dit.ID
	clock    int64
	// quiet leaves the comparisons to others.
	quiet bool
}

func newWorld(t testing.TB, p profile, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 7)), profile: p, rules: testRules(t)}
	w.rules.Unique = []string{"employeeNumber", "SN"}
	for i := range 3 + w.rng.IntN(2) {
		w.replicas = append(w.replicas, newReplica(changelog.SID(i+1), w.rules))
		w.has = append(w.has, nil)
	}
	base := dit.Operation{Op: changelog.OpAdd, DN: parseDN(t, "ou=t,dc=x"), Attrs: []dit.Attribute{{Name: "objectClass", Values: []string{"organizationalUnit"}}}}
	w.author(0, base)
	if w.rng.IntN(4) > 0 {
		for i := range w.replicas[1:] {
			w.deliver(i+1, w.changes[0])
		}
	}
	return w
}

func pick[T any](rng *rand.Rand, s []T) T { return s[rng.IntN(len(s))] }

func (w *world) id() dit.ID {
	id := testID(fmt.Sprint("entry", len(w.ids)))
	w.ids = append(w.ids, id)
	return id
}

// author makes an operation at replica i; refusals do not matter.
func (w *world) author(i int, op dit.Operation) {
	id := w.id()
	c, err := w.replicas[i].state().Author(op, id)
	if c == nil || err != nil {
		return
	}
	w.publish(i, c)
}

// publish makes c the next change of replica i.
func (w *world) publish(i int, c *changelog.Change) {
	w.clock += int64(w.rng.IntN(3))
	w.replicas[i].stamp(c, w.clock)
	w.changes = append(w.changes, c)
	w.deliver(i, c)
}

// deliver merges c at replica i and checks everything.
func (w *world) deliver(i int, c *changelog.Change) {
	w.t.Helper()
	r := w.replicas[i]
	if w.quiet {
		r.merge(w.t, c)
		w.has[i] = append(w.has[i], c)
		return
	}
	before := w.views(r)
	touched := r.merge(w.t, c)
	w.has[i] = append(w.has[i], c)
	after := w.views(r)
	for _, id := range w.ids {
		if !slices.Contains(touched, id) && !cmp.Equal(before[id], after[id]) {
			w.t.Fatalf("view of %s changed and was not touched by %s\nbefore %+v\nafter  %+v", id, describe(c), before[id], after[id])
		}
	}
	for j, id := range touched {
		if slices.Contains(touched[:j], id) {
			w.t.Fatalf("%s touched twice", id)
		}
	}
	compareNaive(w.t, r.state(), naive.New(w.rules, w.has[i]), w.ids)
}

func (w *world) views(r *replica) map[dit.ID]*dit.Shown {
	out := map[dit.ID]*dit.Shown{}
	for _, shown := range all(w.t, r.state(), w.ids) {
		out[shown.ID] = shown
	}
	return out
}

func describe(c *changelog.Change) string { return fmt.Sprintf("%+v", *c) }

// step lets one replica write or one change arrive.
func (w *world) step() {
	i := w.rng.IntN(len(w.replicas))
	if w.rng.IntN(10) == 0 {
		w.drop(i)
		return
	}
	if w.rng.IntN(2) == 0 {
		w.write(i)
		return
	}
	missing := w.missing(i)
	switch {
	case len(missing) > 0 && w.rng.IntN(10) > 0:
		w.deliver(i, pick(w.rng, missing))
	case len(w.has[i]) > 0:
		w.deliver(i, pick(w.rng, w.has[i]))
	}
}

// missing returns, of each author, the first change that replica i has not.
func (w *world) missing(i int) []*changelog.Change {
	var out []*changelog.Change
	for _, c := range w.changes {
		if c.Seq == w.replicas[i].seen[c.SID()]+1 && c.SID() != w.replicas[i].sid {
			out = append(out, c)
		}
	}
	return out
}

// drop settles some of the records of an entry at replica i.
func (w *world) drop(i int) {
	records := journal(w.t, w.replicas[i].state())
	if len(records) == 0 {
		return
	}
	c := &changelog.Change{Op: changelog.OpSettle, ID: pick(w.rng, records).Entry}
	for _, r := range records {
		if r.Entry == c.ID && (len(c.Records) == 0 || w.rng.IntN(2) == 0) {
			c.Records = append(c.Records, r.ID())
		}
	}
	w.publish(i, c)
}

func (w *world) write(i int) {
	p := w.profile
	names := w.shown(i)
	if len(names) == 0 {
		return
	}
	target := pick(w.rng, names)
	choice := w.rng.IntN(p.add + p.remove + p.rename + p.move + p.values + p.restore)
	switch {
	case choice < p.add:
		w.author(i, w.randomAdd(target))
	case choice < p.add+p.remove:
		w.author(i, dit.Operation{Op: changelog.OpDelete, DN: target})
	case choice < p.add+p.remove+p.rename:
		w.author(i, dit.Operation{Op: changelog.OpModDN, DN: target, NewRDN: w.rdn(), DeleteOldRDN: w.rng.IntN(3) > 0})
	case choice < p.add+p.remove+p.rename+p.move:
		w.author(i, dit.Operation{
			Op: changelog.OpModDN, DN: target, NewRDN: w.nameOrRDN(target), DeleteOldRDN: w.rng.IntN(2) > 0, NewSuperior: pick(w.rng, names),
		})
	case choice < p.add+p.remove+p.rename+p.move+p.values:
		w.author(i, dit.Operation{Op: changelog.OpModify, DN: target, Modifications: w.modifications()})
	default:
		w.publish(i, &changelog.Change{Op: changelog.OpModify, ID: pick(w.rng, w.changes).ID, Undelete: true})
	}
}

// shown returns the names of what replica i shows.
func (w *world) shown(i int) []dn.DN {
	var keys []string
	views := all(w.t, w.replicas[i].state(), w.ids)
	keys = slices.Sorted(maps.Keys(views))
	var out []dn.DN
	for _, k := range keys {
		out = append(out, parseDN(w.t, k))
	}
	return out
}

func (w *world) rdn() dn.RDN { return parseDN(w.t, pick(w.rng, w.profile.names))[0] }

func (w *world) nameOrRDN(target dn.DN) dn.RDN {
	if w.rng.IntN(3) > 0 {
		return target[0]
	}
	return w.rdn()
}

func (w *world) randomAdd(parent dn.DN) dit.Operation {
	rdn := w.rdn()
	op := dit.Operation{Op: changelog.OpAdd, DN: append(dn.DN{rdn}, parent...)}
	class := "inetOrgPerson"
	if strings.EqualFold(rdn[0].Attr, "ou") && w.rng.IntN(4) > 0 {
		class = "organizationalUnit"
	}
	op.Attrs = []dit.Attribute{{Name: "objectClass", Values: []string{class}}, {Name: "modifyTimestamp", Values: []string{w.timestamp()}}}
	if class == "inetOrgPerson" {
		op.Attrs = append(op.Attrs, dit.Attribute{Name: "cn", Values: []string{"c"}}, dit.Attribute{Name: "sn", Values: []string{"s", "t"}})
	}
	if w.rng.IntN(4) == 0 {
		op.Attrs = append(op.Attrs, dit.Attribute{Name: "userPassword", Values: []string{"x"}})
		op.Attrs[0].Values = append(op.Attrs[0].Values, "simpleSecurityObject")
	}
	return op
}

func (w *world) timestamp() string { return fmt.Sprintf("2026010100%04dZ", w.rng.IntN(6000)) }

var (
	modAttrs  = []string{"description", "seeAlso", "seeAlso", "employeeNumber", "jpegPhoto", "member", "sn", "userPassword", "objectClass", "modifyTimestamp", "uidNumber", "homeDirectory", "commonName", "DESCRIPTION", "cn", "unheardOf"}
	modValues = map[string][]string{
		"objectClass":     {"posixAccount", "organizationalUnit", "simpleSecurityObject", "inetOrgPerson", "ldapsyncConflict", "unknownClass"},
		"employeeNumber":  {"1", "2", "3"},
		"uidNumber":       {"1", "01", "2"},
		"modifyTimestamp": {"20260101000000Z", "20260101000001Z"},
		"seeAlso":         {"cn=a,ou=t,dc=x", "CN=A, ou=T,dc=x", "ou=p,ou=t,dc=x", "cn=b+sn=b,ou=p,ou=t,dc=x"},
		"member":          {"cn=a,dc=x", "CN=A, dc=x", "cn=b,dc=x"},
	}
)

func (w *world) modifications() []dit.Modification {
	attrs := modAttrs
	if w.profile.attrs != nil {
		attrs = w.profile.attrs
	}
	var out []dit.Modification
	for range 1 + w.rng.IntN(2) {
		m := dit.Modification{Op: dit.ModificationOp(w.rng.IntN(3)), Attr: pick(w.rng, attrs)}
		values := modValues[m.Attr]
		if values == nil {
			values = []string{"s", "t", "A", "a", "c", "x"}
		}
		for range w.rng.IntN(3) {
			if v := pick(w.rng, values); !slices.Contains(m.Values, v) {
				m.Values = append(m.Values, v)
			}
		}
		out = append(out, m)
	}
	return out
}

// settle delivers everything everywhere and checks that all are equal.
func (w *world) settle() {
	for i := range w.replicas {
		for missing := w.missing(i); len(missing) > 0; missing = w.missing(i) {
			w.deliver(i, pick(w.rng, missing))
		}
	}
	first := dump(w.replicas[0].kv)
	w.rebuild(w.replicas[0], first)
	for _, r := range w.replicas[1:] {
		if d := cmp.Diff(first, dump(r.kv)); d != "" {
			w.t.Fatalf("replicas differ:\n%s", d)
		}
	}
}
