package pubsub

import (
	"context"
	"fmt"
	"strings"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// Node is a node that we own and whose configuration was checked. Nothing is
// published on it in a later session.
type Node struct {
	c       *xmpp.Client
	session uint64
	service jid.JID
	name    string
	ignored []Deviation
}

// Service returns the address of the service: our bare JID for the account's own.
func (n *Node) Service() jid.JID { return n.service }

// Name returns the name of the node.
func (n *Node) Name() string { return n.name }

// Current reports whether the session in which the node was checked goes on.
func (n *Node) Current() bool { return n.session != 0 && n.session == n.c.Session() }

// Ignored returns the settings that the service did not take and that nothing
// depends on, to be logged.
func (n *Node) Ignored() []Deviation { return n.ignored }

// Deviation is a setting that a service did not take.
type Deviation struct {
	Field, Want string
	// Got is the value the node has; "" where the service does not have the field.
	Got string
}

func (d Deviation) String() string {
	return fmt.Sprintf("%s is %q instead of %q", d.Field, d.Got, d.Want)
}

// ConfigError means that a node has a configuration under which changes would
// be readable or writable by others, or would not arrive. It must not be used.
type ConfigError struct {
	Service    jid.JID
	Node       string
	Deviations []Deviation
}

func (e *ConfigError) Error() string {
	var what []string
	for _, d := range e.Deviations {
		what = append(what, d.String())
	}
	return fmt.Sprintf("pubsub node %s at %s: %s", e.Node, e.Service, strings.Join(what, ", "))
}

// Hint says what an administrator can do.
func (e *ConfigError) Hint() string {
	return "set the node's configuration by hand, or use another pubsub service"
}

// setting is one field of the configuration we want.
type setting struct {
	name, value string
	// need says what happens where the service does not take the setting.
	need need
}

type need int

const (
	// wanted: nothing depends on it.
	wanted need = iota
	// matters: another value is an error, not having the field is not.
	matters
	// required: having it is required.
	required
)

// config is the configuration of a node. It keeps the last item, so that its owner
// can see what was published last; catching up is done from the servers' logs, and
// file storage is slow with long nodes.
func config(title string) []setting {
	return []setting{
		{"pubsub#access_model", "whitelist", required},
		{"pubsub#publish_model", "publishers", required},
		{"pubsub#deliver_notifications", "1", matters},
		{"pubsub#deliver_payloads", "1", matters},
		{"pubsub#title", title, wanted},
		{"pubsub#persist_items", "1", wanted},
		{"pubsub#max_items", "1", wanted},
		{"pubsub#notification_type", "normal", wanted},
		{"pubsub#notify_retract", "0", wanted},
		{"pubsub#send_last_published_item", "never", wanted},
	}
}

// Ensure makes sure that the node exists at service (the zero JID or our bare
// JID: our own account), belongs to us and is configured as it must be. It
// creates the node with its configuration, never by publishing, and changes an
// existing node where needed; then it reads the configuration back. A node
// that cannot be made safe is a *ConfigError.
func Ensure(ctx context.Context, c *xmpp.Client, service jid.JID, node, title string) (*Node, error) {
	if service.Equal(jid.JID{}) {
		service = c.Addr().Bare()
	}
	n := &Node{c: c, session: c.Session(), service: service, name: node}
	if err := n.ensure(ctx, config(title)); err != nil {
		return nil, fmt.Errorf("pubsub node %s at %s: %w", node, service, err)
	}
	return n, nil
}

func (n *Node) ensure(ctx context.Context, want []setting) error {
	have, err := n.configuration(ctx)
	// Prosody answers forbidden also where there is no such node.
	if xmpp.IsCondition(err, "item-not-found", "forbidden", "not-allowed") {
		if err := n.create(ctx, want); err != nil {
			return err
		}
		have, err = n.configuration(ctx)
	}
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if change := have.changes(want); len(change) > 0 {
		if err := n.configure(ctx, change); err != nil {
			return fmt.Errorf("configure: %w", err)
		}
		if have, err = n.configuration(ctx); err != nil {
			return fmt.Errorf("read configuration: %w", err)
		}
	}
	return n.check(have, want)
}

// create makes the node; that somebody else was faster is no error.
func (n *Node) create(ctx context.Context, want []setting) error {
	offered := n.defaults(ctx)
	var set []setting
	for _, s := range want {
		if offered.offers(s.name, s.value) || offered == nil && s.need == required {
			set = append(set, s)
		}
	}
	_, err := n.ask(ctx, "set", nsPubsub,
		element.New(nsPubsub, "create", "node", n.name),
		element.New(nsPubsub, "configure").With(submission(set)))
	if err != nil && !xmpp.IsCondition(err, "conflict") {
		return fmt.Errorf("create: %w", err)
	}
	return nil
}

// defaults returns the form of a new node, nil where the service has none.
func (n *Node) defaults(ctx context.Context) form {
	reply, err := n.ask(ctx, "get", nsOwner, element.New(nsOwner, "default"))
	if err != nil {
		return nil
	}
	return parseForm(reply.Child(nsOwner, "default"))
}

func (n *Node) configuration(ctx context.Context) (form, error) {
	reply, err := n.ask(ctx, "get", nsOwner, element.New(nsOwner, "configure", "node", n.name))
	if err != nil {
		return nil, err
	}
	return parseForm(reply.Child(nsOwner, "configure")), nil
}

func (n *Node) configure(ctx context.Context, set []setting) error {
	_, err := n.ask(ctx, "set", nsOwner,
		element.New(nsOwner, "configure", "node", n.name).With(submission(set)))
	return err
}

// changes returns what is to be set in a node with this configuration.
func (f form) changes(want []setting) []setting {
	var out []setting
	for _, s := range want {
		if f.offers(s.name, s.value) && !f.has(s.name, s.value) {
			out = append(out, s)
		}
	}
	return out
}

// check compares the node's configuration with what it should be.
func (n *Node) check(have form, want []setting) error {
	var bad []Deviation
	n.ignored = nil
	for _, s := range want {
		got, offered := have[s.name]
		if have.has(s.name, s.value) {
			continue
		}
		d := Deviation{Field: s.name, Want: s.value, Got: got.value}
		if s.need == required || s.need == matters && offered {
			bad = append(bad, d)
		} else {
			n.ignored = append(n.ignored, d)
		}
	}
	if len(bad) > 0 {
		return &ConfigError{Service: n.service, Node: n.name, Deviations: bad}
	}
	return nil
}

// Locate is Ensure at the preferred service, or, where that lets us have no
// node, at our own account. A zero preferred JID means the account.
func Locate(ctx context.Context, c *xmpp.Client, preferred jid.JID, node, title string) (*Node, error) {
	n, err := Ensure(ctx, c, preferred, node, title)
	own := preferred.Equal(jid.JID{}) || preferred.Equal(c.Addr().Bare())
	if own || !xmpp.IsCondition(err, "forbidden", "not-allowed", "feature-not-implemented") {
		return n, err
	}
	n, ownErr := Ensure(ctx, c, jid.JID{}, node, title)
	if ownErr != nil {
		return nil, fmt.Errorf("%w: %w; %w", ErrNoService, err, ownErr)
	}
	return n, nil
}

// Delete removes the node with all its subscriptions.
func (n *Node) Delete(ctx context.Context) error {
	_, err := n.ask(ctx, "set", nsOwner, element.New(nsOwner, "delete", "node", n.name))
	if err != nil {
		return fmt.Errorf("delete pubsub node %s: %w", n.name, err)
	}
	return nil
}

func (n *Node) ask(ctx context.Context, typ, space string, children ...*element.Element) (*element.Element, error) {
	return request(ctx, n.c, target(n.c, n.service), typ, space, children...)
}
