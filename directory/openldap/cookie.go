package openldap

import (
	"maps"
	"slices"
	"strings"

	"ldapsync/changelog"
)

// cookie is how far a search has come: the newest CSN per serverID, as in
// contextCSN. slapd's own text form also names a rid and a sid; ours leaves out
// the sid, because slapd would not report what came from the server it names.
type cookie map[changelog.SID]changelog.CSN

// parseCookie reads the CSNs of "rid=000,sid=001,csn=CSN;CSN,delcsn=CSN". It
// returns nil for anything else, and for a cookie without CSNs.
func parseCookie(text []byte) cookie {
	c := cookie{}
	for field := range strings.SplitSeq(string(text), ",") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "rid", "sid", "delcsn":
		case "csn":
			if !c.add(value) {
				return nil
			}
		default:
			return nil
		}
	}
	if len(c) == 0 {
		return nil
	}
	return c
}

// add adds CSNs separated by semicolons.
func (c cookie) add(csns string) bool {
	for text := range strings.SplitSeq(csns, ";") {
		csn, err := changelog.ParseCSN(text)
		if err != nil {
			return false
		}
		c[csn.SID] = csn
	}
	return true
}

// advance adds what is newer in other.
func (c cookie) advance(other cookie) {
	for sid, csn := range other {
		if old, ok := c[sid]; !ok || old.Before(csn) {
			c[sid] = csn
		}
	}
}

// bytes returns the text form; nil for no CSNs.
func (c cookie) bytes() []byte {
	if len(c) == 0 {
		return nil
	}
	var csns []string
	for _, sid := range slices.Sorted(maps.Keys(c)) {
		csns = append(csns, c[sid].String())
	}
	return []byte("rid=000,csn=" + strings.Join(csns, ";"))
}
