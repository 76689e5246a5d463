package xmpp_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/testenv/netproxy"
	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

func TestReconnects(t *testing.T) {
	s := server(t, prosody.Options{})
	proxy, err := netproxy.Start(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	cfg := config(t, s, "ann")
	cfg.Server = proxy.Addr()
	cfg.PingEvery, cfg.ReadTimeout, cfg.WriteTimeout = 100*time.Millisecond, 400*time.Millisecond, 400*time.Millisecond
	c := online(t, cfg)
	var connections atomic.Int32
	met := make(chan struct{}, 100)
	c.OnOnline(func(ctx context.Context) {
		connections.Add(1)
		met <- struct{}{}
		<-ctx.Done()
	})
	<-met
	for _, fault := range []struct {
		name        string
		begin, heal func() error
	}{
		{"server ends", s.Stop, s.Restart},
		{"server killed", s.Kill, s.Restart},
		{"link cut", nothing(proxy.Cut), nothing(proxy.Heal)},
		{"link frozen", nothing(proxy.Freeze), nothing(proxy.Heal)},
	} {
		t.Run(fault.name, func(t *testing.T) {
			if err := fault.begin(); err != nil {
				t.Fatal(err)
			}
			c.await(t, false)
			if c.LastError() == nil {
				t.Error("no reason given")
			}
			if err := fault.heal(); err != nil {
				t.Fatal(err)
			}
			c.await(t, true)
			<-met
			if err := ping(deadline(t), c.Client, c.Addr().Domain()); err != nil {
				t.Error(err)
			}
		})
	}
	if n := connections.Load(); n != 5 {
		t.Errorf("OnOnline called %d times, want 5", n)
	}
}

func nothing(fn func()) func() error { return func() error { fn(); return nil } }

func TestPendingRequestsFailWithTheSession(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := online(t, config(t, s, "ann")), online(t, config(t, s, "bob"))
	asked := make(chan struct{})
	bob.HandleIQ("urn:test", "never", func(ctx context.Context, _ *element.Element) (*element.Element, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	p, err := ann.Request(deadline(t), bob.Addr(), "get", element.New("urn:test", "never"))
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(deadline(t)); !errors.Is(err, xmpp.ErrOffline) {
		t.Errorf("pending request ended with %v", err)
	}
	ann.await(t, false)
	if _, err := ann.IQ(deadline(t), bob.Addr(), "get", element.New("urn:test", "never")); !errors.Is(err, xmpp.ErrOffline) {
		t.Errorf("request without a session: %v", err)
	}
}

// A peer that stops reading must not block a sender for ever, and the session
// must end.
func TestStuckWriteEnds(t *testing.T) {
	s := server(t, prosody.Options{})
	proxy, err := netproxy.Start(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	cfg := config(t, s, "ann")
	cfg.Server, cfg.WriteTimeout = proxy.Addr(), 200*time.Millisecond
	c := online(t, cfg)
	proxy.Freeze()
	big := message(jid.MustParse("bob@"+s.Domain), string(make([]byte, 100_000)))
	big.Child("jabber:client", "body").Text = fmt.Sprintf("%0100000d", 1)
	for err = nil; err == nil; {
		err = c.Send(context.Background(), big)
	}
	if !errors.Is(err, xmpp.ErrOffline) {
		t.Error(err)
	}
	c.await(t, false)
	proxy.Heal()
	c.await(t, true)
}

// Contexts that end around the time of a send must not harm the session.
func TestCancelledSendsDoNotHarm(t *testing.T) {
	s := server(t, prosody.Options{})
	received := make(chan string, 100_000)
	bobClient := xmpp.New(config(t, s, "bob"))
	bobClient.HandleMessage(func(msg *element.Element) bool { received <- body(msg); return true })
	bob := run(t, bobClient)
	bob.await(t, true)
	ann := online(t, config(t, s, "ann"))
	const senders, each = 4, 2500
	var sent atomic.Int32
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for i := range each {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%50)*time.Microsecond)
				if i%3 > 0 {
					ctx, cancel = context.WithCancel(context.Background())
				}
				if ann.Send(ctx, message(bob.Addr(), "hello")) == nil {
					sent.Add(1)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if sent.Load() < senders*each/2 {
		t.Errorf("only %d of %d sent", sent.Load(), senders*each)
	}
	for range sent.Load() {
		select {
		case <-received:
		case <-time.After(patience):
			t.Fatalf("%d of %d arrived", len(received), sent.Load())
		}
	}
	select {
	case online := <-ann.state:
		t.Errorf("session changed to online=%v: %v", online, ann.LastError())
	default:
	}
}
