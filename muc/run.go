package muc

import (
	"context"
	"errors"
	"time"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// answerTimeout bounds the wait for the room's answer. Servers that limit
// their clients' rate answer late.
const answerTimeout = 60 * time.Second

// Run keeps us in the room until ctx ends, then leaves and returns nil. It
// returns an error only where trying again cannot help: there is no such
// service. Everything else is told by State and tried again.
func (r *Room) Run(ctx context.Context) error {
	c := r.cfg.Client
	defer c.HandlePresence(r.receivePresence)()
	defer c.HandleMessage(r.receiveMessage)()
	defer c.OnState(func(online bool, err error) {
		if !online {
			r.setState(context.Background(), Offline, err)
		}
	})()
	defer c.OnOnline(r.connect)()
	defer r.leave()
	for {
		select {
		case <-ctx.Done():
			return nil
		case link := <-r.connected:
			both, cancel := context.WithCancel(ctx)
			stop := context.AfterFunc(link, cancel)
			err := r.attend(both)
			stop()
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// connect leaves word of the newest connection.
func (r *Room) connect(link context.Context) {
	select {
	case <-r.connected:
	default:
	}
	r.connected <- link
}

func (r *Room) leave() {
	r.mu.Lock()
	nick := r.self
	r.become(Offline, context.Canceled)
	r.mu.Unlock()
	r.emit()
	r.depart(nick)
}

// depart tells the room that we go.
func (r *Room) depart(nick string) {
	if nick == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.cfg.Client.Send(ctx, element.New(nsClient, "presence", "to", r.name+"/"+nick, "type", "unavailable"))
}

// attend joins, and joins again whenever we fall out, until ctx ends. It
// returns only what no further attempt can heal.
func (r *Room) attend(ctx context.Context) error {
	pause := r.cfg.RetryMin
	said := ""
	for {
		began := time.Now()
		err := r.join(ctx)
		if err == nil {
			err = r.stay(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrNoService) {
			return err
		}
		r.setState(ctx, stateFor(err), err)
		if why := errorText(err); why != said {
			r.log.Warn("not in the room", "err", err)
			said = why
		}
		if time.Since(began) > 4*pause {
			pause = r.cfg.RetryMin
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.invited:
		case <-time.After(pause):
		}
		pause = min(2*pause, r.cfg.RetryMax)
	}
}

func stateFor(err error) State {
	switch {
	case errors.Is(err, ErrNotAdmitted), errors.Is(err, ErrMayNotCreate):
		return NotAdmitted
	case errors.Is(err, ErrUnsafe):
		return Unsafe
	}
	return Joining
}

// stay keeps our presence current and returns why we are no longer in the room.
func (r *Room) stay(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		r.selfPing(ctx)
	}()
	defer func() { cancel(); <-pinged }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.evicted:
			return err
		case <-r.announce:
			if err := r.sendPresence(ctx, false, ""); err != nil && ctx.Err() == nil {
				r.log.Warn("send room presence", "err", err)
			}
		case <-r.inspect:
			if err := r.check(ctx); errors.Is(err, ErrUnsafe) {
				r.quit(err)
				return err
			}
		}
	}
}

// quit leaves the room for a reason of our own.
func (r *Room) quit(reason error) {
	r.mu.Lock()
	nick := r.self
	r.self = ""
	r.become(stateFor(reason), reason)
	r.mu.Unlock()
	r.emit()
	r.depart(nick)
}

// evict notes that we fell out of the room.
func (r *Room) evict(err error) {
	select {
	case r.evicted <- err:
	default:
	}
}

// selfPing asks at intervals whether we are still in the room (XEP-0410): a
// room's server may have restarted without our noticing.
func (r *Room) selfPing(ctx context.Context) {
	tick := time.NewTicker(r.cfg.SelfPingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.stillIn(ctx); err != nil {
			r.evict(r.fail(ErrEvicted, err))
			return
		}
	}
}

// stillIn returns an error only if the answer means that we are out.
func (r *Room) stillIn(ctx context.Context) error {
	self, ok := r.Self()
	if !ok {
		return nil
	}
	to, err := r.jid.WithResource(self.Nick)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err = r.cfg.Client.IQ(ctx, to, "get", element.New(nsPing, "ping"))
	var answer *xmpp.StanzaError
	if !errors.As(err, &answer) {
		return nil
	}
	switch answer.Condition {
	case "service-unavailable", "feature-not-implemented":
		return nil // answered by a client that cannot ping
	case "remote-server-not-found", "remote-server-timeout":
		return nil // not known, ask again
	}
	return answer
}
