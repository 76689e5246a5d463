package simulate

import (
	"context"
	"errors"
	"fmt"

	"ldapsync/changelog"
	"ldapsync/directory"
	"ldapsync/dit"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/schema"
)

// server is a node's directory as its replica sees it.
type server node

var errBroken = fmt.Errorf("%w: connection lost", directory.ErrUnavailable)

// Watch implements directory.Directory; the simulator itself uses searches.
func (s *server) Watch(ctx context.Context, cookie []byte, report func(directory.Event) error) error {
	return s.server.Watch(ctx, cookie, report)
}

// Apply implements directory.Directory.
func (s *server) Apply(ctx context.Context, writes []directory.Write) ([]changelog.CSN, error) {
	nd := (*node)(s)
	if nd.dead {
		return nil, errDied
	}
	if nd.meddle {
		nd.meddle = false
		nd.clientAtRandom()
	}
	if fn := nd.between; fn != nil {
		nd.between = nil
		fn()
	}
	f := nd.next
	nd.next = noFault
	made := writes
	if f != noFault {
		made = writes[:nd.w.rng.IntN(len(writes)+1)]
	}
	clear(nd.watched.batch)
	before := map[changelog.ID]snapshot{}
	traces := nd.traces.of(nd, made)
	for _, w := range made {
		if f != noFault || nd.fuse > 0 {
			before[w.ID] = nd.snapshot(w.ID)
		}
	}
	clear(nd.watched.batch)
	csns, err := s.server.Apply(ctx, made)
	for _, w := range made {
		nd.w.traceWrite(nd, w)
	}
	var blamed *directory.WriteError
	if errors.As(err, &blamed) {
		nd.w.tracef("%d   refused: %v", nd.i+1, err)
		made = made[:blamed.Index]
		if !blamed.Kept {
			made = nil
		}
	}
	nd.watched.applied(made)
	nd.traces.applied(nd, traces)
	for _, w := range made {
		nd.sees(w.ID)
	}
	for _, w := range made {
		if b, ok := before[w.ID]; ok {
			nd.watched.batch[w.ID] = turn{b, nd.snapshot(w.ID)}
		}
	}
	if f != noFault {
		if f != lostKnown || len(csns) == 0 {
			csns = nil
		} else {
			csns = csns[:len(made)-1]
		}
		return nd.told(csns), nd.breakOff(f, len(made))
	}
	return nd.told(csns), err
}

// told returns what the answers to writes tell of entryCSNs: nothing in every
// eighth history, as of a server that has no post-read control.
func (nd *node) told(csns []changelog.CSN) []changelog.CSN {
	if !nd.w.tells() {
		clear(csns)
	}
	return csns
}

// breakOff loses the connection to the directory after it has made n writes.
func (nd *node) breakOff(f fault, n int) error {
	nd.w.stats.Unknown++
	nd.watched.doubt()
	nd.w.tracef("%d   connection lost after %d writes", nd.i+1, n)
	if nd.w.oneIn(2) {
		nd.endWatch(errBroken)
	}
	if f == lostKnown {
		return &directory.WriteError{Index: max(n-1, 0), Kept: true, Err: errBroken}
	}
	return errBroken
}

// Read implements directory.Directory.
func (s *server) Read(ctx context.Context, ids []changelog.ID) ([]directory.Entry, error) {
	if s.dead {
		return nil, errDied
	}
	return s.server.Read(ctx, ids)
}

// Schema implements directory.Directory.
func (s *server) Schema(ctx context.Context) (*schema.Schema, error) { return s.server.Schema(ctx) }

// network is the room as a node's replica sees it.
type network node

// Publish implements replica.Network.
func (n *network) Publish(_ context.Context, changes []changelog.Change) (uint64, error) {
	nd := (*node)(n)
	w := nd.w
	if nd.dead {
		return 0, errDied
	}
	if nd.alone() || w.faulty() && w.oneIn(10) {
		return 0, replica.ErrOffline
	}
	if !nd.looked {
		return 0, replica.ErrUnread
	}
	nd.says()
	last := changes[len(changes)-1].Seq
	if w.faulty() && len(changes) > 1 && w.oneIn(5) {
		changes = changes[:1+w.rng.IntN(len(changes)-1)]
	}
	for _, o := range w.nodes {
		if o == nd || w.severed(nd, o) {
			continue
		}
		copies := 1
		if w.faulty() {
			copies = []int{0, 1, 1, 1, 1, 1, 2}[w.rng.IntN(7)]
		}
		for range copies {
			w.wire = append(w.wire, packet{from: nd.i, to: o.i, sid: nd.sid(), changes: changes})
		}
	}
	end := changes[len(changes)-1]
	w.last[nodeKey{nd.name, nd.sid()}] = changelog.Mark{Seq: end.Seq, CSN: end.CSN}
	w.tracef("%d publishes up to %d", nd.i+1, end.Seq)
	if w.faulty() && w.oneIn(10) {
		return 0, replica.ErrOffline
	}
	if reached := changes[len(changes)-1].Seq; reached < last {
		return reached, replica.ErrOffline
	}
	return last, nil
}

