package dit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// node is what is derived of an entry and must be known without reading its
// facts. It stands before them in the record.
type node struct {
	// known is true of every entry of which there are facts.
	known bool
	// created says that the entry's creation has arrived, live that it is not
	// deleted, container that it may be merged with others of its name.
	created, live, container bool
	// placed says that the entry is to be shown, for itself or as glue, as far
	// as it and what is below it decide. It may yet be withheld for its superiors.
	placed bool
	// edged says that parent is known: the parent in force.
	edged  bool
	parent ID
}

const (
	recordVersion = 1
	nodeSize      = 2 + len(ID{})
)

func (n node) append(b []byte) []byte {
	flags := bit(n.created) | bit(n.live)<<1 | bit(n.container)<<2 | bit(n.placed)<<3 | bit(n.edged)<<4 | bit(n.known)<<5
	return append(append(b, recordVersion, byte(flags)), n.parent[:]...)
}

// readNode reads the node at the start of a record.
func readNode(record []byte) (n node, err error) {
	if len(record) < nodeSize || record[0] != recordVersion || record[1]>>5 != 1 {
		return node{}, fmt.Errorf("%w: start of record", ErrDamaged)
	}
	is := func(i int) bool { return record[1]>>i&1 == 1 }
	n = node{created: is(0), live: is(1), container: is(2), placed: is(3), edged: is(4), known: is(5)}
	copy(n.parent[:], record[2:])
	return n, nil
}

// The first bytes of keys say what stands there.
const (
	keyEntry   = 'e' // id: record
	keyValue   = 'v' // id, attribute, normal form: one value of a spilled attribute
	keySpill   = 's' // id, attribute: what is derived of a spilled attribute
	keyName    = 'n' // parent, normal RDN, id: a placed entry below the parent in force
	keyOther   = 'o' // parent, id: an entry that was ever given this parent, unless under keyName
	keyMove    = 'm' // CSN, id: a move; new parent and whether it is skipped
	keyGap     = 'g' // id: an entry whose creation is missing though something waits for it
	keyJournal = 'j' // id, 0 or 1 and attribute, record: kind and time; 1 is of values of that attribute, spilled
	keyKind    = 'k' // kind, inverted time, id, record: the records of one kind, newest first
	keyRecord  = 'r' // record, id
	keyTomb    = 'd' // digest of name, id: an entry that was ever deleted under that name
	keyDeath   = 'D' // inverted time of deletion, id: an entry that was ever deleted, newest first
	keyRefer   = 'R' // digest of name, id: an entry that was ever given the name as a value
	keyPair    = 'p' // id, id: the first was ever given the name under which the second was deleted
	keyUnique  = 'u' // attribute, normal form, id: an entry that was ever given the value, which is to be unique
	keyDue     = 'f' // id: when to see what of it can be forgotten
	keyQueue   = 'F' // time, id: the same, by time
	keyDoomed  = 'U' // id: a deleted entry and what was stored when it was found to be needed by nothing
	keyForgets = 'G' // how often something was forgotten
	keyTotals  = 't' // digest and counts
	keyKinds   = 'c' // how many records there are of each kind
)

// Bookkeeping reports whether what stands under a key only says when something
// can be forgotten, or how often it was: states that know the same may differ in it.
func Bookkeeping(key []byte) bool {
	switch key[0] {
	case keyDue, keyQueue, keyDoomed, keyForgets:
		return true
	}
	return false
}

func idKey(kind byte, ids ...ID) []byte {
	k := make([]byte, 1, 1+len(ids)*len(ID{}))
	k[0] = kind
	for _, id := range ids {
		k = append(k, id[:]...)
	}
	return k
}

// longKey is the length from which texts are shortened in keys.
const longKey = 256

// appendKeyText appends text so that no text's form begins with another's.
// Long ones keep their beginning and end in their digest.
func appendKeyText(k []byte, text string) []byte {
	if len(text) >= longKey {
		sum := sha256.Sum256([]byte(text))
		text = text[:longKey-len(sum)] + string(sum[:])
	}
	return append(binary.BigEndian.AppendUint16(k, uint16(len(text))), text...)
}

// nameKey returns the prefix of the keys of the entries called rdn (in normal
// form) below parent, with room for the id of one.
func nameKey(parent ID, rdn string) []byte {
	k := make([]byte, 1, 1+len(parent)+2+min(len(rdn), longKey)+len(ID{}))
	k[0] = keyName
	return appendKeyText(append(k, parent[:]...), rdn)
}

// lastID returns the id at the end of a key.
func lastID(key []byte) (id ID) {
	copy(id[:], key[len(key)-len(id):])
	return id
}
