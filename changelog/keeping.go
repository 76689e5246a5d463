package changelog

import (
	"cmp"
	"slices"
	"strings"
)

// checkKeeping says what is wrong with the fields by which servers keep the log
// in order, "" when nothing is.
func (c *Change) checkKeeping() string {
	switch {
	case c.Op != OpHeartbeat && c.JID+c.Install != "":
		return "a JID or an install id"
	case c.Op != OpHeartbeat && len(c.Except) > 0 || len(c.Except) > MaxExcept:
		return "exceptions out of place or too many"
	case !ascending(c.Except):
		return "exceptions out of order"
	case (c.JID == "") != (c.Install == ""):
		return "a JID or an install id alone"
	case len(c.JID) > MaxJID || len(c.Install) > MaxInstall:
		return "a JID or an install id that is too long"
	case (c.Op == OpForget) != (c.Peer != 0) || c.Peer > MaxSID:
		return "a peer out of place or range"
	case c.Op == OpForget && c.Peer == c.SID():
		return "itself as the peer"
	case (c.Op == OpSettle) != (len(c.Records) > 0) || len(c.Records) > MaxRecords:
		return "records out of place, none or too many"
	case !c.Op.Alters() && (c.RDN != "" || c.DeleteOldRDN || c.Moved || c.Undelete || !c.Superior.IsZero()):
		return "what belongs to an operation on an entry"
	case (c.Op == OpHeartbeat || c.Op == OpForget) && (!c.ID.IsZero() || c.DN != ""):
		return "an entry"
	}
	for _, id := range c.Records {
		if id == "" || len(id) > MaxRecordID || strings.ContainsFunc(id, notHex) {
			return "a record id that is none"
		}
	}
	return ""
}

// ascending reports whether ids are in order, none twice.
func ascending(ids []ID) bool {
	return slices.IsSortedFunc(ids, func(a, b ID) int { return cmp.Or(a.Compare(b), -1) })
}

func notHex(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }
