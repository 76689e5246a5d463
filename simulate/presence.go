package simulate

import "ldapsync/replica"

// show lets presence show nd its role and the others as they are now, as far as
// it can.
func (nd *node) show() {
	if nd.rep == nil {
		return
	}
	nd.check("role", nd.rep.SetRole(nd.role))
	if nd.dead {
		nd.reap()
		return
	}
	nd.shown = append(nd.shown, make([]replica.Peer, len(nd.w.nodes)-len(nd.shown))...)
	for _, o := range nd.w.nodes {
		switch {
		case nd.away, o.away:
			nd.shown[o.i] = replica.Peer{}
		case o == nd || nd.w.cut[o.i][nd.i]:
		case o.rep == nil:
			nd.shown[o.i] = replica.Peer{}
		default:
			nd.shown[o.i] = nd.w.peer(o)
			if o.twin != nil {
				nd.shown[o.twin.i] = replica.Peer{}
			}
		}
	}
	peers := nd.w.peers[:0]
	for i := range nd.shown {
		if p := &nd.shown[i]; p.JID != "" {
			peers = append(peers, *p)
		}
	}
	nd.w.peers = peers
	nd.check("peers", nd.rep.SetPeers(peers))
	if !nd.dead && len(peers) > 0 && nd.rep.Identity().SID == 0 {
		nd.check("sid", nd.rep.TakeSID(nd.wants))
	}
	nd.reap()
}

// peer returns what presence shows of a server.
func (w *world) peer(of *node) replica.Peer {
	id := of.rep.Identity()
	return replica.Peer{
		JID: of.name, SID: id.SID, Install: id.Install, Role: of.role, State: of.rep.State(), Vector: of.vectorTold(),
		Schema: id.SchemaDigest, LastSeen: w.now,
	}
}
