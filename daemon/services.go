package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/muc"
	"ldapsync/xmpp"
)

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
