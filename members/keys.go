package members

import (
	"encoding/binary"
	"errors"
	"math"

	"ldapsync/changelog"
)

var errKey = errors.New("damaged key")

func key(kind byte, sid changelog.SID) []byte {
	return binary.BigEndian.AppendUint16([]byte{kind}, uint16(sid))
}

// key is the function of that name, valid until the next call.
func (t *Table) key(kind byte, sid changelog.SID) []byte {
	t.at[0] = kind
	binary.BigEndian.PutUint16(t.at[1:], uint16(sid))
	return t.at[:]
}

func beatKey(sid changelog.SID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(key(keyBeat, sid), seq)
}

// sidOf reads the sid at a place of a key.
func sidOf(k []byte, at int) (changelog.SID, error) {
	if len(k) < at+2 {
		return 0, errKey
	}
	return changelog.SID(binary.BigEndian.Uint16(k[at:])), nil
}

// seqOf reads the seq at the end of the key of a heartbeat.
func seqOf(k []byte) (uint64, error) {
	if len(k) != 11 {
		return 0, errKey
	}
	return binary.BigEndian.Uint64(k[3:]), nil
}

// all returns what stands under the keys with a prefix; valid until the next call
// and the next write.
func (t *Table) all(prefix []byte) []changelog.Pair { return t.pairs.Under(t.b, prefix, math.MaxInt) }
