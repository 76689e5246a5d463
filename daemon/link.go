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

	events queue
	// occupants is raised when the room changes, online at every new session.
	occupants chan struct{}

	mu         sync.Mutex
	node       *pubsub.Node
	admitted   map[string]bool
	subscribed map[string]bool
}

// listen begins to take in what the nodes say. It is called before the client
// connects, since the XMPP server then delivers at once what it has kept.
func (l *link) listen() {
	pubsub.Events(l.client, func(e pubsub.Event) { l.events.put(e) })
	l.client.OnOnline(func(context.Context) { l.newSession() })
}

// NoServiceError is an XMPP server without a service that is needed.
type NoServiceError struct{ Domain string }

func (e *NoServiceError) Error() string {
	return "no room service (XEP-0045) is offered by " + e.Domain
}

// Hint says how to mend it.
func (e *NoServiceError) Hint() string {
	return "add a MUC component to the XMPP server, or name one as xmpp.muc in the configuration"
}

// discover finds the services that the configuration does not name, and makes
// the room. It waits for a session.
func (l *link) discover(ctx context.Context) error {
	online := make(chan struct{}, 1)
	defer l.client.OnOnline(func(context.Context) {
		select {
		case online <- struct{}{}:
		default:
		}
	})()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-online:
		}
		err := l.findServices(ctx)
		if err == nil || !errors.Is(err, xmpp.ErrOffline) {
			return err
		}
	}
}

func (l *link) findServices(ctx context.Context) error {
	domain := l.client.Addr().Domain()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if l.rooms.Equal(jid.JID{}) {
		service, found, err := l.client.DiscoverService(ctx, domain, "conference")
		if err != nil {
			return fmt.Errorf("look for a room service: %w", err)
		}
		if !found {
			return &NoServiceError{domain.String()}
		}
		l.rooms = service
	}
	if l.service.Equal(jid.JID{}) {
		service, found, err := l.client.DiscoverService(ctx, domain, "pubsub")
		if err != nil {
			return fmt.Errorf("look for a pubsub service: %w", err)
		}
		if found {
			l.service = service
		}
	}
	room := muc.New(muc.Config{Client: l.client, Service: l.rooms, Suffix: l.suffix, Nick: l.nick, Log: l.log})
	room.OnChange(func(muc.Change) { l.nudge() })
	l.room.Store(room)
	return nil
}

// newSession forgets what has to be done once per session.
func (l *link) newSession() {
	l.mu.Lock()
	clear(l.subscribed)
	clear(l.admitted)
	l.node = nil
	l.mu.Unlock()
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
	if err := l.settleIn(ctx, self); err != nil {
		return err
	}
	if l.replica.Identity().Joined && l.replica.Fault() == "" {
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
	have := l.node != nil
	l.mu.Unlock()
	if have {
		return nil
	}
	name := pubsub.NodeName(uint16(l.replica.Identity().SID), l.suffix)
	node, err := pubsub.Locate(ctx, l.client, l.service, name, "Changes of "+l.suffix)
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
	v, err := l.replica.Vector()
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

// receive hands events to the replica, a run of one server at a time.
func (l *link) receive(ctx context.Context) {
	var parts protocol.Assembler
	for {
		events, ok := l.events.take(ctx)
		if !ok {
			return
		}
		for len(events) > 0 {
			var d replica.Delivery
			d, events = l.collect(&parts, events)
			if len(d.Changes) == 0 {
				continue
			}
			if _, err := l.replica.Receive(d); err != nil {
				l.log.Error("receive", "error", err)
			}
		}
	}
}

// collect opens the events of one server at the head of a run.
func (l *link) collect(parts *protocol.Assembler, events []pubsub.Event) (d replica.Delivery, rest []pubsub.Event) {
	for i, e := range events {
		author, ok := l.authorOf(e)
		if !ok {
			continue
		}
		if d.Relay != 0 && author.SID != d.Relay {
			return d, events[i:]
		}
		b, complete, err := parts.Add(e.Service.String()+"\x00"+e.Node, e.Payload)
		switch {
		case err != nil || complete && (b.SID != author.SID || b.Suffix != l.suffix):
			l.replica.Reject()
			l.log.Warn("rejected an event", "node", e.Node, "from", e.Service, "error", err)
		case complete:
			d.Relay, d.RelayRole = author.SID, author.Role
			d.Changes = append(d.Changes, b.Changes...)
		}
	}
	return d, nil
}

// authorOf returns the server whose node an event came from, as the room shows
// it, or else as it was last seen: events that were kept for us arrive before
// the room is joined. An event from elsewhere is none of our business.
func (l *link) authorOf(e pubsub.Event) (replica.Peer, bool) {
	for _, p := range l.replica.Known() {
		if e.Node == pubsub.NodeName(uint16(p.SID), l.suffix) && p.Service == e.Service.String() {
			return p, true
		}
	}
	return replica.Peer{}, false
}

// Publish implements replica.Network.
func (l *link) Publish(ctx context.Context, changes []changelog.Change) (uint64, error) {
	node := l.ownNode()
	if node == nil {
		return 0, replica.ErrOffline
	}
	id := l.replica.Identity()
	items, _, packErr := protocol.Pack(l.suffix, id.SID, id.Epoch, changes, protocol.MaxItem)
	out := make([]pubsub.Item, len(items))
	for i, item := range items {
		out[i] = pubsub.Item{ID: item.ID, Payload: item.Payload}
	}
	n, err := node.Publish(ctx, out...)
	var acked uint64
	if n > 0 {
		acked = items[n-1].Last
	}
	if xmpp.IsCondition(err, "forbidden", "item-not-found") {
		l.newSession() // the node is gone: make it again
	}
	if errors.Is(err, xmpp.ErrOffline) {
		err = fmt.Errorf("%w: %w", replica.ErrOffline, err)
	}
	return acked, errors.Join(err, packErr)
}
