package xmpp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
)

func TestLoginBindsTheResource(t *testing.T) {
	s := server(t, prosody.Options{})
	for name, direct := range map[string]bool{"STARTTLS": false, "direct TLS": true} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, s, "ann")
			if direct {
				cfg.Server, cfg.DirectTLS = s.TLSAddr, true
			}
			c := online(t, cfg)
			if got, want := c.Addr().String(), "ann@"+s.Domain+"/ldapsync"; got != want {
				t.Errorf("address %s, want %s", got, want)
			}
			if !c.Online() || c.LastError() != nil {
				t.Errorf("online %v, error %v", c.Online(), c.LastError())
			}
			if err := ping(deadline(t), c.Client, c.Addr().Domain()); err != nil {
				t.Error(err)
			}
			c.stop()
			if err := <-c.ended; err != nil {
				t.Error(err)
			}
			if c.Online() || !errors.Is(c.Send(deadline(t), message(c.Addr(), "late")), xmpp.ErrOffline) {
				t.Error("still online after the end")
			}
		})
	}
}

func TestLoginBySCRAMSHA256(t *testing.T) {
	s := server(t, prosody.Options{Hashed: true})
	online(t, config(t, s, "ann"))
}

func TestFirstLoginFailsForGood(t *testing.T) {
	s := server(t, prosody.Options{})
	noTLS := server(t, prosody.Options{ExtraConfig: `c2s_require_encryption = false; modules_disabled = { "s2s"; "tls" }`})
	noSCRAM := server(t, prosody.Options{ExtraConfig: `disable_sasl_mechanisms = { "SCRAM-SHA-1"; "SCRAM-SHA-256" }`})
	unreadable := errors.New("no such file")
	for name, tc := range map[string]struct {
		server *prosody.Server
		change func(*xmpp.Config)
		want   error
	}{
		"wrong password": {s, func(c *xmpp.Config) {
			c.Password = func(context.Context) (string, error) { return "guess", nil }
		}, xmpp.ErrNotAuthorized},
		"no password": {s, func(c *xmpp.Config) {
			c.Password = func(context.Context) (string, error) { return "", unreadable }
		}, unreadable},
		"unknown account": {s, func(c *xmpp.Config) { c.JID = jid.MustParse("nobody@" + s.Domain) }, xmpp.ErrNotAuthorized},
		"unknown domain":  {s, func(c *xmpp.Config) { c.JID = jid.MustParse("ann@elsewhere.test") }, xmpp.ErrHostUnknown},
		"wrong authority": {s, func(c *xmpp.Config) { c.RootCAs = roots(t, noTLS) }, xmpp.ErrUntrusted},
		"wrong authority, direct TLS": {s, func(c *xmpp.Config) {
			c.RootCAs, c.Server, c.DirectTLS = roots(t, noTLS), s.TLSAddr, true
		}, xmpp.ErrUntrusted},
		"no TLS":   {noTLS, func(*xmpp.Config) {}, xmpp.ErrNoTLS},
		"no SCRAM": {noSCRAM, func(*xmpp.Config) {}, xmpp.ErrNoSCRAM},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, tc.server, "ann")
			tc.change(&cfg)
			run(t, xmpp.New(cfg)).fails(t, tc.want)
		})
	}
}

func TestWaitsForAServerThatIsNotThereYet(t *testing.T) {
	s := server(t, prosody.Options{})
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	c := run(t, xmpp.New(config(t, s, "ann")))
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	c.await(t, true)
}

func TestConflictIsFatal(t *testing.T) {
	s := server(t, prosody.Options{})
	first := online(t, config(t, s, "ann"))
	online(t, config(t, s, "ann"))
	first.fails(t, xmpp.ErrConflict)
}

// A password that is wrong for a while must not end a daemon that runs.
func TestLaterLoginFailureIsOnlyReported(t *testing.T) {
	s := server(t, prosody.Options{})
	c := online(t, config(t, s, "ann"))
	if err := s.AddUser("ann", "changed"); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	c.await(t, false)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !errors.Is(c.LastError(), xmpp.ErrNotAuthorized) {
		select {
		case err := <-c.ended:
			t.Fatal(err)
		case <-poll.C:
		}
	}
	if err := s.AddUser("ann", "ann"); err != nil {
		t.Fatal(err)
	}
	c.await(t, true)
}
