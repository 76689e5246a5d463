package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"mellium.im/xmpp/jid"

	"ldapsync/changelog"
	"ldapsync/muc"
	"ldapsync/protocol"
	"ldapsync/pubsub"
	"ldapsync/replica"
	"ldapsync/roles"
	"ldapsync/xmpp"
)

// link joins one replica to its room: it is the replica's Network, tells the
// room how far the replica reaches, and hands it what the room says.
type link struct {
	client *xmpp.Client
	// room is nil until the room service is known.
	room    atomic.Pointer[muc.Room]
	nick    string
	rooms   jid.JID
	suffix  string
	version string
	// service is the pubsub service wanted, the zero JID to find one.
	service   jid.JID
	heartbeat time.Duration
	sid       changelog.SID
	log       *slog.Logger
	replica   *replica.Replica
	// trial says that the room is only looked at.
	trial bool

	events *queue
	// occupants is raised when the room changes, online at every new session.
	occupants chan struct{}

	mu   sync.Mutex
	node *pubsub.Node
	// read is the node of which it is known what was published last.
	read       *pubsub.Node
	admitted   map[string]bool
	subscribed map[string]bool
}

// listen begins to take in what the nodes say. It is called before the client
// connects, since the XMPP server then delivers at once what it has kept.
func (l *link) listen() {
	pubsub.Events(l.client, func(e pubsub.Event) bool {
		ours := pubsub.IsNodeOf(l.suffix, e.Node)
		if ours {
			l.events.put(e)
		}
		return ours
	})
	l.client.OnOnline(func(context.Context) { l.newSession() })
}

// newSession forgets what has to be done once per session.
func (l *link) newSession() {
	l.mu.Lock()
	clear(l.subscribed)
	clear(l.admitted)
	l.node, l.read = nil, nil
	l.mu.Unlock()
	l.replica.NewSession()
	l.nudge()
}

func (l *link) nudge() {
	select {
	case l.occupants <- struct{}{}:
	default:
	}
}

// run works until ctx ends, or returns what no retry can mend.
func (l *link) run(ctx context.Context) error {
	if err := l.discover(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.room.Load().Run(ctx) })
	g.Go(func() error { l.follow(ctx); return nil })
	g.Go(func() error { l.announce(ctx); return nil })
	g.Go(func() error { l.receive(ctx); return nil })
	return g.Wait()
}

// follow keeps up with the room: our role, the other servers, our node, and
// our subscriptions to theirs.
func (l *link) follow(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if err := l.keepUp(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, xmpp.ErrOffline) {
			l.log.Warn("keep up with the room", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.occupants:
		case <-tick.C:
		}
	}
}

func (l *link) keepUp(ctx context.Context) error {
	self, joined := l.room.Load().Self()
	if !joined {
		return l.replica.SetPeers(nil)
	}
	if err := l.replica.SetRole(roles.FromAffiliation(self.Affiliation)); err != nil {
		return err
	}
	peers := l.peers()
	if err := l.replica.SetPeers(peers); err != nil {
		return err
	}
	if l.trial {
		return nil
	}
	if err := l.settleIn(ctx, self); err != nil {
		return err
	}
	speaks, err := l.replica.Speaks()
	if err != nil {
		return err
	}
	if speaks && l.replica.Fault() == "" {
		if err := l.ensureNode(ctx); err != nil {
			return fmt.Errorf("own node: %w", err)
		}
	}
	return errors.Join(l.admitAll(ctx, peers), l.subscribeAll(ctx))
}

// settleIn gives a new server its number, and finds out whether it is the
// first of its room.
func (l *link) settleIn(ctx context.Context, self muc.Occupant) error {
	if l.replica.Identity().SID == 0 {
		if err := l.replica.TakeSID(l.sid); err != nil {
			return err
		}
	}
	if l.replica.Identity().Joined || self.Affiliation != "owner" {
		return nil
	}
	if !l.room.Load().Created() {
		alone, err := l.alone(ctx)
		if err != nil || !alone {
			return err
		}
	}
	if err := l.clearNode(ctx); err != nil {
		return err
	}
	return l.replica.Found()
}

// alone reports whether no other server belongs to the room.
func (l *link) alone(ctx context.Context) (bool, error) {
	list, err := l.room.Load().Affiliations(ctx)
	if err != nil {
		return false, fmt.Errorf("read the room's members: %w", err)
	}
	for address, affiliation := range list {
		if roles.FromAffiliation(affiliation) != roles.None && address != l.client.Addr().Bare().String() {
			return false, nil
		}
	}
	return true, nil
}

