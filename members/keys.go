package members

import (
	"encoding/binary"
	"errors"

	"ldapsync/changelog"
)

var errKey = errors.New("damaged key")

func key(kind byte, sid changelog.SID) []byte {
	return binary.BigEndian.AppendUint16([]byte{kind}, uint16(sid))
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
