package changelog

import "strings"

// checkKeeping says what is wrong with the fields by which servers keep the log
// in order, "" when nothing is.
func (c *Change) checkKeeping() string {
	switch {
	case c.Op != OpHeartbeat && c.JID+c.Install != "":
		return "a JID or an install id"
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

func notHex(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }
