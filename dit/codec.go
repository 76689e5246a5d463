package dit

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ldapsync/changelog"
)

// ErrDamaged is wrapped by the errors about stored bytes that this package has
// not written.
var ErrDamaged = errors.New("damaged state")

// A record is the node (see node.go) followed by the facts:
//
//	stamps   count, then per stamp its CSN (time as a difference, count, sid),
//	         sequence number, length and bytes of seen
//	life     references to created, deleted, undeleted; where it was deleted, the
//	         name of the newest deletion
//	edges    count, then reference and parent of each
//	names    count, then reference*2+deleteOld and RDN of each
//	attrs    count, then name, reference of clear and values of each
//	values   count*2, the reference that the first addition has, then per value
//	         length*2+x and octets and, where x is 1, its references of addition
//	         and removal; where x is 0 the addition is as the first, without removal
//	         or, for a spilled attribute, count*2+1 and the newest CSN
//	settled  count, then key and CSN of each
//
// All numbers are uvarints, references are 1 + the place of a stamp, 0 is none.
// Equal facts give equal bytes.

// appendFacts appends the facts of e, those of spilled attributes left out.
func (e *entry) appendFacts(b []byte) []byte {
	stamps := e.stamps()
	b = binary.AppendUvarint(b, uint64(len(stamps)))
	var last int64
	for _, s := range stamps {
		b = binary.AppendVarint(b, s.csn.Time-last)
		b = s.appendRest(b)
		last = s.csn.Time
	}
	b = appendRef(b, e.created)
	b = appendRef(b, e.deleted)
	b = appendRef(b, e.undeleted)
	if e.deleted != nil {
		b = appendText(b, e.lastDN)
	}
	b = binary.AppendUvarint(b, uint64(len(e.edges)))
	for _, g := range e.edges {
		b = append(appendRef(b, g.at), g.parent[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(e.names)))
	for _, n := range e.names {
		b = binary.AppendUvarint(b, ref(n.at)<<1|bit(n.deleteOld))
		b = appendText(b, n.rdn)
	}
	b = binary.AppendUvarint(b, uint64(len(e.attrs)))
	for _, a := range e.attrs {
		b = a.append(b)
	}
	return e.appendSettled(b)
}

func (a *attribute) append(b []byte) []byte {
	b = appendRef(appendText(b, a.name), a.clear)
	if a.spill != nil {
		b = binary.AppendUvarint(b, uint64(a.spill.count)<<1|1)
		return appendCSN(b, a.spill.newest)
	}
	b = binary.AppendUvarint(b, uint64(len(a.values))<<1)
	if len(a.values) == 0 {
		return b
	}
	common := a.values[0].add
	b = appendRef(b, common)
	for _, v := range a.values {
		odd := v.add != common || v.del != nil
		b = binary.AppendUvarint(b, uint64(len(v.raw))<<1|bit(odd))
		b = append(b, v.raw...)
		if odd {
			b = appendRef(appendRef(b, v.add), v.del)
		}
	}
	return b
}

// appendRest appends what a stamp holds besides its time.
func (s *stamp) appendRest(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.csn.Count))
	b = binary.AppendUvarint(b, uint64(s.csn.SID))
	b = binary.AppendUvarint(b, s.seq)
	return appendText(b, s.seen)
}

func appendCSN(b []byte, c changelog.CSN) []byte {
	b = binary.AppendVarint(b, c.Time)
	b = binary.AppendUvarint(b, uint64(c.Count))
	return binary.AppendUvarint(b, uint64(c.SID))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func ref(s *stamp) uint64 {
	if s == nil {
		return 0
	}
	return uint64(s.index) + 1
}

func appendRef(b []byte, s *stamp) []byte { return binary.AppendUvarint(b, ref(s)) }

func bit(set bool) uint64 {
	if set {
		return 1
	}
	return 0
}

// readFacts fills e with the facts of a record. It returns an error that wraps
// ErrDamaged unless they are as appendFacts would write them.
func (e *entry) readFacts(facts string) error {
	r := &reader{rest: facts}
	r.stamps()
	e.stamped = len(r.table)
	e.created, e.deleted, e.undeleted = r.ref(), r.ref(), r.ref()
	if e.deleted != nil {
		e.lastDN = r.text()
	}
	e.edges = make([]edge, r.count(17))
	for i := range e.edges {
		e.edges[i] = edge{r.ref(), r.id()}
		r.check(e.edges[i].at != nil && (i == 0 || e.edges[i-1].at.before(e.edges[i].at)), "order of parents")
	}
	e.names = make([]naming, r.count(2))
	for i := range e.names {
		v := r.uvarint()
		e.names[i] = naming{r.stamp(v >> 1), r.text(), v&1 == 1}
		r.check(e.names[i].at != nil && (i == 0 || e.names[i-1].at.before(e.names[i].at)), "order of names")
	}
	e.attrs = make([]*attribute, r.count(3))
	block := make([]attribute, len(e.attrs))
	for i := range e.attrs {
		e.attrs[i] = &block[i]
		r.attribute(&block[i])
		r.check(i == 0 || block[i-1].name < block[i].name, "order of attributes")
	}
	e.settled = r.settled()
	r.check(r.rest == "", "trailing bytes")
	r.check(e.created == nil || len(e.edges) > 0 && len(e.names) > 0, "creation without name")
	if r.err != nil {
		return fmt.Errorf("entry %s: %w", e.id, r.err)
	}
	return nil
}

// reader reads the parts of a record from a string. After the first error it
// yields zero values.
type reader struct {
	rest  string
	table []stamp
	// room is memory for values.
	room []value
	err  error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, what)
	}
	r.rest = ""
}

