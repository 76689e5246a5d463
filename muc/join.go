package muc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// maxNicks is the number of nicknames that are tried.
const maxNicks = 9

// attempt is a join that the room has not answered.
type attempt struct {
	id, nick string
	answer   chan error
}

// join enters the room, creating it if need be, and returns when we are in and
// the room is as it has to be.
func (r *Room) join(ctx context.Context) error {
	if err := r.checkService(ctx); err != nil {
		return err
	}
	if state, _ := r.State(); state == Offline {
		r.setState(ctx, Joining, nil)
	}
	drain(r.evicted)
	drain(r.invited)
	if err := r.enterUnderSomeNick(ctx); err != nil {
		return r.explain(ctx, err)
	}
	if err := r.secure(ctx); err != nil {
		r.quit(err)
		return err
	}
	r.mu.Lock()
	in := r.self != ""
	r.mu.Unlock()
	if !in {
		return r.fail(ErrEvicted, nil)
	}
	r.setState(ctx, Joined, nil)
	return nil
}

func drain[T any](c chan T) {
	select {
	case <-c:
	default:
	}
}

// checkService asks, until we were in once, whether the service is one.
func (r *Room) checkService(ctx context.Context) error {
	r.mu.Lock()
	known := r.everIn
	r.mu.Unlock()
	if known {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	d, err := r.cfg.Client.DiscoInfo(ctx, r.cfg.Service, "")
	switch {
	case err == nil && !d.Is("conference"),
		xmpp.IsCondition(err, "service-unavailable", "item-not-found"),
		xmpp.IsCondition(err, "remote-server-not-found", "not-allowed") && r.local():
		return r.fail(ErrNoService, err)
	case err != nil:
		return r.fail(ErrNotJoined, err)
	}
	return nil
}

// local reports whether the service should be our own server's, so that it
// cannot just be unreachable for the moment.
func (r *Room) local() bool {
	return strings.HasSuffix("."+r.cfg.Service.Domainpart(), "."+r.cfg.Client.Addr().Domainpart())
}

func (r *Room) enterUnderSomeNick(ctx context.Context) error {
	for n := 1; ; n++ {
		nick := r.cfg.Nick
		if n > 1 {
			nick = fmt.Sprintf("%s-%d", nick, n)
		}
		err := r.enter(ctx, nick)
		if !xmpp.IsCondition(err, "conflict") {
			return err
		}
		if n == maxNicks {
			return r.fail(ErrNickTaken, err)
		}
	}
}

// enter sends one join (XEP-0045 section 7.2) and waits for our own presence,
// which comes after everybody else's.
func (r *Room) enter(ctx context.Context, nick string) error {
	a := &attempt{id: rand.Text(), nick: nick, answer: make(chan error, 1)}
	r.mu.Lock()
	r.attempt, r.created, r.self = a, false, ""
	clear(r.occupants)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.attempt = nil
		r.mu.Unlock()
	}()
	drain(r.announce)
	if err := r.sendPresence(ctx, true, a.id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	select {
	case err := <-a.answer:
		return err
	case <-ctx.Done():
		// The room may have let us in all the same.
		r.depart(nick)
		return fmt.Errorf("no answer to the join: %w", ctx.Err())
	}
}

// sendPresence sends our presence with its payload, as a join or as an update.
func (r *Room) sendPresence(ctx context.Context, join bool, id string) error {
	r.mu.Lock()
	nick, payload, status := r.self, r.payload, r.status
	if join {
		nick = r.attempt.nick
	}
	r.mu.Unlock()
	if nick == "" {
		return nil
	}
	p := element.New(nsClient, "presence", "to", r.name+"/"+nick, "id", id)
	if join {
		history := element.New(nsMUC, "history", "maxstanzas", "0")
		p.With(element.New(nsMUC, "x").With(history))
	}
	if payload != nil {
		p.With(payload)
	}
	if status != "" {
		p.With(element.New(nsClient, "status").WithText(status))
	}
	return r.cfg.Client.Send(ctx, p)
}

// explain turns the room's refusal into an *Error.
func (r *Room) explain(ctx context.Context, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	var refusal *xmpp.StanzaError
	if !errors.As(err, &refusal) {
		return r.fail(ErrNotJoined, err)
	}
	switch refusal.Condition {
	case "registration-required":
		return r.fail(ErrNotAdmitted, err)
	case "forbidden", "not-allowed":
		if r.absent(ctx) {
			return r.fail(ErrMayNotCreate, err)
		}
		return r.fail(ErrNotAdmitted, err)
	}
	return r.fail(ErrNotJoined, err)
}

// absent reports whether the room certainly does not exist.
func (r *Room) absent(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := r.cfg.Client.DiscoInfo(ctx, r.jid, "")
	return xmpp.IsCondition(err, "item-not-found")
}