// says has what nd made looked at before others get it, if it is one of two copies or
// has an old state file: once it finds out, it is looked at no more.
func (nd *node) says() {
	if nd.copied || nd.aged {
		nd.w.inspect()
	}
}

// LastPublished implements replica.Network. What was published last outlives
// everything.
func (n *network) LastPublished(context.Context) (changelog.Mark, error) {
	nd := (*node)(n)
	if nd.dead {
		return changelog.Mark{}, errDied
	}
	if nd.alone() {
		return changelog.Mark{}, replica.ErrOffline
	}
	nd.looked = true
	return nd.w.last[nodeKey{nd.name, nd.sid()}], nil
}

// Pull implements replica.Network.
func (n *network) Pull(_ context.Context, address string, have changelog.Seqs) ([]changelog.Change, bool, error) {
	nd := (*node)(n)
	if nd.dead {
		return nil, false, errDied
	}
	for _, o := range nd.w.nodes {
		if o.name != address || o.away {
			continue
		}
		if o.rep == nil || nd.w.severed(nd, o) || nd.w.severed(o, nd) {
			return nil, false, replica.ErrOffline
		}
		if gone, err := o.rep.RemovedAt(nd.name, nd.sid()); err != nil {
			return nil, false, err
		} else if gone != nil {
			return nil, false, gone
		}
		o.says()
		changes, more, err := o.rep.Serve(have, 0)
		if err == nil && nd.w.faulty() && len(changes) > 1 && nd.w.oneIn(4) {
			changes, more = changes[:1+nd.w.rng.IntN(len(changes)-1)], true
		}
		nd.w.tracef("%d pulls from %d: %d changes, more %v, %v", nd.i+1, o.i+1, len(changes), more, err)
		return changes, more, err
	}
	return nil, false, replica.ErrOffline
}

// Snapshot implements replica.Network.
func (n *network) Snapshot(_ context.Context, address string, after *dit.Mark) (replica.StatePage, error) {
	nd := (*node)(n)
	if nd.dead {
		return replica.StatePage{}, errDied
	}
	for _, o := range nd.w.nodes {
		if o.name != address || o.away {
			continue
		}
		if o.rep == nil || nd.w.severed(nd, o) || nd.w.severed(o, nd) {
			return replica.StatePage{}, replica.ErrOffline
		}
		page, err := o.rep.ServeSnapshot(after, 1+nd.w.rng.IntN(nd.w.page))
		nd.w.tracef("%d takes the state of %d: %d records, more %v, %v", nd.i+1, o.i+1, len(page.Records), page.More, err)
		if err != nil {
			err = fmt.Errorf("%w: %w", replica.ErrOffline, err) // the other says no, and is asked again later
		}
		nd.filled = o.vectorNow()
		return page, err
	}
	return replica.StatePage{}, replica.ErrOffline
}

// alone reports whether nothing of nd reaches anybody.
func (nd *node) alone() bool {
	for _, o := range nd.w.nodes {
		if o != nd && !nd.w.severed(nd, o) {
			return false
		}
	}
	return true
}

// deliver lets a packet arrive.
func (w *world) deliver(p packet) {
	nd, from := w.nodes[p.to], w.nodes[p.from]
	if nd.rep == nil || nd.away || w.cut[p.from][p.to] {
		return
	}
	var role roles.Role
	if from.i < len(nd.shown) {
		role = nd.shown[from.i].Role
	}
	got, err := nd.rep.Receive(replica.Delivery{Relay: p.sid, RelayRole: role, Changes: p.changes})
	nd.check("receive", err)
	w.tracef("%d receives from %d: %+v", nd.i+1, from.i+1, got)
	nd.reap()
}