func (r *reader) check(ok bool, what string) {
	if !ok && r.err == nil {
		r.fail(what)
	}
}

func (r *reader) uvarint() uint64 {
	if r.rest != "" && r.rest[0] < 0x80 { // as a rule
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	v, n := uvarint(r.rest)
	if n == 0 {
		r.fail("number")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// count reads the number of things of which each takes min bytes or more.
func (r *reader) count(min int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/min) {
		r.fail("count")
		return 0
	}
	return int(n)
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.fail("length")
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) text() string { return r.take(r.uvarint()) }

func (r *reader) id() (id ID) {
	copy(id[:], r.take(uint64(len(id))))
	return id
}

func (r *reader) csn() changelog.CSN { return r.csnAt(r.varint()) }

func (r *reader) csnAt(time int64) changelog.CSN {
	count, sid := r.uvarint(), r.uvarint()
	if count >= 1<<24 || sid > uint64(changelog.MaxSID) {
		r.fail("CSN")
		return changelog.CSN{}
	}
	return changelog.CSN{Time: time, Count: uint32(count), SID: changelog.SID(sid)}
}

// stampAt reads what follows the time of a stamp.
func (r *reader) stampAt(time int64) stamp {
	s := stamp{csn: r.csnAt(time), seq: r.uvarint(), seen: r.text()}
	for rest := (reader{rest: s.seen}); rest.rest != "" && r.err == nil; {
		rest.uvarint()
		rest.uvarint()
		r.check(rest.err == nil, "seen")
	}
	return s
}

func (r *reader) stamps() {
	r.table = make([]stamp, r.count(5))
	var last int64
	for i := range r.table {
		last += r.varint()
		r.table[i] = r.stampAt(last)
		r.table[i].index = i
		r.check(i == 0 || r.table[i-1].csn.Before(r.table[i].csn), "order of stamps")
	}
}

func (r *reader) ref() *stamp { return r.stamp(r.uvarint()) }

func (r *reader) stamp(ref uint64) *stamp {
	if ref > uint64(len(r.table)) {
		r.fail("reference")
	}
	if ref == 0 || r.err != nil {
		return nil
	}
	return &r.table[ref-1]
}

func (r *reader) attribute(a *attribute) {
	a.name = r.text()
	a.clear = r.ref()
	if r.rest == "" {
		r.fail("values")
		return
	}
	if r.rest[0]&1 == 1 {
		a.spill = &spill{count: int(r.uvarint() >> 1), newest: r.csn(), cleared: a.clear}
		r.check(a.spill.count > 0, "spilled count")
		return
	}
	n := r.uvarint() >> 1
	if n == 0 {
		r.check(a.clear != nil, "attribute without facts")
		return
	}
	common := r.ref()
	if n > uint64(len(r.rest)) {
		r.fail("count")
		return
	}
	if n > uint64(len(r.room)) {
		r.room = make([]value, max(n, 8))
	}
	a.values, r.room = r.room[:n:n], r.room[n:]
	for i := range a.values {
		size := r.uvarint()
		v := value{raw: r.take(size >> 1), add: common}
		if size&1 == 1 {
			v.add, v.del = r.ref(), r.ref()
		}
		r.check(v.add != nil || v.del != nil, "value without facts")
		r.check(i == 0 || a.values[i-1].raw < v.raw, "order of values")
		a.values[i] = v
	}
}
