package members

import (
	"ldapsync/changelog"
	"ldapsync/lookup"
	"ldapsync/octets"
)

// said is what the stored form of a heartbeat says; it is not changed.
type said struct {
	csn    changelog.CSN
	seen   changelog.Seqs
	except []changelog.ID
}

// recent are heartbeats that were read lately: few are, again and again.
var recent lookup.Recent[said]

// readBeat reads a heartbeat. Its Seen and Except are shared and must not be
// changed.
func readBeat(k, raw []byte) (h Heartbeat, err error) {
	if h.Seq, err = seqOf(k); err != nil {
		return h, err
	}
	s, known := recent.GetBytes(raw)
	if !known {
		r := octets.NewReader(raw)
		s = said{csn: changelog.ReadCSN(r), seen: changelog.ReadSeqs(r)}
		if r.Done() != nil {
			s.except = changelog.ReadIDs(r)
		}
		if err := r.Done(); err != nil {
			return h, err
		}
		recent.PutBytes(raw, s)
	}
	h.CSN, h.Seen, h.Except = s.csn, s.seen, s.except
	return h, nil
}
