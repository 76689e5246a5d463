package muc

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
)

// maxName is the length of the longest readable room name. Prosody's file
// storage names a file after the room, three bytes for each that is not a
// letter or digit, and a file name ends at 255.
const maxName = 240

// LocalPart is the room's name for a suffix: the normalised DN itself, escaped
// (XEP-0106), where every XMPP server takes it unchanged, else "dn-" and 26
// characters of the DN's SHA-256. The same DN has the same name everywhere.
func LocalPart(normalisedDN string) string {
	local := xmpp.EscapeLocal(normalisedDN)
	if local != "" && fits(local) && stable(local) {
		return local
	}
	digest := sha256.Sum256([]byte(normalisedDN))
	return "dn-" + strings.ToLower(base32.StdEncoding.EncodeToString(digest[:]))[:26]
}

func fits(local string) bool {
	size := 0
	for i := range len(local) {
		size++
		if c := local[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			size += 2
		}
	}
	return size <= maxName
}

// stable reports whether a localpart is legal and means itself under both
// PRECIS (RFC 7622) and the older Nodeprep (RFC 6122), which differ outside of
// ASCII: Nodeprep turns "ß" into "ss", refuses letters younger than Unicode 3.2
// and mixed directions.
func stable(local string) bool {
	for _, r := range local {
		if r > '~' && !settled(r) {
			return false
		}
	}
	j, err := jid.New(local, "example.org", "")
	return err == nil && j.Localpart() == local
}

// settled reports whether a character beyond ASCII belongs to the letters that
// both profiles leave alone. Composed forms and case are jid's to check.
func settled(r rune) bool {
	switch {
	case r == 'ß', r == 'ŉ', r == 'ǰ', r == 'ſ', r == 'ΐ', r == 'ΰ', r == 'ς':
		return false
	case r >= 'à' && r <= 'ȟ', // Latin
		r >= 'ά' && r <= 'ώ',                       // Greek
		r >= 'а' && r <= 'џ',                       // Cyrillic
		r >= 'ぁ' && r <= 'ゔ', r >= 'ァ' && r <= 'ヺ', // Kana
		r >= '一' && r <= '龥', // Han
		r >= '가' && r <= '힣': // Hangul
		return true
	}
	return false
}