// peers returns the servers among the occupants: those whose presence carries
// a replica, and whose real address the room shows.
func (l *link) peers() []replica.Peer {
	var out []replica.Peer
	for _, o := range l.room.Load().Occupants() {
		if o.Self || o.Payload == nil || o.JID.Equal(jid.JID{}) {
			continue
		}
		p, err := protocol.ParseReplica(o.Payload)
		if err != nil {
			l.replica.Reject()
			l.log.Debug("presence is not as specified", "from", o.JID, "error", err)
			continue
		}
		out = append(out, replica.Peer{
			JID: o.JID.String(), SID: p.SID, Install: p.Install, State: p.State, Vector: p.Vector, Schema: p.Schema,
			Role: roles.FromAffiliation(o.Affiliation), LastSeen: time.Now(),
			Service: p.Service, Node: p.Node,
		})
	}
	return out
}

// ensureNode creates our node, once per session.
func (l *link) ensureNode(ctx context.Context) error {
	l.mu.Lock()
	have := l.node != nil && l.node.Current()
	l.mu.Unlock()
	if have {
		return nil
	}
	node, err := l.locate(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.node = node
	l.mu.Unlock()
	l.log.Info("publishing", "service", node.Service(), "node", node.Name())
	for _, d := range node.Ignored() {
		l.log.Debug("setting not taken by the service", "setting", d.String())
	}
	l.present()
	return nil
}

func (l *link) locate(ctx context.Context) (*pubsub.Node, error) {
	name := pubsub.NodeName(uint16(l.replica.Identity().SID), l.suffix)
	return pubsub.Locate(ctx, l.client, l.service, name, "Changes of "+l.suffix)
}

func (l *link) ownNode() *pubsub.Node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.node
}

// admitAll lets every server of the room subscribe to our node.
func (l *link) admitAll(ctx context.Context, peers []replica.Peer) error {
	node := l.ownNode()
	if node == nil {
		return nil
	}
	var errs []error
	for _, p := range peers {
		address, err := jid.Parse(p.JID)
		if err != nil || l.marked(l.admitted, p.JID) {
			continue
		}
		if err := node.Admit(ctx, address.Bare()); err != nil {
			errs = append(errs, fmt.Errorf("admit %s to our node: %w", address.Bare(), err))
			continue
		}
		l.mark(l.admitted, p.JID)
	}
	return errors.Join(errs...)
}

// subscribeAll subscribes to the nodes that the other servers announce. One
// that has not admitted us yet is tried again.
func (l *link) subscribeAll(ctx context.Context) error {
	for _, p := range l.replica.Peers() {
		key := p.Service + "\x00" + p.Node
		if p.Node == "" || l.marked(l.subscribed, key) {
			continue
		}
		service, err := jid.Parse(p.Service)
		if err != nil {
			continue
		}
		switch err := pubsub.Subscribe(ctx, l.client, service, p.Node); {
		case err == nil:
			l.mark(l.subscribed, key)
		case errors.Is(err, xmpp.ErrOffline):
			return err
		default:
			l.log.Debug("subscribe will be tried again", "node", p.Node, "service", p.Service, "error", err)
		}
	}
	return nil
}

func (l *link) marked(set map[string]bool, key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return set[key]
}

func (l *link) mark(set map[string]bool, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set[key] = true
}

// presenceEvery is the least time between two presences.
const presenceEvery = time.Second

// announce keeps our presence up to date: soon after a change, and as a
// heartbeat.
func (l *link) announce(ctx context.Context) {
	beat := time.NewTicker(l.heartbeat)
	defer beat.Stop()
	for {
		l.present()
		select {
		case <-ctx.Done():
			return
		case <-time.After(presenceEvery):
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		case <-l.replica.Changed():
		}
	}
}

// present puts our state into the room's presence.
func (l *link) present() {
	id := l.replica.Identity()
	if !id.SID.Valid() {
		return
	}
	v, err := l.replica.Shown()
	if err != nil {
		l.log.Error("read vector", "error", err)
		return
	}
	p := protocol.Replica{
		SID: id.SID, Install: id.Install, Version: l.version, Role: l.replica.Role().String(),
		State: l.replica.State(), Schema: l.replica.SchemaDigest(), Vector: v,
	}
	if node := l.ownNode(); node != nil {
		p.Service, p.Node = node.Service().String(), node.Name()
	}
	l.room.Load().SetPayload(p.Element(), fmt.Sprintf("%s, %s, %s", p.Role, p.State, v))
}
